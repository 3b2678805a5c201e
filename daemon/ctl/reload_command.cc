// SPDX-License-Identifier: Apache-2.0
//
// `reload`: asks the admin service, which replies with the result, or sends SIGHUP to a process,
// which writes the result to a file in its runtime directory.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "config/reload_verdict.h"
#include "ctl/admin_connection.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ttrpc/unique_fd.h"

namespace proxyd::ctl {
namespace {

using std::chrono::steady_clock;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::UniqueFd;

int FailBy(const std::string& what, int error_number) {
  return Fail(what + ": " + std::generic_category().message(error_number));
}

int Refused(std::string_view errors) {
  ComplainPlainly(errors);
  return Fail("reload refused; the daemon keeps its current configuration");
}

int Taken(const v1::ReloadReply& reply, bool json) {
  if (json) {
    Print(ToJson(reply, false));
    return EXIT_SUCCESS;
  }
  for (const std::string& warning : reply.warnings()) ComplainPlainly(warning);
  Print("Configuration reloaded.\n");
  return EXIT_SUCCESS;
}

// Asks the admin service. Returns none if --pid was given and the service does not admit us.
std::optional<int> Ask(AdminConnection& connection, const Options& options) {
  const auto reply = connection.Call(&v1::Admin::Reload, v1::ReloadRequest());
  if (reply) return Taken(*reply, options.json);
  if (reply.error().code() == StatusCode::kFailedPrecondition)
    return Refused(reply.error().message());
  const bool shut_out = reply.error().code() == StatusCode::kPermissionDenied ||
                        (reply.error().code() == StatusCode::kUnavailable && connection.refused());
  if (options.reload_pid && shut_out) return std::nullopt;
  return Fail(connection.Why(reply.error()));
}

// Checks that process `pid` listens there: the default address may belong to another daemon.
Status CheckListener(int socket, pid_t pid) {
  ucred listener = {};
  socklen_t length = sizeof listener;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &listener, &length) != 0)
    return ttrpc::ErrnoStatus(errno, "SO_PEERCRED");
  if (listener.pid == pid) return {};
  return {StatusCode::kFailedPrecondition, "another process listens on this socket"};
}

// The service manager sets RUNTIME_DIRECTORY for ExecReload= as it does for the daemon.
std::string RuntimeFolder() {
  const char* folders = std::getenv("RUNTIME_DIRECTORY");  // NOLINT(concurrency-mt-unsafe)
  const std::string_view list = folders != nullptr ? folders : "";
  const std::string_view first = list.substr(0, list.find(':'));
  return first.starts_with('/') ? std::string(first) : "/run/ttrpc-proxy";
}

// Returns none if there is no verdict, or if neither root nor our own user owns the file: another
// user may then have written it.
std::optional<ReloadVerdict> ReadVerdict(const std::string& path) {
  const UniqueFd file(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) return std::nullopt;
  std::string text;
  char bytes[4096];
  for (;;) {
    const ssize_t count = ::read(file.get(), bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) return ParseReloadVerdict(text);
    text.append(bytes, static_cast<size_t>(count));
  }
}

int Show(const ReloadVerdict& verdict, bool json) {
  if (!verdict.errors.empty()) {
    std::string errors;
    for (const std::string& error : verdict.errors)
      errors.append(errors.empty() ? "" : "\n").append(error);
    return Refused(errors);
  }
  v1::ReloadReply reply;
  for (const std::string& warning : verdict.warnings) reply.add_warnings(warning);
  return Taken(reply, json);
}

// SignalledReload sends SIGHUP to a process and waits for the verdict file in its directory.
class SignalledReload {
 public:
  explicit SignalledReload(pid_t pid) : name_("process " + std::to_string(pid)) {
    process_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  }

  int Run(const Options& options) {
    if (!process_) return FailBy(name_, errno);
    changes_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    // The watch comes before the signal, so that no verdict is missed.
    if (!changes_ ||
        ::inotify_add_watch(changes_.get(), folder_.c_str(), IN_MOVED_TO | IN_ONLYDIR) < 0)
      return FailBy("cannot watch the daemon's runtime directory " + folder_, errno);
    // The verdict's own time is in whole microseconds.
    const auto asked = std::chrono::floor<std::chrono::microseconds>(steady_clock::now());
    if (::syscall(SYS_pidfd_send_signal, process_.get(), SIGHUP, nullptr, 0) != 0)
      return FailBy(name_, errno);
    const auto deadline = steady_clock::now() + options.timeout;
    for (;;) {
      const auto verdict = ReadVerdict(folder_ + "/" + std::string(kReloadVerdictFile));
      if (verdict && verdict->read >= asked) return Show(*verdict, options.json);
      if (ended_) return Fail(name_ + " exited during the reload; see its log");
      if (!Wait(deadline))
        return Fail("the daemon did not write a result to " + folder_ + "/" +
                    std::string(kReloadVerdictFile) + " in time; see its log");
    }
  }

 private:
  // Returns false once the deadline has passed.
  bool Wait(steady_clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd entries[] = {{.fd = changes_.get(), .events = POLLIN, .revents = 0},
                        {.fd = process_.get(), .events = POLLIN, .revents = 0}};
    const auto timeout = static_cast<int>(std::min<int64_t>(left.count(), 60'000));
    if (::poll(entries, std::size(entries), timeout) < 0) return errno == EINTR;
    ended_ = entries[1].revents != 0;
    // The caller reads the file again, so the events themselves do not matter.
    char events[4096];
    while (::read(changes_.get(), events, sizeof events) > 0) {
    }
    return true;
  }

  const std::string name_;
  const std::string folder_ = RuntimeFolder();
  UniqueFd process_;
  UniqueFd changes_;
  bool ended_ = false;
};

}  // namespace

int RunReload(const Options& options) {
  if (!options.reload_pid) {
    const auto connection = AdminConnection::Open(*options.address, options.timeout);
    if (!connection) return Fail(connection.error().message());
    return *Ask(**connection, options);
  }
  const pid_t pid = *options.reload_pid;
  const auto connection = AdminConnection::Open(
      *options.address, options.timeout, [pid](int socket) { return CheckListener(socket, pid); });
  if (connection) {
    if (const auto status = Ask(**connection, options)) return *status;
  }
  return SignalledReload(pid).Run(options);
}

}  // namespace proxyd::ctl
