// How a rank stops: in good order, because something failed, or because it was told to.
#include "collectives/transports/nccl/transport.hpp"
#include "kernels/base/check.hpp"

namespace tw::nccl {
namespace {

constexpr double kCulpritSeconds = 1;
constexpr double kFinalizeSeconds = 5;
constexpr double kGoodbyeSeconds = 1;

}  // namespace

NcclTransport::~NcclTransport() {
  try {
    leave();
  } catch (...) {  // somebody is gone: nothing is left to be done in good order
  }
  flights_.lose();
  comm_.abort();
}

// In a catch block. To abort a communicator may take NCCL long: what only this rank knows, the others hear before.
void NcclTransport::fail() {
  failure_ = Failure::current();
  flights_.lose();
  if (comm_.failed_remotely()) name_culprit();
  try {
    failure_->raise();
  } catch (const NcclError& error) {
    tell(rank(), error.what());
  } catch (const CudaError& error) {
    tell(rank(), error.what());
  } catch (const PeerError& error) {
    tell(error.rank(), error.what());
  } catch (const std::exception&) {  // of the control transport, which tells others by itself
  }
  comm_.abort();
}

void NcclTransport::tell(std::uint32_t culprit, std::string_view reason) noexcept {
  if (!told_) control_->abort(culprit, reason);
  told_ = true;
}

// NCCL does not say which rank it lost; the control transport will know soon.
void NcclTransport::name_culprit() {
  try {
    watch_.expect(others_);
    for (const Deadline patience = Deadline::in(kCulpritSeconds); !patience.passed();) control_->progress(patience);
  } catch (const PeerError&) {
    failure_ = Failure::current();
  } catch (...) {  // what NCCL said is all there is
  }
}

void NcclTransport::abort(std::uint32_t culprit, std::string_view reason) noexcept {
  flights_.lose();
  tell(culprit, reason);
  comm_.abort();
  if (failure_) return;
  try {
    failure_ = Failure(PeerError(culprit, detail::concat("rank ", rank(), " gave up: ", reason)));
  } catch (...) {  // out of memory: the control throws
  }
}

void NcclTransport::leave() {
  if (failure_ || comm_.get() == nullptr) return;
  flights_.look();
  if (flights_.any()) return tell(rank(), "it closed its transport with groups in device memory under way");
  comm_.finalize();
  const Deadline deadline = Deadline::in(kFinalizeSeconds);
  for (std::uint32_t polls = 0; !comm_.settled() && !deadline.passed(); ++polls) pause(polls, deadline);
  if (comm_.settled())
    comm_.destroy();
  else
    comm_.abort();  // on one host NCCL wants all ranks to leave together
  watch_.leave(Deadline::in(kGoodbyeSeconds));
}

}  // namespace tw::nccl
