// SPDX-License-Identifier: Apache-2.0
#include "control/service_manager.h"

#include <event2/event.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include <cstdlib>
#include <memory>

namespace proxyd {

#ifdef HAVE_SYSTEMD

namespace {

struct Free {
  void operator()(char** list) const {
    for (char** entry = list; *entry != nullptr; ++entry) std::free(*entry);
    std::free(list);
  }
};

}  // namespace

ServiceManager::ServiceManager(event_base* base) {
  uint64_t micros = 0;
  if (sd_watchdog_enabled(0, &micros) <= 0) return;
  watchdog_.reset(event_new(
      base, -1, EV_PERSIST, [](evutil_socket_t, short, void*) { sd_notify(0, "WATCHDOG=1"); },
      nullptr));
  micros /= 2;
  const timeval half = {.tv_sec = static_cast<time_t>(micros / 1'000'000),
                        .tv_usec = static_cast<suseconds_t>(micros % 1'000'000)};
  event_add(watchdog_.get(), &half);
}

void ServiceManager::Ready(const std::string& status) {
  sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
}

void ServiceManager::Stopping(const std::string& status) {
  sd_notify(0, ("STOPPING=1\nSTATUS=" + status).c_str());
}

std::multimap<std::string, ttrpc::UniqueFd> ServiceManager::TakeSockets() {
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

ServiceManager::ServiceManager(event_base*) {}
void ServiceManager::Ready(const std::string&) {}
void ServiceManager::Stopping(const std::string&) {}
std::multimap<std::string, ttrpc::UniqueFd> ServiceManager::TakeSockets() { return {}; }

#endif

}  // namespace proxyd
