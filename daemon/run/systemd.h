// SPDX-License-Identifier: Apache-2.0
//
// Systemd: notifies systemd that the daemon is ready, reloads, stops, and that its loop still
// turns, and takes the sockets that systemd passes to it. It does nothing where there is no
// systemd, or where the program was built without libsystemd. On the loop's thread.
#pragma once

#include <map>
#include <string>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class Systemd {
 public:
  // `loop` must outlive it. From here on the watchdog, if there is one, is fed at half its time for
  // as long as the loop turns.
  explicit Systemd(ttrpc::IoLoop& loop);
  Systemd(const Systemd&) = delete;
  Systemd& operator=(const Systemd&) = delete;

  // All listeners listen. `status` is a line for systemctl status.
  void Ready(const std::string& status);
  // From a reload's beginning until Ready().
  void Reloading();
  void Stopping(const std::string& status);

  // The sockets that were passed to this process, by FileDescriptorName=. The environment no longer
  // names them afterwards.
  static std::multimap<std::string, ttrpc::UniqueFd> TakeSockets();

 private:
  void FeedLater();
  void Say(const std::string& state);

  ttrpc::Timer watchdog_;
  ttrpc::Timer retry_;
  std::string unsent_;  // the last state, if the service manager did not take it yet
};

}  // namespace proxyd
