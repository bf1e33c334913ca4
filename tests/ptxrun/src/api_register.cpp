// What nvcc's host code calls before main: modules, kernels, variables.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include "tests/ptxrun/src/runtime.hpp"

namespace ptxrun {
namespace {

std::uint64_t number_option(const char* name, std::uint64_t otherwise) {
  const char* v = std::getenv(name);
  return v && *v ? std::strtoull(v, nullptr, 0) : otherwise;
}

void read_options() {
  Options& o = options();
  std::string check = std::getenv("PTXRUN_CHECK") ? std::getenv("PTXRUN_CHECK") : "fail";
  if (check != "fail" && check != "report" && check != "off")
    std::fprintf(stderr, "ptxrun: PTXRUN_CHECK=%s is not fail, report or off: taken as fail\n", check.c_str());
  o.check = check == "off" ? Check::off : check == "report" ? Check::report : Check::fail;
  o.races = number_option("PTXRUN_RACES", 1) && o.check != Check::off;
  o.unwritten = number_option("PTXRUN_UNWRITTEN", 0) && o.check != Check::off;
  o.uninitialised_shared = number_option("PTXRUN_UNWRITTEN_SHARED", 1);
  o.seed = number_option("PTXRUN_SEED", 0);
  o.spin_limit = number_option("PTXRUN_SPIN_LIMIT", o.spin_limit);
  o.step_limit = number_option("PTXRUN_STEP_LIMIT", o.step_limit);
  memory().track_writes = o.unwritten;
}

void place_variable(Module& m, const Variable& v) {
  Allocation* a = memory().allocate(v.size, "variable " + v.name, kEvery);
  std::memset(a->data, 0, v.size);
  std::copy_n(v.init.begin(), std::min<std::uint64_t>(v.init.size(), v.size), a->data);
  m.addresses[v.name] = a->begin;
  memory().mark_written(a->begin, v.size);
}

void place_variables(Module& m) {
  for (const std::string& name : m.variable_order) {
    const Variable& v = m.variables[name];
    if (v.space != Space::shared && v.size && !m.addresses.count(name)) place_variable(m, v);
  }
  for (auto& [name, v] : m.variables)
    for (const Variable::Address& a : v.addresses) {
      auto target = m.addresses.find(a.name);
      std::uint8_t* at = memory().host_view(m.addresses[name] + a.at, 8);
      if (target == m.addresses.end()) throw Unsupported("initialiser of " + name + " with the address of " + a.name);
      std::uint64_t value = target->second + std::uint64_t(a.offset);
      std::memcpy(at, &value, 8);
    }
}

}  // namespace

Runtime& runtime() {
  static Runtime& r = *[] {
    read_options();
    return new Runtime;
  }();
  return r;
}

cudaError_t complain(cudaError_t e, const std::string& what) {
  std::fprintf(stderr, "ptxrun: %s\n", what.c_str());
  return e;
}

Kernel* find_kernel(const void* function) {
  auto it = runtime().kernels.find(function);
  return it == runtime().kernels.end() ? nullptr : &it->second;
}

Program* program_of(Kernel& k) {
  if (k.program || !k.module) return k.program.get();
  try {
    k.program = build_program(*k.module, k.name);
  } catch (const std::exception& e) {
    runtime().unusable = true;
    if (!std::exchange(k.complained, true))
      complain(cudaErrorInvalidDeviceFunction, std::string(e.what()) + ", in kernel " + readable(k.name));
  }
  return k.program.get();
}

__attribute__((destructor)) void at_exit() {
  drain();
  write_report();
}

}  // namespace ptxrun

using namespace ptxrun;

extern "C" {

void** __cudaRegisterFatBinary(void* fatbin) {
  Call call;
  std::string why, ptx = find_ptx(fatbin, &why);
  auto module = std::make_unique<Module>();
  if (ptx.empty())
    complain(cudaErrorNoKernelImageForDevice, "a fat binary can not be run: " + why);
  else {
    try {
      module = parse_module(std::move(ptx));
      place_variables(*module);
    } catch (const std::exception& e) {
      complain(cudaErrorInvalidPtx, e.what());
    }
  }
  runtime().modules.push_back(std::move(module));
  return reinterpret_cast<void**>(runtime().modules.back().get());
}
void __cudaRegisterFatBinaryEnd(void** handle) {
  Call call;
  if (!number_option("PTXRUN_SCAN", 0)) return;
  for (auto& [host, k] : runtime().kernels) {
    Program* p = k.module == reinterpret_cast<Module*>(handle) ? program_of(k) : nullptr;
    if (!p) continue;
    for (const std::string& text : std::set<std::string>(p->text.begin(), p->text.end()))
      std::fprintf(stderr, "ptxrun: scan: %s in kernel %s\n", text.c_str(), p->display.c_str());
  }
}
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**) { return 1; }

void __cudaRegisterFunction(void** handle, const char* host, char*, const char* name, int, uint3*, uint3*, dim3*, dim3*,
                            int*) {
  Call call;
  Kernel& k = runtime().kernels[host];
  k.module = reinterpret_cast<Module*>(handle);
  k.name = name;
}
void __cudaRegisterVar(void** handle, char* host, char*, const char* name, int, std::size_t size, int, int) {
  Call call;
  auto* m = reinterpret_cast<Module*>(handle);
  auto it = m->addresses.find(name);
  if (it != m->addresses.end()) runtime().variables[host] = {it->second, size};
}
void __cudaRegisterManagedVar(void** handle, void** host, char*, const char* name, int, std::size_t size, int, int) {
  Call call;
  auto* m = reinterpret_cast<Module*>(handle);
  auto it = m->addresses.find(name);
  if (it == m->addresses.end()) return;
  *host = memory().host_view(it->second, size);
  complain(cudaErrorNotSupported,
           std::string("__managed__ variable ") + name + ": the host sees it, kernels see it at another address");
}

}  // extern "C"
