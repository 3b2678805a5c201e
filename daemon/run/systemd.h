// SPDX-License-Identifier: Apache-2.0
//
// Systemd: what the daemon tells systemd, and what it gets from it: that it is ready, that
// it stops, that its loop still turns; the sockets that were passed to it. Silent where there is no
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
  // `loop` must outlive it. The watchdog, if there is one, is fed from here on, at half its time,
  // for as long as the loop turns.
  explicit Systemd(ttrpc::IoLoop& loop);
  Systemd(const Systemd&) = delete;
  Systemd& operator=(const Systemd&) = delete;

  // All listeners listen. `status`: a line for who asks systemctl status.
  void Ready(const std::string& status);
  // From a reload's beginning until Ready().
  void Reloading();
  void Stopping(const std::string& status);

  // What was passed to this process, by FileDescriptorName=. The environment does not tell of it
  // any more afterwards.
  static std::multimap<std::string, ttrpc::UniqueFd> TakeSockets();

 private:
  void FeedLater();
  void Say(const std::string& state);

  ttrpc::Timer watchdog_;
  ttrpc::Timer retry_;
  std::string unsent_;  // the last state, if the service manager did not take it yet
};

}  // namespace proxyd
