// SPDX-License-Identifier: Apache-2.0
#include "soak/conductor.h"

#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <random>
#include <vector>

#include "bench/socket_io.h"
#include "soak/backend.h"
#include "soak/client.h"

namespace soak {

namespace {

constexpr useconds_t kTickMicroseconds = 20'000;
// These are in milliseconds.
constexpr uint64_t kSamplePause = 500;
constexpr uint64_t kReloadPause = 1000;
constexpr uint64_t kLifeOfABackend = 10'000;  // at least; at most twice as long
constexpr uint64_t kLongestDown = 600;
constexpr uint64_t kClientsEnd = 90'000;
constexpr uint64_t kDescriptorsSettle = 20'000;
constexpr uint64_t kDaemonEnds = 30'000;
constexpr uint32_t kCallsPerConnection = 64;

struct Place {
  pid_t pid = -1;
  uint64_t next = 0;  // when it is killed or restarted next
  bool alive = false;
};

class Conductor {
 public:
  Conductor(const SoakOptions& options, const std::string& folder, Board& board)
      : options_(options),
        folder_(folder),
        board_(board),
        random_(options.seed),
        daemon_({.program = options.daemon,
                 .folder = folder,
                 .users = options.users,
                 .connections_per_user = PerUser(),
                 .calls_per_connection = kCallsPerConnection}),
        backends_(kBackends) {}

  Findings Run() {
    findings_.connections = uint64_t{PerUser()} * options_.users;
    findings_.check_memory = options_.check_memory;
    for (size_t i = 0; i < backends_.size(); ++i) StartBackend(i);
    for (size_t i = 0; i < backends_.size(); ++i) {
      while (board_.backends[i].down && !Gone(backends_[i].pid)) ::usleep(kTickMicroseconds);
    }
    daemon_.Write(Daemon::Good::kFirst);
    if (const std::string why = daemon_.Start(); !why.empty()) bench::Fail(why);
    findings_.at_start = daemon_.Look();
    for (uint32_t user = 0; user < options_.users; ++user) StartClient(user);
    Load();
    board_.stop = true;
    WaitForClients();
    EndDaemon();
    for (const Place& backend : backends_) {
      if (backend.alive) Kill(backend.pid);
    }
    return findings_;
  }

 private:
  uint32_t PerUser() const { return std::max(1U, options_.connections / options_.users); }
  // At least half of the time all connections are open.
  uint64_t Ramp() const { return std::min<uint64_t>(5000, options_.seconds * 1000 / 6); }

  static pid_t Fork(const std::function<void()>& run) {
    const pid_t pid = ::fork();
    if (pid < 0) bench::FailErrno("fork");
    if (pid > 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    run();
    // The child must not run or flush anything of its parent's.
    ::_exit(0);
  }

  static bool Gone(pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) == pid; }

  static void Kill(pid_t pid) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }

  void StartBackend(size_t index) {
    BackendOptions options = {
        .kind = static_cast<BackendKind>(index),
        .sockets = {BackendSocket(folder_, index, false), BackendSocket(folder_, index, true)},
        .seed = random_(),
        .checks_uid = static_cast<BackendKind>(index) == BackendKind::kFailing};
    for (const std::string& path : options.sockets) ::unlink(path.c_str());
    backends_[index].alive = true;
    backends_[index].next = NowMilliseconds() + kLifeOfABackend + random_() % kLifeOfABackend;
    backends_[index].pid = Fork([&] { RunBackend(options, board_, content_); });
  }

  void StartClient(uint32_t user) {
    const ClientOptions options = {.socket = daemon_.listen_socket(),
                                   .user = user,
                                   .connections = PerUser(),
                                   .calls_per_second = options_.calls_per_second / options_.users,
                                   .ramp = Ramp(),
                                   .lost_after = options_.lost_after * 1000,
                                   .calls_per_connection = kCallsPerConnection,
                                   .seed = random_()};
    clients_.push_back(Fork([&] {
      const uid_t id = kFirstUid + user;
      if (::setgroups(0, nullptr) != 0 || ::setresgid(id, id, id) != 0 ||
          ::setresuid(id, id, id) != 0) {
        bench::FailErrno("cannot become another user");
      }
      RunClient(options, board_, content_);
    }));
  }

