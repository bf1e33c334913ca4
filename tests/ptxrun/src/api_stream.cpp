// Streams and events: work is done when it is submitted, or later by another thread. Capture keeps it instead, and a
// graph does it again.
#include <chrono>
#include "tests/ptxrun/src/runtime.hpp"

struct CUstream_st {
  std::shared_ptr<ptxrun::Graph> capture;
  bool origin = false;
  int priority = 0, device = 0;
  unsigned flags = 0;
  std::shared_ptr<ptxrun::Lane> lane;  // of work that is done later
};
struct CUevent_st {
  std::shared_ptr<std::chrono::steady_clock::time_point> at = std::make_shared<std::chrono::steady_clock::time_point>();
  bool recorded = false;
  int device = 0;
  ptxrun::Place place;  // where it was recorded, where work is done later
  std::shared_ptr<ptxrun::Graph> capture;
};
struct CUgraph_st {
  std::shared_ptr<ptxrun::Graph> graph;
};
struct CUgraphExec_st {
  std::shared_ptr<ptxrun::Graph> graph;
};

namespace ptxrun {
namespace {
bool real(cudaStream_t s) { return s && s != cudaStreamLegacy && s != cudaStreamPerThread; }
Graph* captured(cudaStream_t s) { return real(s) && s->capture && s->capture->open ? s->capture.get() : nullptr; }
// The default stream of a thread minds others as the legacy one does, at most.
std::shared_ptr<Lane> lane_of(cudaStream_t s) { return real(s) ? s->lane : legacy_lane(); }
}  // namespace

int device_of(cudaStream_t s) { return real(s) ? s->device : current_device(); }

void drain(cudaStream_t s) {
  if (!late()) return;
  do_later(lane_of(s), nullptr);
  wait_for(end_of(lane_of(s)));
}
void call_later(cudaStream_t s, std::function<void()> function) {
  do_later(lane_of(s), std::move(function), {}, Whose::programs);
}

cudaError_t submit(cudaStream_t s, std::function<cudaError_t()> work) {
  if (Graph* g = captured(s)) {
    g->nodes.push_back(std::move(work));
    return cudaSuccess;
  }
  if (!late()) return work();
  do_later(lane_of(s), [work = std::move(work)] {
    Call call;
    const cudaError_t error = work();
    if (error != cudaSuccess && runtime().sticky == cudaSuccess) runtime().sticky = error;
  });
  return cudaSuccess;
}

bool is_captured(cudaStream_t s) { return captured(s) != nullptr; }
}  // namespace ptxrun

using namespace ptxrun;

