// SPDX-License-Identifier: Apache-2.0
#include "control/service_manager.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

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

ServiceManager::ServiceManager(ttrpc::IoLoop& loop)
    : watchdog_(loop, [this] {
        sd_notify(0, "WATCHDOG=1");
        FeedLater();
      }) {
  FeedLater();
}

void ServiceManager::FeedLater() {
  uint64_t micros = 0;
  if (sd_watchdog_enabled(0, &micros) > 0) watchdog_.Start(std::chrono::microseconds(micros / 2));
}

void ServiceManager::Ready(const std::string& status) {
  sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
}

void ServiceManager::Reloading() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();  // CLOCK_MONOTONIC
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  sd_notify(0, ("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(micros)).c_str());
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

ServiceManager::ServiceManager(ttrpc::IoLoop& loop) : watchdog_(loop, [] {}) {}
void ServiceManager::FeedLater() {}
void ServiceManager::Ready(const std::string&) {}
void ServiceManager::Reloading() {}
void ServiceManager::Stopping(const std::string&) {}
std::multimap<std::string, ttrpc::UniqueFd> ServiceManager::TakeSockets() { return {}; }

#endif

}  // namespace proxyd