  // Runs from the first connection to the end of the load.
  void Load() {
    const uint64_t start = NowMilliseconds();
    const uint64_t end = start + options_.seconds * 1000;
    uint64_t next_sample = start + Ramp() + kSamplePause;
    uint64_t next_reload = start + kReloadPause;
    for (uint64_t now = start; now < end && !daemon_.Ended(); now = NowMilliseconds()) {
      LookAfterBackends(now);
      if (now >= next_sample) {
        next_sample = now + kSamplePause;
        uint64_t open = 0;
        for (const UserBoard& user : board_.users) open += user.open;
        findings_.samples.push_back({.seconds = static_cast<double>(now - start) / 1000,
                                     .open = open,
                                     .sample = daemon_.Look()});
      }
      if (now >= next_reload) {
        next_reload = now + kReloadPause;
        Reload();
      }
      ::usleep(kTickMicroseconds);
    }
  }

  // Reloads a good file, a bad one, the other good one, a bad one, and so on.
  void Reload() {
    const uint64_t number = findings_.good_reloads + findings_.bad_reloads;
    if (number % 2 == 1) {
      daemon_.WriteBad(number / 2);
      ++findings_.bad_reloads;
    } else {
      daemon_.Write(number % 4 == 0 ? Daemon::Good::kSecond : Daemon::Good::kFirst);
      ++findings_.good_reloads;
    }
    daemon_.Signal(SIGHUP);
  }

  void LookAfterBackends(uint64_t now) {
    for (size_t i = 0; i < backends_.size(); ++i) {
      Place& place = backends_[i];
      if (place.alive && Gone(place.pid)) {
        ++findings_.backends_failed;
        place.alive = false;
        place.next = now;
        board_.backends[i].down = true;
        ++board_.backends[i].kills;
      }
      if (now < place.next) continue;
      if (!place.alive) {
        StartBackend(i);
      } else if (!board_.stop) {
        // Records it before it happens, so that clients know about it in time.
        board_.backends[i].down = true;
        ++board_.backends[i].kills;
        Kill(place.pid);
        ++findings_.kills;
        place.alive = false;
        place.next = now + random_() % kLongestDown;
      }
    }
  }

  void WaitForClients() {
    const uint64_t deadline = NowMilliseconds() + kClientsEnd;
    while (!clients_.empty() && NowMilliseconds() < deadline) {
      LookAfterBackends(NowMilliseconds());
      std::erase_if(clients_, [this](pid_t pid) {
        int status = 0;
        if (::waitpid(pid, &status, WNOHANG) != pid) return false;
        if (status != 0) ++findings_.clients_failed;
        return true;
      });
      ::usleep(kTickMicroseconds);
    }
    for (const pid_t pid : clients_) Kill(pid);
    findings_.clients_failed += clients_.size();
  }

  // The first configuration is in force again, since others need other descriptors.
  void EndDaemon() {
    daemon_.Write(Daemon::Good::kFirst);
    daemon_.Signal(SIGHUP);
    const uint64_t deadline = NowMilliseconds() + kDescriptorsSettle;
    do {
      ::usleep(kTickMicroseconds);
      findings_.at_end = daemon_.Look();
    } while (findings_.at_end.descriptors != findings_.at_start.descriptors &&
             NowMilliseconds() < deadline && !daemon_.Ended());
    daemon_.Signal(SIGTERM);
    findings_.exit_status = daemon_.WaitForExit(kDaemonEnds);
    findings_.sanitizer_lines =
        daemon_.CountInLog("Sanitizer") + daemon_.CountInLog("runtime error:");
    if (findings_.exit_status != 0 || findings_.sanitizer_lines > 0) {
      constexpr size_t kShown = 8000;
      const std::string log = daemon_.Log();
      (void)std::fprintf(stderr, "the end of the daemon's log:\n%s\n",
                         log.substr(log.size() - std::min(kShown, log.size())).c_str());
    }
  }

  const SoakOptions& options_;
  const std::string& folder_;
  Board& board_;
  Content content_;
  std::mt19937_64 random_;
  Daemon daemon_;
  std::vector<Place> backends_;
  std::vector<pid_t> clients_;
  Findings findings_;
};

}  // namespace

Findings Conduct(const SoakOptions& options, const std::string& folder, Board& board) {
  return Conductor(options, folder, board).Run();
}

}  // namespace soak
