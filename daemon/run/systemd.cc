// SPDX-License-Identifier: Apache-2.0
#include "run/systemd.h"

#ifdef HAVE_SYSTEMD
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#endif

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace proxyd {

#ifdef HAVE_SYSTEMD

namespace {

struct Free {
  void operator()(char** list) const {
    for (char** entry = list; *entry != nullptr; ++entry) std::free(*entry);
    std::free(list);
  }
};

constexpr std::chrono::seconds kRetryAfter{1};

// Sends `state` without blocking; sd_notify(3) would wait for a service manager that hangs. Returns
// false if the service manager accepts nothing now.
bool Notify(const std::string& state) {
  const char* const variable = ::getenv("NOTIFY_SOCKET");
  const std::string_view path = variable != nullptr ? variable : "";
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() < 2 || path.size() > sizeof address.sun_path) return true;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  const ttrpc::UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  return ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&address), size) >= 0 ||
         errno != EAGAIN;
}

}  // namespace

Systemd::Systemd(ttrpc::IoLoop& loop)
    : watchdog_(loop,
                [this] {
                  Notify("WATCHDOG=1");
                  FeedLater();
                }),
      retry_(loop, [this] { Say(std::string(unsent_)); }) {
  FeedLater();
}

// Only the newest state is sent again, since it replaces those before it.
void Systemd::Say(const std::string& state) {
  retry_.Stop();
  unsent_.clear();
  if (Notify(state)) return;
  unsent_ = state;
  retry_.Start(kRetryAfter);
}

void Systemd::FeedLater() {
  uint64_t micros = 0;
  if (sd_watchdog_enabled(0, &micros) > 0) watchdog_.Start(std::chrono::microseconds(micros / 2));
}

void Systemd::Ready(const std::string& status) { Say("READY=1\nSTATUS=" + status); }

void Systemd::Reloading() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();  // CLOCK_MONOTONIC
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  Say("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(micros));
}

void Systemd::Stopping(const std::string& status) { Say("STOPPING=1\nSTATUS=" + status); }

std::multimap<std::string, ttrpc::UniqueFd> Systemd::TakeSockets() {
  std::multimap<std::string, ttrpc::UniqueFd> sockets;
  char** raw_names = nullptr;
  const int count = sd_listen_fds_with_names(1, &raw_names);
  if (count <= 0) return sockets;
  const std::unique_ptr<char*, Free> names(raw_names);
  for (int i = 0; i < count; ++i)
    sockets.emplace(names.get()[i], ttrpc::UniqueFd(SD_LISTEN_FDS_START + i));
  return sockets;
}

#else

Systemd::Systemd(ttrpc::IoLoop& loop) : watchdog_(loop, [] {}), retry_(loop, [] {}) {}
void Systemd::FeedLater() {}
void Systemd::Say(const std::string&) {}
void Systemd::Ready(const std::string&) {}
void Systemd::Reloading() {}
void Systemd::Stopping(const std::string&) {}
std::multimap<std::string, ttrpc::UniqueFd> Systemd::TakeSockets() { return {}; }

#endif

}  // namespace proxyd
