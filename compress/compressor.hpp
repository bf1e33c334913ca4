// A codec with its memory, made from a spec such as "int8:block=256+ef", and the rules that give parameters theirs.
// This is what collectives hold: it turns gradients into bodies and bodies into values.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compress/codec.hpp"
#include "compress/memory.hpp"

namespace tw {

/// Immutable; shared by all runs of the parameters it serves.
class Compressor {
 public:
  /// Throws UsageError for unknown names, keys and values (answered with the known ones) and for a memory on a codec
  /// that is not a contraction.
  explicit Compressor(std::string_view spec);

  const Codec& codec() const { return *codec_; }
  const Memory* memory() const { return memory_.get(); }
  /// Every parameter written out; equal text means equal bytes.
  const std::string& canonical_spec() const { return canonical_; }
  /// Hash of the canonical codec term (without the memory, which never shows on the wire).
  std::uint64_t codec_hash() const { return codec_hash_; }

  /// Declares the memory's slots for a range of `param`, if there is a memory.
  void declare_slots(State& state, const Param& param, Hop hop, std::uint64_t first, std::uint64_t count) const;

  /// prepare, encode, absorb for every job, in one pass where memory and codec allow. Needs `context.exec.arena`.
  void encode(const Context& context, std::span<const EncodeJob> jobs, std::span<std::uint32_t> body_bytes) const;

  /// Decodes validated bodies with the *sender's* key in `context`.
  void decode(const Context& context, std::span<const DecodeJob> jobs, Combine combine, float scale) const;

  /// After the owner's body was decoded into `mean`.
  void deliver(const Context& context, const Output& mean) const;

 private:
  bool encode_fused(const Context& context, std::span<const EncodeJob> jobs, std::span<std::uint32_t> body_bytes) const;
  void encode_in_steps(const Context& context, const EncodeJob& job, std::uint32_t& body_bytes) const;

  std::unique_ptr<Codec> codec_;
  std::unique_ptr<Memory> memory_;
  std::string canonical_;
  std::uint64_t codec_hash_ = 0;
};

/// `--codec SPEC` and any number of `--codec-for PATTERN SPEC`; a later rule wins over an earlier one. A pattern is a
/// shell glob over the parameter's name, or `count<N` / `count>=N`.
class CompressorTable {
 public:
  CompressorTable(std::string_view default_spec, std::span<const std::pair<std::string, std::string>> rules);

  /// The compressor of `param`; lives as long as the table.
  const Compressor& for_param(const Param& param) const;

  /// One line a rule, canonical: what ranks compare at start.
  std::string description() const;

 private:
  struct Rule {
    std::string pattern;
    std::unique_ptr<Compressor> compressor;
  };
  std::vector<Rule> rules_;  // the default first, as pattern "*"
};

}  // namespace tw
