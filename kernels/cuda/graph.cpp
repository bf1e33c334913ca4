#include "kernels/cuda/graph.hpp"

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"

namespace tw::cuda {
namespace {

cudaStream_t stream_of(const Exec& exec) { return static_cast<cudaStream_t>(exec.stream); }

void destroy_recording(cudaGraph_t recording) { cudaGraphDestroy(recording); }
using Recording = UniqueHandle<cudaGraph_t, destroy_recording>;

Recording record(const Exec& exec, const std::function<void()>& work) {
  Recording recording;
  TW_CUDA(cudaStreamBeginCapture(stream_of(exec), cudaStreamCaptureModeThreadLocal));
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream_of(exec), recording.out());  // or the stream would record for ever
    cudaGetLastError();
    throw;
  }
  TW_CUDA(cudaStreamEndCapture(stream_of(exec), recording.out()));
  return recording;
}

}  // namespace

void destroy_graph(void* graph) { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)); }

Graph::Graph(const Exec& exec, const std::function<void()>& work) {
  const CurrentDevice current(exec.device);
  const Recording recording = record(exec, work);
  cudaGraphExec_t graph = nullptr;
  TW_CUDA(cudaGraphInstantiate(&graph, recording.get(), 0));
  handle_.reset(graph);
}

void Graph::launch(const Exec& exec) const {
  const CurrentDevice current(exec.device);
  TW_CUDA(cudaGraphLaunch(static_cast<cudaGraphExec_t>(handle_.get()), stream_of(exec)));
}

}  // namespace tw::cuda
