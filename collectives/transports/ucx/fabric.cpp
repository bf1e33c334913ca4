#include "collectives/transports/ucx/fabric.hpp"

#include <poll.h>
#include <ucs/debug/log_def.h>

#include <algorithm>
#include <cstdarg>
#include <mutex>
#include <sstream>

#include <tightwire/deadline.hpp>

#include "collectives/transports/ucx/settings.hpp"
#include "collectives/transports/ucx/status.hpp"

namespace tw::ucx {
namespace {

constexpr double kCutSeconds = 0.5;  // only UCX itself has to act

thread_local bool quiet = false;

// UCX's log lines that this thread brings about are dropped: at teardown they tell of what is known already.
struct Quiet {
  Quiet() { quiet = true; }
  ~Quiet() { quiet = false; }
};

ucs_log_func_rc_t filter_log(const char*, unsigned, const char*, ucs_log_level_t, const ucs_log_component_config_t*,
                             const char*, va_list) {
  return quiet ? UCS_LOG_FUNC_RC_STOP : UCS_LOG_FUNC_RC_CONTINUE;
}

ucp_worker_h new_worker(ucp_context_h context) {
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  params.thread_mode = UCS_THREAD_MODE_SERIALIZED;  // made by one thread, used by the communicator's
  ucp_worker_h worker = nullptr;
  TW_UCX(ucp_worker_create(context, &params, &worker));
  return worker;
}

// Not counting what takes messages to and from devices of this host.
bool has_tcp_alone(ucp_context_h context) {
  auto devices = devices_by_transport(context);
  devices.erase("cuda_copy");
  devices.erase("gdr_copy");
  return devices.size() == 1 && devices.contains("tcp");
}

}  // namespace

ContextHandle make_context(Path path, const std::string& interface, Memory memory) {
  static std::once_flag once;
  std::call_once(once, [] { ucs_log_push_handler(filter_log); });
  const Settings config = settings_for(path, interface, memory);
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_MT_WORKERS_SHARED;
  params.features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP;
  params.mt_workers_shared = 0;
  ContextHandle context;
  const ucs_status_t status = ucp_init(&params, config.get(), context.out());
  TW_CHECK(status == UCS_OK, SystemError, "UCX cannot start ",
           path == Path::host ? "in shared memory" : "on the network",
           interface.empty() ? "" : " interface " + interface, ": ", ucs_status_string(status),
           "; 'ucx_info -d' lists what it can use here");
  return context;
}

bool reports_cuda(ucp_context_h context) {
  ucp_context_attr_t attributes{};
  attributes.field_mask = UCP_ATTR_FIELD_MEMORY_TYPES;
  TW_UCX(ucp_context_query(context, &attributes));
  return (attributes.memory_types & UCS_BIT(UCS_MEMORY_TYPE_CUDA)) != 0;
}

Fabric::Fabric(Path path, const std::string& interface, Memory memory)
    : path_(path),
      context_(make_context(path, interface, memory)),
      worker_(new_worker(context_.get())),
      takes_cuda_(memory == Memory::cuda && reports_cuda(context_.get())),
      prefers_eager_(path == Path::network && has_tcp_alone(context_.get()) && users_setting("RNDV_THRESH") == "auto") {
}

Fabric::~Fabric() {
  // What a failure left behind cannot be completed where links cannot be cut; UCX would list all of it.
  const Quiet scope;
  worker_.reset();
}

void Fabric::abandon() {
  silence();
  worker_.release();
  context_.release();
}

int Fabric::event_fd() const {
  int fd = -1;
  TW_UCX(ucp_worker_get_efd(worker_.get(), &fd));
  return fd;
}

std::vector<std::byte> Fabric::address() const {
  ucp_address_t* address = nullptr;
  std::size_t bytes = 0;
  TW_UCX(ucp_worker_get_address(worker_.get(), &address, &bytes));
  const auto* first = reinterpret_cast<const std::byte*>(address);
  std::vector<std::byte> copy(first, first + bytes);
  ucp_worker_release_address(worker_.get(), address);
  return copy;
}

void Fabric::handle(MessageId id, ucp_am_recv_callback_t callback, void* argument) {
  ucp_am_handler_param_t params{};
  params.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_FLAGS | UCP_AM_HANDLER_PARAM_FIELD_CB |
                      UCP_AM_HANDLER_PARAM_FIELD_ARG;
  params.id = static_cast<unsigned>(id);
  params.flags = UCP_AM_FLAG_WHOLE_MSG;
  params.cb = callback;
  params.arg = argument;
  TW_UCX(ucp_worker_set_am_recv_handler(worker_.get(), &params));
}

ucp_ep_h Fabric::connect(std::span<const std::byte> address, ucp_err_handler_t on_error) {
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                      UCP_EP_PARAM_FIELD_ERR_HANDLER | UCP_EP_PARAM_FIELD_FLAGS;
  params.address = reinterpret_cast<const ucp_address_t*>(address.data());
  params.err_mode = path_ == Path::host ? UCP_ERR_HANDLING_MODE_NONE : UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler = on_error;
  ucp_ep_h endpoint = nullptr;
  TW_UCX(ucp_ep_create(worker_.get(), &params, &endpoint));
  return endpoint;
}

void Fabric::cut(ucp_ep_h endpoint) {
  ucp_request_param_t params{};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  params.flags = UCP_EP_CLOSE_FLAG_FORCE;
  finish(ucp_ep_close_nbx(endpoint, &params), kCutSeconds);
  while (progress() != 0) {  // it may have put off some of it
  }
}

void Fabric::flush(double seconds) {
  const ucp_request_param_t params{};
  if (!silenced_) finish(ucp_worker_flush_nbx(worker_.get(), &params), seconds);
}

// Makes progress until the request is complete, or so many seconds are over.
void Fabric::finish(ucs_status_ptr_t request, double seconds) {
  if (!UCS_PTR_IS_PTR(request)) return;
  const Quiet scope;
  const Deadline until = Deadline::in(seconds);
  while (ucp_request_check_status(request) == UCS_INPROGRESS && !silenced_ && !until.passed()) {
    if (progress() != 0 || !arm()) continue;
    pollfd fd{event_fd(), POLLIN, 0};
    poll(&fd, 1, static_cast<int>(until.left() * 1000) + 1);
  }
  ucp_request_free(request);
}

std::map<std::string, std::string> devices_by_transport(ucp_context_h context) {
  // UCX tells it to people only: "#   resource 3  :  md 1  dev 2  flags -- tcp/eth0".
  std::map<std::string, std::string> found;
  std::istringstream lines(printed_by([&](std::FILE* stream) { ucp_context_print_info(context, stream); }));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.rfind(' ') + 1, slash = line.find('/', begin);
    if (line.find("resource") == std::string::npos || slash == std::string::npos) continue;
    std::string& devices = found[line.substr(begin, slash - begin)];
    devices += (devices.empty() ? "" : ", ") + line.substr(slash + 1);
  }
  return found;
}

std::string ucx_version() {
  unsigned major = 0, minor = 0, release = 0;
  ucp_get_version(&major, &minor, &release);
  return detail::concat(major, ".", minor, ".", release);
}

}  // namespace tw::ucx
