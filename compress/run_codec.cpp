#include "compress/run_codec.hpp"

#include "kernels/base/check.hpp"
#include "kernels/cuda/batch.hpp"

namespace tw {

void RunCodec::encode(const Context& context, std::span<const EncodeJob> jobs,
                      std::span<std::uint32_t> body_bytes) const {
  cuda::BatchScope batch(context.exec);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    batch.begin_job();
    encode_run(context, jobs[i]);
    body_bytes[i] = static_cast<std::uint32_t>(jobs[i].body.size());
  }
  batch.close();
}

void RunCodec::validate(const Context&, std::span<const std::byte> body, const Extent& extent) const {
  TW_CHECK(body.size() == max_bytes(extent), WireError, name(), ": body of '", extent.param->name, "' has ",
           body.size(), " bytes, expected ", max_bytes(extent));
  validate_run(body, extent);
}

void RunCodec::decode(const Context& context, std::span<const DecodeJob> jobs, Combine combine, float scale) const {
  cuda::BatchScope batch(context.exec);
  for (const DecodeJob& job : jobs) {
    batch.begin_job();
    decode_run(context, job, {combine, scale});
  }
  batch.close();
}

void FusedRunCodec::encode_with_residual(const Context& context, std::span<const Job> jobs,
                                         std::span<std::uint32_t> body_bytes) const {
  cuda::BatchScope batch(context.exec);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    batch.begin_job();
    encode_run_with_residual(context, jobs[i].encode, {jobs[i].residual_in, jobs[i].residual_out});
    body_bytes[i] = static_cast<std::uint32_t>(jobs[i].encode.body.size());
  }
  batch.close();
}

void check_block(std::string_view codec, std::uint64_t block) {
  TW_CHECK(block % 32 == 0, UsageError, "'", codec, "': block=", block,
           " is not allowed; block is a multiple of 32, e.g. ", block / 32 * 32);
}

}  // namespace tw
