#include "collectives/state_file.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "collectives/registration.hpp"
#include "kernels/base/check.hpp"
#include "kernels/base/hash.hpp"

namespace tw {
namespace {

constexpr std::uint32_t kMagic = 0x54535754;  // "TWST"
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kLongestText = 1u << 30;

// Chains the hash of what passes, so that nothing is kept twice.
class HashedStream {
 public:
  std::uint64_t hash() const { return hash_; }

 protected:
  void add(std::span<const std::byte> bytes) {
    const std::uint64_t pair[2] = {hash_, hash64(bytes)};
    hash_ = hash64(std::as_bytes(std::span(pair)));
  }

 private:
  std::uint64_t hash_ = 0;
};

class Writer : public HashedStream {
 public:
  explicit Writer(const ByteSink& sink) : sink_(sink) {}
  void bytes(std::span<const std::byte> data) {
    add(data);
    sink_(data);
  }
  template <class T>
  void value(const T& v) {
    bytes(std::as_bytes(std::span(&v, 1)));
  }
  void text(std::string_view t) {
    value(std::uint64_t{t.size()});
    bytes(std::as_bytes(std::span(t)));
  }

 private:
  const ByteSink& sink_;
};

class Reader : public HashedStream {
 public:
  explicit Reader(const ByteSource& source) : source_(source) {}
  void bytes(std::span<std::byte> data) {
    source_(data);
    add(data);
  }
  template <class T>
  T value() {
    T v;
    bytes(std::as_writable_bytes(std::span(&v, 1)));
    return v;
  }
  std::string text() {
    const auto count = value<std::uint64_t>();
    TW_CHECK(count <= kLongestText, UsageError, "the saved state is torn: a text of ", count, " bytes");
    std::string t(count, '\0');
    bytes(std::as_writable_bytes(std::span(t)));
    return t;
  }

 private:
  const ByteSource& source_;
};

std::vector<State::Entry> entries_of(State& state) {
  std::vector<State::Entry> entries;
  state.for_each([&](const State::Entry& entry) { entries.push_back(entry); });
  return entries;
}

struct SlotHeader {
  std::uint32_t param, hop;
  std::uint64_t name_hash, first, count;
};

SlotHeader header_of(const State::Entry& entry) {
  return {entry.param, static_cast<std::uint32_t>(entry.hop), hash64(entry.name), entry.first, entry.live.size()};
}

}  // namespace

void write_state(State& state, const std::string& configuration, const ByteSink& sink) {
  Writer out(sink);
  out.value(kMagic);
  out.value(kVersion);
  out.text(configuration);
  const auto entries = entries_of(state);
  out.value(std::uint64_t{entries.size()});
  std::vector<float> values;
  for (const State::Entry& entry : entries) {
    out.value(header_of(entry));
    values.resize(entry.live.size());
    copy<float>(state.exec(), entry.live, values);
    synchronize(state.exec());
    out.bytes(std::as_bytes(std::span(values)));
  }
  const std::uint64_t hash = out.hash();
  out.value(hash);
}

void read_state(State& state, const std::string& configuration, const ByteSource& source) {
  Reader in(source);
  TW_CHECK(in.value<std::uint32_t>() == kMagic, UsageError, "this is no saved state of a communicator");
  const auto version = in.value<std::uint32_t>();
  TW_CHECK(version == kVersion, UsageError, "the saved state has version ", version, ", known is ", kVersion);
  const std::string difference = first_difference(in.text(), configuration);
  TW_CHECK(difference.empty(), UsageError, "the state was saved under another configuration: saved ", difference,
           " now");
  auto entries = entries_of(state);
  const auto count = in.value<std::uint64_t>();
  TW_CHECK(count == entries.size(), UsageError, "the saved state has ", count, " slots, expected ", entries.size());
  std::vector<std::vector<float>> values;
  for (const State::Entry& entry : entries) {
    const auto saved = in.value<SlotHeader>();
    const SlotHeader expected = header_of(entry);
    TW_CHECK(std::memcmp(&saved, &expected, sizeof saved) == 0, UsageError, "the saved state is torn: slot ",
             values.size(), " does not fit parameter ", entry.param);
    in.bytes(std::as_writable_bytes(std::span(values.emplace_back(entry.live.size()))));
  }
  const std::uint64_t hash = in.hash();
  TW_CHECK(in.value<std::uint64_t>() == hash, UsageError, "the saved state is torn: its checksum does not fit");
  for (std::size_t i = 0; i < entries.size(); ++i) copy<float>(state.exec(), values[i], entries[i].live);
  synchronize(state.exec());
}

}  // namespace tw
