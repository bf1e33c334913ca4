#include "tools/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "kernels/base/check.hpp"

namespace tw {
namespace {

struct Pipe {
  Fd read, write;
};

Pipe make_pipe() {
  int ends[2];
  TW_CHECK(pipe2(ends, O_CLOEXEC) == 0, SystemError, "cannot make a pipe: ", std::strerror(errno));
  return {Fd(ends[0]), Fd(ends[1])};
}

/// Null-terminated pointers into `words`, as exec wants them.
std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> environment_for(const ProcessOptions& options) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    const bool dropped = std::find(options.without.begin(), options.without.end(), name) != options.without.end();
    if (!dropped && !options.environment.contains(name)) entries.push_back(text);
  }
  for (const auto& [name, value] : options.environment) entries.push_back(name + "=" + value);
  return entries;
}

/// Everything between fork and exec; async-signal-safe calls only.
struct ChildSetup {
  int out, err, null;
  pid_t parent;
  char** arguments;
  char** environment;

  [[noreturn]] void become(int failure) const {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);  // it died before the line above
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGCHLD}) std::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execvpe(arguments[0], arguments, environment);
    const int error = errno;
    [[maybe_unused]] const auto written = write(failure, &error, sizeof error);
    _exit(127);
  }
};

/// What the system said when exec failed; 0 when it went well, which closes the pipe.
int exec_error(int pipe) {
  int error = 0;
  ssize_t got;
  do got = read(pipe, &error, sizeof error);
  while (got < 0 && errno == EINTR);
  return got == sizeof error ? error : 0;
}

}  // namespace

Fd::~Fd() { close(); }
void Fd::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

ChildProcess::ChildProcess(const ProcessOptions& options) {
  TW_CHECK(!options.command.empty(), UsageError, "no command to run");
  auto words = options.command;
  auto variables = environment_for(options);
  const auto arguments = pointers_to(words);
  const auto environment = pointers_to(variables);
  Pipe out = make_pipe(), err = make_pipe(), failure = make_pipe();
  const Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const ChildSetup setup{out.write.get(),
                         err.write.get(),
                         null.get(),
                         getpid(),
                         const_cast<char**>(arguments.data()),
                         const_cast<char**>(environment.data())};
  const pid_t pid = fork();
  TW_CHECK(pid >= 0, SystemError, "cannot start '", words[0], "': ", std::strerror(errno));
  if (pid == 0) setup.become(failure.write.get());
  setpgid(pid, pid);  // whoever comes first: signals to the group must find it
  pid_.value = pid;
  failure.write.close();
  if (const int error = exec_error(failure.read.get()); error != 0) {
    waitpid(pid, nullptr, 0);
    pid_.value = 0;
    TW_FAIL(SystemError, "cannot run '", words[0], "': ", std::strerror(error));
  }
  out_ = std::move(out.read);
  err_ = std::move(err.read);
  fcntl(out_.get(), F_SETFL, O_NONBLOCK);
  fcntl(err_.get(), F_SETFL, O_NONBLOCK);
}

ChildProcess::~ChildProcess() {
  if (pid_.value == 0) return;
  kill(-pid_.value, SIGKILL);
  if (!ended()) waitpid(pid_.value, nullptr, 0);
}

void ChildProcess::signal(int number) const {
  if (pid_.value != 0) kill(-pid_.value, number);
}

std::optional<int> ChildProcess::poll() {
  if (!ended()) look(WNOHANG);
  return status_;
}

int ChildProcess::wait() {
  if (!ended()) look(0);
  return *status_;
}

void ChildProcess::look(int flags) {
  siginfo_t seen{};
  int result;
  do result = waitid(P_PID, static_cast<id_t>(pid_.value), &seen, WEXITED | WNOWAIT | flags);
  while (result != 0 && errno == EINTR);
  if (seen.si_pid == 0) return;
  signal(SIGKILL);  // before it is reaped: its number may then be somebody else's
  int status = 0;
  waitpid(std::exchange(pid_.value, 0), &status, 0);
  status_ = status;
}

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

std::string describe_end(int status) {
  if (!WIFSIGNALED(status)) return detail::concat("ended with exit code ", WEXITSTATUS(status));
  return detail::concat("was killed by signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")");
}

std::vector<std::string> own_command() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  TW_CHECK(!words.empty(), SystemError, "cannot read /proc/self/cmdline: ", std::strerror(errno));
  words[0] = std::filesystem::read_symlink("/proc/self/exe").string();
  return words;
}

Finished run_process(const ProcessOptions& options) {
  ChildProcess child(options);
  Finished finished{0, {}, {}};
  std::pair<Fd*, std::string*> streams[] = {{&child.out(), &finished.out}, {&child.err(), &finished.err}};
  while (child.out().get() >= 0 || child.err().get() >= 0) {
    pollfd waits[] = {{child.out().get(), POLLIN, 0}, {child.err().get(), POLLIN, 0}};
    ::poll(waits, 2, -1);
    for (auto& [fd, text] : streams) {
      std::array<char, 4096> buffer;
      ssize_t got;
      while (fd->get() >= 0 && (got = read(fd->get(), buffer.data(), buffer.size())) > 0)
        text->append(buffer.data(), static_cast<std::size_t>(got));
      if (fd->get() >= 0 && got == 0) fd->close();
    }
  }
  finished.code = exit_code_of(child.wait());
  return finished;
}

}  // namespace tw
