// The counters of every kernel, as JSON, when the program ends.
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include "tests/ptxrun/src/runtime.hpp"

namespace ptxrun {
namespace {

constexpr const char* kClassNames[] = {"global_load", "global_store", "atomic",  "shared", "local",   "integer",
                                       "float",       "convert",      "control", "sync",   "special", "move"};
static_assert(std::size(kClassNames) == std::size_t(Class::count));

std::string quoted(const std::string& s) {
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}
void classes(std::FILE* f, const char* name, const std::uint64_t (&v)[std::size_t(Class::count)]) {
  std::fprintf(f, "   \"%s\": {\"total\": %llu", name,
               static_cast<unsigned long long>(std::accumulate(std::begin(v), std::end(v), std::uint64_t{0})));
  for (std::size_t i = 0; i < std::size(kClassNames); ++i)
    std::fprintf(f, ", \"%s\": %llu", kClassNames[i], static_cast<unsigned long long>(v[i]));
  std::fprintf(f, "},\n");
}
void traffic(std::FILE* f, const char* name, const Counters::Traffic& t) {
  auto n = [](std::uint64_t v) { return static_cast<unsigned long long>(v); };
  std::fprintf(f,
               "   \"%s\": {\"requests\": %llu, \"bytes\": %llu, \"sectors\": %llu, \"distinct_sectors\": %llu, "
               "\"accesses_by_bytes\": {",
               name, n(t.requests), n(t.bytes), n(t.sectors), n(t.distinct));
  for (int i = 0; i < 6; ++i) std::fprintf(f, "%s\"%d\": %llu", i ? ", " : "", 1 << i, n(t.by_width[i]));
  std::fprintf(f, "}},\n");
}
void kernel(std::FILE* f, const std::string& symbol, const Counters& c) {
  auto n = [](std::uint64_t v) { return static_cast<unsigned long long>(v); };
  std::fprintf(f, "  {\"name\": %s,\n   \"symbol\": %s,\n", quoted(readable(symbol)).c_str(), quoted(symbol).c_str());
  std::fprintf(f,
               "   \"launches\": %llu, \"blocks\": %llu, \"threads\": %llu, \"findings\": %llu, \"approximate\": %s, "
               "\"contractible\": %u,\n",
               n(c.launches), n(c.blocks), n(c.threads), n(c.findings), c.approximate ? "true" : "false",
               c.contractible);
  classes(f, "thread_instructions", c.thread_insts);
  classes(f, "warp_instructions", c.warp_insts);
  traffic(f, "load", c.load);
  traffic(f, "store", c.store);
  traffic(f, "atomics", c.atomics);
  std::fprintf(f,
               "   \"shared_requests\": %llu, \"shared_extra_wavefronts\": %llu, \"barriers\": %llu, "
               "\"divergent_branches\": %llu, \"local_bytes\": %llu}",
               n(c.shared_requests), n(c.shared_extra_wavefronts), n(c.barriers), n(c.divergent_branches),
               n(c.local_bytes));
}

}  // namespace

void write_report() {
  std::string path = std::getenv("PTXRUN_REPORT") ? std::getenv("PTXRUN_REPORT") : "";
  if (path.empty() || runtime().modules.empty()) return;
  std::size_t at = path.find("%p");  // a report for each process
  if (at != path.npos) path.replace(at, 2, std::to_string(getpid()));
  std::FILE* f = std::fopen(path.c_str(), "w");
  if (!f) {
    std::fprintf(stderr, "ptxrun: can not write %s\n", path.c_str());
    return;
  }
  std::fprintf(f, "{\"error\": \"%s\", \"kernels\": [\n",
               runtime().sticky != cudaSuccess ? cudaGetErrorName(runtime().sticky)
               : runtime().unusable            ? "cudaErrorNoKernelImageForDevice"
                                               : "");
  for (auto& [function, k] : runtime().kernels)
    if (k.program && k.counters) count_instructions(*k.program, *k.counters);
  bool first = true;
  for (auto& [symbol, counters] : runtime().counters) {
    std::fprintf(f, "%s", first ? "" : ",\n");
    first = false;
    kernel(f, symbol, counters);
  }
  std::fprintf(f, "\n]}\n");
  std::fclose(f);
}

}  // namespace ptxrun
