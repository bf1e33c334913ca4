#include <cctype>
#include <cstring>
#include "tests/ptxrun/src/ptx_text.hpp"

namespace ptxrun {
namespace {

bool word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.';
}

std::size_t skip_comment(std::string_view s, std::size_t i, std::uint32_t& line) {
  if (s[i + 1] == '/') return std::min(s.find('\n', i), s.size());
  std::size_t end = s.find("*/", i + 2);
  end = end == s.npos ? s.size() : end + 2;
  for (; i < end; ++i) line += s[i] == '\n';
  return end;
}

std::size_t word_end(std::string_view s, std::size_t i) {
  bool directive = s[i] == '.';
  for (std::size_t first = i; i < s.size();) {
    if (directive && i > first && s[i] == '.') break;  // .reg.b16 is two words
    if (word_char(s[i]))
      ++i;
    else if (s[i] == ':' && i + 1 < s.size() && s[i + 1] == ':')
      i += 2;  // shared::cta, L2::128B
    else
      break;
  }
  return i;
}

}  // namespace

std::vector<Token> tokenize(std::string_view s) {
  std::vector<Token> out;
  out.reserve(s.size() / 5);
  std::uint32_t line = 1;
  for (std::size_t i = 0; i < s.size() && s[i] != '\0';) {
    char c = s[i];
    if (c == '\n') {
      ++line;
      ++i;
      continue;
    }
    if (std::isspace(static_cast<unsigned char>(c))) {
      ++i;
      continue;
    }
    if (c == '/' && i + 1 < s.size() && (s[i + 1] == '/' || s[i + 1] == '*')) {
      i = skip_comment(s, i, line);
      continue;
    }
    std::size_t end = i + 1;
    if (c == '"')
      end = std::min(s.find('"', i + 1), s.size() - 1) + 1;
    else if (word_char(c))
      end = word_end(s, i);
    out.push_back({s.substr(i, end - i), line});
    i = end;
  }
  return out;
}

std::uint64_t parse_number(std::string_view d, bool minus, unsigned bytes) {
  std::uint64_t v = 0;
  if (d.size() > 2 && d[0] == '0' && (d[1] == 'f' || d[1] == 'F' || d[1] == 'd' || d[1] == 'D')) {
    v = std::stoull(std::string(d.substr(2)), nullptr, 16);
    bool single = d[1] == 'f' || d[1] == 'F';
    if (minus) v ^= single ? 1ull << 31 : 1ull << 63;
    if (single && bytes == 8) {  // a float given to a double
      float f;
      std::uint32_t bits = std::uint32_t(v);
      std::memcpy(&f, &bits, 4);
      double e = f;
      std::memcpy(&v, &e, 8);
    }
    return v;
  }
  if (d.find('.') != d.npos) {
    double e = std::stod(std::string(d));
    if (minus) e = -e;
    if (bytes == 8) {
      std::memcpy(&v, &e, 8);
      return v;
    }
    float f = float(e);
    std::uint32_t bits;
    std::memcpy(&bits, &f, 4);
    return bits;
  }
  while (!d.empty() && (d.back() == 'U' || d.back() == 'u')) d.remove_suffix(1);
  bool binary = d.size() > 2 && d[0] == '0' && (d[1] == 'b' || d[1] == 'B');
  v = binary ? std::stoull(std::string(d.substr(2)), nullptr, 2) : std::stoull(std::string(d), nullptr, 0);
  return minus ? 0 - v : v;
}

Type parse_type(std::string_view n) {
  static const std::unordered_map<std::string_view, Type> types = {
      {"pred", Type::pred},     {"b8", Type::b8},         {"b16", Type::b16},  {"b32", Type::b32},
      {"b64", Type::b64},       {"b128", Type::b128},     {"u8", Type::u8},    {"u16", Type::u16},
      {"u32", Type::u32},       {"u64", Type::u64},       {"s8", Type::s8},    {"s16", Type::s16},
      {"s32", Type::s32},       {"s64", Type::s64},       {"f16", Type::f16},  {"bf16", Type::bf16},
      {"f16x2", Type::f16x2},   {"bf16x2", Type::bf16x2}, {"f32", Type::f32},  {"f64", Type::f64},
      {"e4m3x2", Type::e4m3x2}, {"e5m2x2", Type::e5m2x2}, {"tf32", Type::tf32}};
  auto it = types.find(n);
  return it == types.end() ? Type::none : it->second;
}

}  // namespace ptxrun
