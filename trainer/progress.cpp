#include "trainer/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace tw::trainer {
namespace {

constexpr std::uint64_t kBarWidth = 30;
constexpr std::chrono::milliseconds kRedraw(100);

std::string remaining(std::uint64_t steps, double step_seconds) {
  const auto seconds = static_cast<std::uint64_t>(static_cast<double>(steps) * step_seconds + 0.5);
  char text[32];
  std::snprintf(text, sizeof text, "%llu:%02llu left", static_cast<unsigned long long>(seconds / 60),
                static_cast<unsigned long long>(seconds % 60));
  return text;
}

}  // namespace

Progress::Progress(std::ostream& out, Style style, std::uint64_t total_steps)
    : out_(out), style_(style), total_(total_steps) {}

Progress::~Progress() {
  if (open_) out_ << '\n' << std::flush;
}

Progress::Style Progress::for_standard_error() { return isatty(STDERR_FILENO) != 0 ? Style::bar : Style::lines; }

std::string Progress::status(std::uint64_t done, double loss, double step_seconds) const {
  char text[128];
  std::snprintf(text, sizeof text, "step %llu/%llu  loss %.4f  %.1f ms/step  ", static_cast<unsigned long long>(done),
                static_cast<unsigned long long>(total_), loss, step_seconds * 1e3);
  return text + remaining(total_ - std::min(done, total_), step_seconds);
}

void Progress::step(std::uint64_t done, double loss, double step_seconds) {
  if (style_ == Style::none) return;
  if (style_ == Style::lines) {
    const std::uint64_t tenth = std::max<std::uint64_t>(1, total_ / 10);
    if (done % tenth == 0 || done == total_) out_ << status(done, loss, step_seconds) << std::endl;
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (now - drawn_ < kRedraw && done != total_) return;
  drawn_ = now;
  draw(done, status(done, loss, step_seconds));
}

void Progress::draw(std::uint64_t done, const std::string& status) {
  const std::uint64_t filled = total_ == 0 ? kBarWidth : std::min(kBarWidth, done * kBarWidth / total_);
  out_ << "\r\033[K[" << std::string(filled, '#') << std::string(kBarWidth - filled, '.') << "] " << status
       << std::flush;
  open_ = true;
}

void Progress::note(const std::string& text) {
  if (style_ == Style::none) return;
  if (open_) out_ << "\r\033[K";
  open_ = false;
  out_ << text << std::endl;
}

}  // namespace tw::trainer
