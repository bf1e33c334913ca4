#include <cstdio>
#include <cstdlib>
#include "tests/ptxrun/src/exec.hpp"

namespace ptxrun {

Options& options() {
  static Options& o = *new Options;
  return o;
}

std::string thread_name(const Warp& w, int lane) {
  const Dim& d = w.launch->block;
  std::uint32_t t = w.index * kLanes + std::uint32_t(lane);
  char s[64];
  std::snprintf(s, sizeof s, "(%u,%u,%u)", t % d.x, t / d.x % d.y, t / d.x / d.y);
  return s;
}

std::string block_name(const Block& b) {
  char s[64];
  std::snprintf(s, sizeof s, "(%u,%u,%u)", b.id.x, b.id.y, b.id.z);
  return s;
}

std::string Program::where(const Inst& in) const {
  std::string s = "PTX line " + std::to_string(in.line);
  if (!in.source) return s;
  auto f = module->files.find(in.source >> 20);
  return s + " (" + (f == module->files.end() ? "?" : f->second) + ":" + std::to_string(in.source & 0xfffff) + ")";
}

void finding(Warp& w, const Inst& in, int lane, const char* kind, const std::string& detail) {
  const Options& o = options();
  if (o.check == Check::off) return;
  Launch& l = *w.launch;
  ++l.counters->findings;
  std::string s = std::string(kind) + " in kernel " + l.program->display + ", block " + block_name(*w.block) +
                  ", thread " + thread_name(w, lane) + ", " + l.program->where(in) + ": " + detail;
  if (o.check == Check::fail) throw LaunchFailure(in.fn && std::string(kind).find("misaligned") == 0 ? 716 : 700, s);
  static std::set<std::pair<std::string, std::string>>& seen = *new std::set<std::pair<std::string, std::string>>;
  if (seen.insert({l.program->name + kind, std::to_string(in.line)}).second)
    std::fprintf(stderr, "ptxrun: %s\n", s.c_str());
}

}  // namespace ptxrun
