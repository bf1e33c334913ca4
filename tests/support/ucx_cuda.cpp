#include "tests/support/ucx_cuda.hpp"

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <ucp/api/ucp.h>

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>

namespace tw::test {
namespace {

template <class Function>
Function* real(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}
#define REAL(function) real(&function, #function)

struct Standing {
  std::mutex mutex;
  bool reports_cuda = true;
  bool genuine = false;                         // the real one reports CUDA memory
  std::map<const ucp_config_t*, bool> configs;  // whether UCX_TLS has CUDA
  std::map<ucp_context_h, bool> contexts;
  std::uint64_t sent = 0, fetched = 0;
  std::vector<std::string> violations;

  void complain(std::string what) {
    const std::lock_guard lock(mutex);
    violations.push_back(std::move(what));
  }
};

Standing& standing() {
  static auto& all = *new Standing;
  return all;
}

bool is_genuine() {
  const std::lock_guard lock(standing().mutex);
  return standing().genuine;
}

bool has_cuda(std::string tls) {
  const bool negated = tls.starts_with('^');
  std::istringstream names(negated ? tls.substr(1) : tls);
  for (std::string name; std::getline(names, name, ',');)
    if (name == "cuda" || name == "cuda_copy" || name == "all") return !negated;
  return negated;
}

bool on_device(const void* address) {
  cudaPointerAttributes attributes{};
  if (cudaPointerGetAttributes(&attributes, address) != cudaSuccess) cudaGetLastError();
  return attributes.type == cudaMemoryTypeDevice;
}

// Through ptxrun as a network card would; on a device as well as the runtime can.
void copy_beside_streams(void* to, const void* from, std::size_t bytes, bool to_device) {
  using Map = void*(void*, std::size_t, int);
  static Map* const map = reinterpret_cast<Map*>(dlsym(RTLD_DEFAULT, "ptxrun_map"));
  if (map == nullptr) {
    if (cudaMemcpy(to, from, bytes, cudaMemcpyDefault) != cudaSuccess)
      standing().complain("a copy between device and host failed");
    return;
  }
  void* const mapped = map(to_device ? to : const_cast<void*>(from), bytes, to_device);
  if (mapped == nullptr) return standing().complain("a message is not wholly inside one allocation of a device");
  std::memcpy(to_device ? mapped : to, to_device ? from : mapped, bytes);
}

// A message that passes through host memory, and whom to tell.
struct Bounce {
  std::vector<std::byte> bytes;
  void* device;
  ucp_send_nbx_callback_t on_sent = nullptr;
  ucp_am_recv_data_nbx_callback_t on_received = nullptr;
  void* user_data;

  Bounce(const void* on_device, std::size_t count, const ucp_request_param_t& param)
      : bytes(count), device(const_cast<void*>(on_device)), user_data(param.user_data) {}

  void check_unchanged() const {
    std::vector<std::byte> now(bytes.size());
    copy_beside_streams(now.data(), device, now.size(), false);
    if (now != bytes) standing().complain("a message changed while it was sent");
  }
  void deliver() const { copy_beside_streams(device, bytes.data(), bytes.size(), true); }
};

// Those under way. UCX never tells of some that end with their worker, and may look at their bytes until then: these
// stay.
class Bounces {
 public:
  Bounce* add(const void* on_device, std::size_t count, const ucp_request_param_t& param) {
    const std::lock_guard lock(mutex_);
    return kept_.insert(std::make_unique<Bounce>(on_device, count, param)).first->get();
  }
  std::unique_ptr<Bounce> take(void* bounce) {
    const std::lock_guard lock(mutex_);
    for (auto one = kept_.begin(); one != kept_.end(); ++one)
      if (one->get() == bounce) {
        auto node = kept_.extract(one);
        return std::move(node.value());
      }
    return nullptr;
  }

 private:
  std::mutex mutex_;
  std::set<std::unique_ptr<Bounce>> kept_;
};

Bounces& bounces() {
  static auto& all = *new Bounces;
  return all;
}

void sent(void* request, ucs_status_t status, void* user_data) {
  const std::unique_ptr<Bounce> bounce = bounces().take(user_data);
  if (status == UCS_OK) bounce->check_unchanged();
  bounce->on_sent(request, status, bounce->user_data);
}

void received(void* request, ucs_status_t status, std::size_t bytes, void* user_data) {
  const std::unique_ptr<Bounce> bounce = bounces().take(user_data);
  if (status == UCS_OK) bounce->deliver();
  bounce->on_received(request, status, bytes, bounce->user_data);
}

// Whether the message lies in device memory, as its sender or receiver says.
bool is_cuda(const void* buffer, std::size_t count, const ucp_request_param_t& param) {
  const bool stated = (param.op_attr_mask & UCP_OP_ATTR_FIELD_MEMORY_TYPE) != 0;
  const bool cuda = stated && param.memory_type == UCS_MEMORY_TYPE_CUDA;
  if (count != 0 && cuda != on_device(buffer))
    standing().complain(cuda ? "host memory as CUDA memory" : "CUDA memory as host memory");
  return cuda && count != 0;
}

}  // namespace

void UcxCuda::reset(bool reports_cuda) {
  const std::lock_guard lock(standing().mutex);
  standing().reports_cuda = reports_cuda;
  standing().sent = standing().fetched = 0;
  standing().violations.clear();
}

std::uint64_t UcxCuda::sent() {
  const std::lock_guard lock(standing().mutex);
  return standing().sent;
}

std::uint64_t UcxCuda::fetched() {
  const std::lock_guard lock(standing().mutex);
  return standing().fetched;
}

void UcxCuda::overwrite(std::span<std::byte> bytes) {
  const std::vector<std::byte> junk(bytes.size(), std::byte{0xee});
  if (!bytes.empty()) copy_beside_streams(bytes.data(), junk.data(), junk.size(), true);
}

std::vector<std::string> UcxCuda::violations() {
  const std::lock_guard lock(standing().mutex);
  return standing().violations;
}

}  // namespace tw::test

