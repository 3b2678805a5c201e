// SPDX-License-Identifier: Apache-2.0
//
// UserNames: the names of users, for people who read about uids and for rules with `{user}`. The
// user database may be slow, since NSS may ask a server. It is therefore asked on a separate
// thread, one user at a time, and its answers are kept for a while. Any thread may call this.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "ttrpc/unique_fd.h"

namespace proxyd {

class UserNames {
 public:
  using Clock = std::chrono::steady_clock;
  // Returns the name of a user, or "" if there is none. Called on the separate thread; may wait.
  using LookUp = std::function<std::string(uid_t)>;

  static constexpr size_t kNames = 4096;  // the oldest one is dropped first
  static constexpr size_t kWaiting = 4096;
  // A missing name may be added soon, while a name rarely changes.
  static constexpr std::chrono::seconds kWithoutName{60};
  static constexpr std::chrono::seconds kWithName{600};

  explicit UserNames(LookUp look_up = LookUpUserName);
  // Does not wait for the database: a thread that hangs there is abandoned.
  ~UserNames();
  UserNames(const UserNames&) = delete;
  UserNames& operator=(const UserNames&) = delete;

  // Returns the known name, or "", and looks it up if it is not known or old. It never waits.
  std::string Find(uid_t uid);
  // Does the same, but may wait for the answer until `deadline`. After a timeout, nobody waits
  // again until the database has answered.
  std::string FindBy(uid_t uid, Clock::time_point deadline);

  // Returns the name, "" if the user has none. If it is not known, or old, returns nothing and
  // looks it up. Decisions use this: an old name might be another user's by now. It never waits.
  std::optional<std::string> Known(uid_t uid);
  // Writes the uid of each user that is looked up from now on into `pipe`, as a uid_t, once its
  // name is known. The pipe must be non-blocking; what does not fit is lost. Replaces an earlier
  // pipe.
  void ReportTo(ttrpc::UniqueFd pipe);

  // Returns how many abandoned threads of this process still hang. While there are any, the process
  // must end with _exit(2).
  static size_t stuck();

 private:
  static std::string LookUpUserName(uid_t uid);

  class Core;
  // Owned by this object, and after its destruction by the thread.
  Core* core_;
};

}  // namespace proxyd
