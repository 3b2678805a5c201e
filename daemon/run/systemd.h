// SPDX-License-Identifier: Apache-2.0
//
// Systemd: notifies systemd that the daemon is ready, reloads or stops, feeds the watchdog, and
// takes the sockets that systemd passes. It does nothing without systemd, or if the program was
// built without libsystemd. On the loop's thread.
#pragma once

#include <map>
#include <string>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class Systemd {
 public:
  // `loop` must outlive this object. If systemd asks for a watchdog, it is fed at half its timeout
  // from here on, for as long as the loop runs.
  explicit Systemd(ttrpc::IoLoop& loop);
  Systemd(const Systemd&) = delete;
  Systemd& operator=(const Systemd&) = delete;

  // Notifies that all listeners listen. `status` is a line for systemctl status.
  void Ready(const std::string& status);
  // Notifies that a reload has begun, which lasts until Ready().
  void Reloading();
  void Stopping(const std::string& status);

  // Returns the sockets that were passed to this process, by FileDescriptorName=, and removes them
  // from the environment.
  static std::multimap<std::string, ttrpc::UniqueFd> TakeSockets();

 private:
  void FeedLater();
  void Say(const std::string& state);

  ttrpc::Timer watchdog_;
  ttrpc::Timer retry_;
  std::string unsent_;  // the last state, if the service manager has not accepted it yet
};

}  // namespace proxyd
