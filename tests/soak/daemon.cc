// SPDX-License-Identifier: Apache-2.0
#include "soak/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "bench/socket_io.h"
#include "soak/board.h"

namespace soak {

namespace {

constexpr uint64_t kStartMilliseconds = 20'000;  // a build with sanitizers is slow
constexpr useconds_t kPollMicroseconds = 10'000;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Quoted(const std::string& text) { return "\"" + text + "\""; }

std::string Backend(const std::string& folder, size_t index, bool other) {
  const auto kind = static_cast<BackendKind>(index);
  std::string text = "[[backend]]\nname = " + Quoted(kBackendNames[index]) +
                     "\naddress = " + Quoted("unix://" + BackendSocket(folder, index, other)) +
                     "\nusers = [\"root\"]\n";
  text += kind == BackendKind::kShared ? "connections = \"per-user\"\n" : "";
  text += kind == BackendKind::kFailing
              ? "on_disconnect = \"fail-calls\"\nforward_identity = true\n"
              : "";
  return text + "\n";
}

}  // namespace

std::string BackendSocket(const std::string& folder, size_t backend, bool other) {
  return folder + "/" + kBackendNames[backend] + (other ? "-other.sock" : ".sock");
}

Daemon::Daemon(DaemonOptions options)
    : options_(std::move(options)),
      config_(options_.folder + "/config.toml"),
      log_(options_.folder + "/daemon.log") {}

Daemon::~Daemon() {
  if (pid_ < 0 || Ended()) return;
  Signal(SIGKILL);
  (void)WaitForExit(kStartMilliseconds);
}

std::string Daemon::Configuration(Good good) const {
  const bool second = good == Good::kSecond;
  const std::string users =
      Quoted(std::to_string(kFirstUid) + "-" + std::to_string(kFirstUid + options_.users - 1));
  std::ostringstream text;
  // The second configuration changes a limit that is never reached; the one that greedy connections
  // reach stays. Calls that backends never answer keep counting for their user, so the limit has
  // room for all of them.
  text << "[limits]\nconnections_per_user = "
       << 2 * options_.connections_per_user + (second ? 1 : 0)
       << "\nbackend_connections_per_user = 1000000\ncalls_per_user = 1000000"
       << "\ncalls_per_connection = " << options_.calls_per_connection
       << "\n\n[timeouts]\nwrite = \"10s\"\n\n[[listener]]\nname = \"soak\"\naddress = "
       << Quoted("unix://" + listen_socket()) << "\nmode = " << (second ? "\"0667\"" : "\"0666\"")
       << "\n\n";
  if (second) {
    text << "[[listener]]\nname = \"more\"\naddress = "
         << Quoted("unix://" + options_.folder + "/more.sock") << "\n\n";
  }
  for (size_t i = 0; i < kBackends; ++i)
    text << Backend(options_.folder, i, second && i == static_cast<size_t>(BackendKind::kFailing));
  text << "[[rule]]\nname = \"probe\"\nmethods = [\"/soak.Failing/Probe\"]\n";
  if (second) {
    text << "action = \"deny\"\n\n";
  } else {
    text << "users = [" << users << "]\naction = \"allow\"\nbackend = \"failing\"\n\n";
  }
  // The second configuration reverses the order, since the daemon identifies rules by position.
  for (size_t n = 0; n < kBackends; ++n) {
    const size_t i = second ? kBackends - 1 - n : n;
    text << "[[rule]]\nname = \"to " << kBackendNames[i] << "\"\nusers = [" << users
         << "]\nmethods = [\"/" << kServices[i]
         << "/*\"]\naction = \"allow\"\nbackend = " << Quoted(kBackendNames[i])
         << "\nstreams = true\n\n";
  }
  return text.str();
}

// rename(2) replaces the file in one step, since the daemon may read it at any time.
void Daemon::Replace(const std::string& text) const {
  const std::string next = config_ + ".next";
  std::ofstream(next) << text;
  if (::chmod(next.c_str(), 0600) != 0 || ::rename(next.c_str(), config_.c_str()) != 0)
    bench::FailErrno("cannot write " + config_);
}

void Daemon::Write(Good good) const { Replace(Configuration(good)); }

void Daemon::WriteBad(uint64_t which) const {
  const std::array<std::string, 4> bad = {
      "[[rule]]\nname = \"begun",
      "[[rule]]\nname = \"nowhere\"\nusers = [\"*\"]\nmethods = "
      "[\"/*/*\"]\naction = \"allow\"\nbackend = \"none\"\n",
      "[unknown]\nkey = 1\n", ""};
  // The last of the bad files names a user that does not exist.
  const std::string& more = bad[which % bad.size()];
  Replace(more.empty() ? Configuration(Good::kFirst) +
                             "[[rule]]\nname = \"nobody\"\nusers = [\"nobody-has-this-name\"]\n"
                             "methods = [\"/*/*\"]\naction = \"deny\"\n"
                       : Configuration(Good::kSecond) + more);
}

std::string Daemon::Start() {
  pid_ = ::fork();
  if (pid_ < 0) bench::FailErrno("fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::execl(options_.program.c_str(), options_.program.c_str(), "--config", config_.c_str(),
            static_cast<char*>(nullptr));
    ::_exit(127);
  }
  const uint64_t deadline = NowMilliseconds() + kStartMilliseconds;
  while (CountInLog("ready: ") == 0) {
    if (Ended()) return "the daemon ended with status " + std::to_string(*status_) + "\n" + Log();
    if (NowMilliseconds() > deadline) return "the daemon is not ready\n" + Log();
    ::usleep(kPollMicroseconds);
  }
  return {};
}

void Daemon::Signal(int number) const {
  if (!status_) ::kill(pid_, number);
}

Sample Daemon::Look() const {
  Sample sample;
  if (status_) return sample;
  const std::string proc = "/proc/" + std::to_string(pid_);
  long pages = 0;
  std::ifstream(proc + "/statm") >> pages >> pages;
  sample.resident = static_cast<uint64_t>(pages) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(proc + "/fd", error)) {
    (void)entry;
    ++sample.descriptors;
  }
  std::string stat = ReadFile(proc + "/stat");
  stat.erase(0, stat.rfind(')') + 1);
  std::istringstream fields(stat);
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;  // the fields before utime
  double user = 0;
  double system = 0;
  fields >> user >> system;
  sample.cpu_seconds = (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return sample;
}

bool Daemon::Ended() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return status_.has_value();
}

std::optional<int> Daemon::WaitForExit(uint64_t milliseconds) {
  const uint64_t deadline = NowMilliseconds() + milliseconds;
  while (!Ended() && NowMilliseconds() < deadline) ::usleep(kPollMicroseconds);
  return status_;
}

std::string Daemon::Log() const { return ReadFile(log_); }

uint64_t Daemon::CountInLog(const std::string& words) const {
  std::istringstream lines(Log());
  uint64_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find(words) != std::string::npos) ++count;
  }
  return count;
}

}  // namespace soak
