#include "tests/ptxrun/src/builtins.hpp"
#include <cstdio>

namespace ptxrun {
namespace {

std::uint8_t* frame(Warp& w, int lane, std::uint64_t offset) {
  return w.local + std::size_t(lane) * w.launch->local_stride + offset;
}
template <class T>
T argument(Warp& w, int lane, const CallSite& site, std::size_t i) {
  T v;
  std::memcpy(&v, frame(w, lane, site.args.at(i)), sizeof v);
  return v;
}
std::uint8_t* generic(Warp& w, int lane, std::uint64_t address, std::uint64_t bytes) {
  if ((address & kWindowMask) == kLocalWindow) {
    std::uint64_t off = address & ~kWindowMask;
    return off + bytes <= w.launch->program->local_bytes ? frame(w, lane, off) : nullptr;
  }
  return memory().host_view(address, bytes);
}
std::string text_at(Warp& w, int lane, std::uint64_t address) {
  std::string s;
  for (std::uint8_t* p; (p = generic(w, lane, address, 1)) && *p; ++address) s += char(*p);
  return s;
}

// One conversion at a time through the host's printf; arguments lie in order, aligned to their size.
void print(Warp& w, int lane, const std::string& format, std::uint64_t args) {
  std::uint64_t at = 0;
  auto take = [&](unsigned bytes) {
    at = (at + bytes - 1) / bytes * bytes;
    std::uint64_t v = 0;
    if (std::uint8_t* p = generic(w, lane, args + at, bytes)) std::memcpy(&v, p, bytes);
    at += bytes;
    return v;
  };
  char out[256];
  for (std::size_t i = 0; i < format.size();) {
    if (format[i] != '%') {
      std::fputc(format[i++], stdout);
      continue;
    }
    std::size_t end = format.find_first_of("diouxXcsfFeEgGaAp%", i + 1);
    if (end == format.npos) break;
    std::string spec = format.substr(i, end - i + 1);
    bool wide = spec.find('l') != spec.npos;
    char kind = spec.back();
    i = end + 1;
    if (kind == '%') {
      std::fputc('%', stdout);
      continue;
    }
    if (kind == 's') {
      std::printf(spec.c_str(), text_at(w, lane, take(8)).c_str());
      continue;
    }
    if (std::strchr("fFeEgGaA", kind))
      std::snprintf(out, sizeof out, spec.c_str(), std::bit_cast<double>(take(8)));
    else if (wide || kind == 'p')
      std::snprintf(out, sizeof out, spec.c_str(), take(8));
    else
      std::snprintf(out, sizeof out, spec.c_str(), unsigned(take(4)));
    std::fputs(out, stdout);
  }
}

}  // namespace

bool is_builtin(const std::string& name) { return name == "vprintf" || name == "__assertfail"; }

void run_builtin(Warp& w, const Inst& in, int lane, const CallSite& site) {
  if (site.builtin == "vprintf") {
    print(w, lane, text_at(w, lane, argument<std::uint64_t>(w, lane, site, 0)),
          argument<std::uint64_t>(w, lane, site, 1));
    return;
  }
  throw LaunchFailure(710, "assertion '" + text_at(w, lane, argument<std::uint64_t>(w, lane, site, 0)) + "' at " +
                               text_at(w, lane, argument<std::uint64_t>(w, lane, site, 1)) + ":" +
                               std::to_string(argument<std::uint32_t>(w, lane, site, 2)) + " failed in kernel " +
                               w.launch->program->display + ", block " + block_name(*w.block) + ", thread " +
                               thread_name(w, lane) + ", " + w.launch->program->where(in));
}

}  // namespace ptxrun