extern "C" {

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* s, unsigned flags, int priority) {
  *s = new CUstream_st;
  (*s)->priority = priority;
  (*s)->device = current_device();
  (*s)->flags = flags;
  if (late()) (*s)->lane = make_lane(flags & cudaStreamNonBlocking ? Minds::none : Minds::legacy);
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned flags) {
  return cudaStreamCreateWithPriority(s, flags, 0);
}
cudaError_t cudaStreamCreate(cudaStream_t* s) { return cudaStreamCreateWithPriority(s, 0, 0); }
cudaError_t cudaStreamDestroy(cudaStream_t s) {
  if (real(s)) delete s;
  return cudaSuccess;
}
cudaError_t cudaStreamGetPriority(cudaStream_t s, int* p) {
  *p = real(s) ? s->priority : 0;
  return cudaSuccess;
}
cudaError_t cudaStreamGetFlags(cudaStream_t s, unsigned* f) {
  *f = real(s) ? s->flags : 0;
  return cudaSuccess;
}
cudaError_t cudaStreamGetDevice(cudaStream_t s, int* device) {
  *device = device_of(s);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t s) {
  if (!is_captured(s)) drain(s);
  Call call;
  return call(captured(s) ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
}
cudaError_t cudaStreamQuery(cudaStream_t s) {
  Call call;
  if (late() && !is_captured(s) && !is_reached(end_of(lane_of(s)))) return call(cudaErrorNotReady);
  return call(captured(s) ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned) {
  Call call;
  if (e->capture && e->capture->open && real(s))
    s->capture = e->capture;  // joins the capture
  else if (late() && !is_captured(s))
    do_later(lane_of(s), nullptr, e->place);
  return call();
}
cudaError_t cudaStreamAddCallback(cudaStream_t s, cudaStreamCallback_t f, void* data, unsigned) {
  if (late() && !is_captured(s)) {
    call_later(s, [=] { f(s, cudaSuccess, data); });
    return cudaSuccess;
  }
  Call call;
  return call(submit(s, [=] {
    f(s, cudaSuccess, data);
    return cudaSuccess;
  }));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) {
  *e = new CUevent_st;
  (*e)->device = current_device();
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* e) { return cudaEventCreateWithFlags(e, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t e) {
  delete e;
  return cudaSuccess;
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s, unsigned) {
  Call call;
  if (e->device != device_of(s))
    return call(complain(cudaErrorInvalidResourceHandle, "an event of one device is recorded on a stream of another"));
  e->capture = real(s) ? s->capture : nullptr;
  e->recorded = true;
  const cudaError_t error = submit(s, [at = e->at] {
    *at = std::chrono::steady_clock::now();
    return cudaSuccess;
  });
  if (late() && !is_captured(s)) e->place = end_of(lane_of(s));
  return call(error);
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) { return cudaEventRecordWithFlags(e, s, 0); }
cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  if (late()) wait_for(e->place);
  Call call;
  return call();
}
cudaError_t cudaEventQuery(cudaEvent_t e) {
  Call call;
  if (late() && !is_reached(e->place)) return runtime().last = cudaErrorNotReady;
  return call();
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t a, cudaEvent_t b) {
  Call call;
  if (!a->recorded || !b->recorded) return call(cudaErrorInvalidResourceHandle);
  *ms = std::chrono::duration<float, std::milli>(*b->at - *a->at).count();
  return call();
}

// ---- capture and graphs
cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) {
  Call call;
  if (!real(s)) return call(cudaErrorStreamCaptureUnsupported);
  if (captured(s)) return call(cudaErrorIllegalState);
  s->capture = std::make_shared<Graph>();
  s->origin = true;
  return call();
}
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* graph) {
  Call call;
  if (!captured(s) || !s->origin) return call(cudaErrorStreamCaptureUnmatched);
  s->capture->open = false;  // streams that joined leave with it
  *graph = new CUgraph_st{std::move(s->capture)};
  s->capture = nullptr;
  s->origin = false;
  return call();
}
cudaError_t cudaStreamIsCapturing(cudaStream_t s, cudaStreamCaptureStatus* status) {
  Call call;
  *status = captured(s) ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return call();
}
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  static thread_local cudaStreamCaptureMode now = cudaStreamCaptureModeGlobal;
  std::swap(now, *mode);
  return cudaSuccess;
}
cudaError_t cudaStreamGetId(cudaStream_t s, unsigned long long* id) {
  *id = reinterpret_cast<std::uint64_t>(s);
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new CUgraphExec_st{graph->graph};
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long flags) {
  return cudaGraphInstantiate(exec, graph, flags);
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s) {
  Call call;
  std::shared_ptr<Graph> g = exec->graph;
  return call(submit(s, [g] {
    for (auto& node : g->nodes)
      if (cudaError_t e = node()) return e;
    return cudaSuccess;
  }));
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGraphDestroy(cudaGraph_t g) {
  delete g;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t g) {
  delete g;
  return cudaSuccess;
}
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph, cudaGraphExecUpdateResultInfo* info) {
  exec->graph = graph->graph;
  if (info) *info = {};
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t g, cudaGraphNode_t* nodes, std::size_t* count) {
  if (nodes) return complain(cudaErrorNotSupported, "nodes of a graph");
  *count = g->graph->nodes.size();
  return cudaSuccess;
}

}  // extern "C"
