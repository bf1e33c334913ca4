// Encodes and decodes that are captured in CUDA graphs and launched in every step: two launches a step, however many
// runs there are.
//
//   CapturedWork encode = captured_encode({exec, key, info, &state}, compressor, jobs);
//   for (step ...) {
//     // gradients of this step are written where the jobs' inputs lie, on the stream
//     encode.run(step);                                  // the bodies are there, for what follows on the stream
//     good ? state.commit() : state.rollback();
//   }
//
// A graph repeats its kernels with the parameters they had. What changes from step to step therefore comes from
// elsewhere: the step number from a record in device memory, set in stream order before each launch
// (`Context::recorded_step`: random words, indices that nobody sends, headers of frames); the memories' buffers, of
// which live and next alternate, from there being a graph for either order.
//
// All of a bucket may be one work: several compressors, the headers of its frames (kernels/frame.hpp, with
// `header_of_fixed_size(id, layout, checksum, context.recorded_step)`). An exchange is none: the host drives it, and
// its keys and frames are those of the step that the communicator was told of.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "compress/compressor.hpp"
#include "compress/state.hpp"
#include "kernels/base/arena.hpp"
#include "kernels/cuda/graph.hpp"
#include "kernels/cuda/step_record.hpp"

namespace tw {

/// Work on a device that is the same in every step but for the step. Not thread safe.
class CapturedWork {
 public:
  /// Enqueues the work with the context it is given, and nothing by other means; neither allocates nor waits, nor
  /// depends on the step but through `Context::recorded_step` (`Context::step` is empty).
  using Work = std::function<void(const Context&)>;

  /// `context` says where (`exec`: a stream of its device that is not the default one, status, a batch if kernels are
  /// to be gathered; scratch memory is the work's own), with which key, and with whose memories. Its step is not looked
  /// at. All of this, and all that the work refers to, must stay where it is as long as the work is run. Throws
  /// UsageError where `exec` is no such place, CudaError in a build without CUDA.
  CapturedWork(const Context& context, Work work);

  /// Enqueues the work as of `step`. Slots of the state that it writes count as written: it is followed by commit or
  /// rollback, as ever. The first run enqueues kernel by kernel; the next one, and whenever slots lie as they never did
  /// together, capture a graph, which allocates. At most two graphs are kept: as many as there are where the same works
  /// write the same slots in every step that is committed.
  void run(std::uint64_t step);

  /// Bytes of scratch memory; constant in the steady state.
  std::size_t reserved_bytes() const { return arena_.reserved_bytes(); }

 private:
  struct Captured {
    cuda::Graph graph;
    State::Writes writes;
  };
  void enqueue();
  Captured capture();
  const Captured& fitting();

  Exec exec_;
  EncodeKey key_;
  State* state_;
  Work work_;
  cuda::StepRecord record_;
  Arena arena_;
  std::vector<Captured> captured_;
  bool ran_ = false;
};

/// Throws UsageError where the size of a body of `param` depends on the values: the host would have to read it back.
void require_fixed_size(const Codec& codec, std::string_view spec, const Param& param);

/// `compressor.encode` of these jobs in every step. Throws UsageError where the size of a body depends on the values.
CapturedWork captured_encode(const Context& context, const Compressor& compressor, std::span<const EncodeJob> jobs);

/// `compressor.decode` of these jobs in every step; `context.key` is the sender's. Throws UsageError where the size of
/// a body depends on the values.
CapturedWork captured_decode(const Context& context, const Compressor& compressor, std::span<const DecodeJob> jobs,
                             Blend how);

}  // namespace tw
