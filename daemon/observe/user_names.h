// SPDX-License-Identifier: Apache-2.0
//
// UserNames: the names of users, for people who read what is about uids. Nothing is decided by
// them. The user database may take as long as it likes (NSS may ask a server), so that it is asked
// on a thread of its own, one user at a time, and what it said is kept for a while. Any thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace proxyd {

class UserNames {
 public:
  using Clock = std::chrono::steady_clock;
  // Returns the name of a user, "" if there is none. Called on the thread; may wait.
  using LookUp = std::function<std::string(uid_t)>;

  static constexpr size_t kNames = 4096;  // that are kept; the oldest goes first
  static constexpr size_t kWaiting = 4096;
  // That a user has no name may soon be wrong; a name rarely changes.
  static constexpr std::chrono::seconds kWithoutName{60};
  static constexpr std::chrono::seconds kWithName{600};

  explicit UserNames(LookUp look_up = LookUpUserName);
  // Does not wait for the database: a thread that hangs in it is left to itself.
  ~UserNames();
  UserNames(const UserNames&) = delete;
  UserNames& operator=(const UserNames&) = delete;

  // Returns what is known, "" if it is nothing, and has it looked up if that is not known or old.
  // Never waits.
  std::string Find(uid_t uid);
  // The same for a caller that may wait for an answer until `deadline`. Nobody waits for a database
  // that did not answer in time before, until it does.
  std::string FindBy(uid_t uid, Clock::time_point deadline);

  // How many threads of this process were left to themselves and still hang. While there are any,
  // the process must end by _exit(2).
  static size_t stuck();

 private:
  static std::string LookUpUserName(uid_t uid);

  class Core;
  // Owned by this, or once this has gone, by its thread.
  Core* core_;
};

}  // namespace proxyd