using namespace tw::test;

extern "C" {

ucs_status_t ucp_config_modify(ucp_config_t* config, const char* name, const char* value) {
  {
    const std::lock_guard lock(standing().mutex);
    if (std::strcmp(name, "TLS") == 0) standing().configs[config] = has_cuda(value);
  }
  return REAL(ucp_config_modify)(config, name, value);
}

void ucp_config_release(ucp_config_t* config) {
  {
    const std::lock_guard lock(standing().mutex);
    standing().configs.erase(config);
  }
  REAL(ucp_config_release)(config);
}

ucs_status_t ucp_init_version(unsigned major, unsigned minor, const ucp_params_t* params, const ucp_config_t* config,
                              ucp_context_h* context) {
  const ucs_status_t status = REAL(ucp_init_version)(major, minor, params, config, context);
  if (status != UCS_OK) return status;
  ucp_context_attr_t attributes{};
  attributes.field_mask = UCP_ATTR_FIELD_MEMORY_TYPES;
  REAL(ucp_context_query)(*context, &attributes);
  const std::lock_guard lock(standing().mutex);
  standing().genuine |= (attributes.memory_types & UCS_BIT(UCS_MEMORY_TYPE_CUDA)) != 0;
  const auto tls = standing().configs.find(config);
  standing().contexts[*context] = standing().reports_cuda && (tls == standing().configs.end() || tls->second);
  return status;
}

ucs_status_t ucp_context_query(ucp_context_h context, ucp_context_attr_t* attributes) {
  const ucs_status_t status = REAL(ucp_context_query)(context, attributes);
  const std::lock_guard lock(standing().mutex);
  if (status != UCS_OK || (attributes->field_mask & UCP_ATTR_FIELD_MEMORY_TYPES) == 0) return status;
  if (!standing().contexts[context])
    attributes->memory_types &= ~UCS_BIT(UCS_MEMORY_TYPE_CUDA);
  else if (!standing().genuine)
    attributes->memory_types |= UCS_BIT(UCS_MEMORY_TYPE_CUDA);
  return status;
}

ucs_status_ptr_t ucp_am_send_nbx(ucp_ep_h endpoint, unsigned id, const void* header, std::size_t header_bytes,
                                 const void* buffer, std::size_t count, const ucp_request_param_t* param) {
  ucp_request_param_t host = *param;
  host.memory_type = UCS_MEMORY_TYPE_HOST;
  if (!is_cuda(buffer, count, *param))
    return REAL(ucp_am_send_nbx)(endpoint, id, header, header_bytes, buffer, count, &host);
  {
    const std::lock_guard lock(standing().mutex);
    ++standing().sent;
  }
  if ((param->op_attr_mask & UCP_OP_ATTR_FLAG_NO_IMM_CMPL) == 0)
    standing().complain("a message in CUDA memory might take a short cut that guesses where it lies");
  if (is_genuine()) return REAL(ucp_am_send_nbx)(endpoint, id, header, header_bytes, buffer, count, param);
  Bounce* const bounce = bounces().add(buffer, count, *param);  // `sent` may come at once
  copy_beside_streams(bounce->bytes.data(), buffer, count, false);
  bounce->on_sent = param->cb.send;
  host.cb.send = sent;
  host.user_data = bounce;
  const ucs_status_ptr_t request =
      REAL(ucp_am_send_nbx)(endpoint, id, header, header_bytes, bounce->bytes.data(), count, &host);
  if (!UCS_PTR_IS_PTR(request)) bounces().take(bounce);
  return request;
}

ucs_status_ptr_t ucp_am_recv_data_nbx(ucp_worker_h worker, void* descriptor, void* buffer, std::size_t count,
                                      const ucp_request_param_t* param) {
  ucp_request_param_t host = *param;
  host.memory_type = UCS_MEMORY_TYPE_HOST;
  if (!is_cuda(buffer, count, *param)) return REAL(ucp_am_recv_data_nbx)(worker, descriptor, buffer, count, &host);
  {
    const std::lock_guard lock(standing().mutex);
    ++standing().fetched;
  }
  if (is_genuine()) return REAL(ucp_am_recv_data_nbx)(worker, descriptor, buffer, count, param);
  Bounce* const bounce = bounces().add(buffer, count, *param);  // `received` may come at once
  std::memset(bounce->bytes.data(), 0xee, count);
  bounce->deliver();
  bounce->on_received = param->cb.recv_am;
  host.cb.recv_am = received;
  host.user_data = bounce;
  const ucs_status_ptr_t request = REAL(ucp_am_recv_data_nbx)(worker, descriptor, bounce->bytes.data(), count, &host);
  if (UCS_PTR_IS_PTR(request)) return request;
  const auto ended = bounces().take(bounce);
  if (UCS_PTR_STATUS(request) == UCS_OK) ended->deliver();
  return request;
}

}  // extern "C"
