// SPDX-License-Identifier: Apache-2.0
//
// UserNameReader: the names of peers' users, for rules with `{user}`. UserNames looks them up on
// its own thread, and a pipe reports each answer to the loop. A peer waits at most kWithin; then it
// counts as one without a name. All functions are called on the loop's thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "observe/user_names.h"
#include "proxy/deadline_queue.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class UserNameReader {
 public:
  using DoneFunction = std::function<void(std::string name)>;

  // A database that hangs must not keep peers waiting for long.
  static constexpr std::chrono::nanoseconds kWithin = std::chrono::seconds(1);

  // A question for the name of one user. Destroying it cancels it.
  class Request {
   public:
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    ~Request();

   private:
    friend class UserNameReader;
    Request(UserNameReader& reader, uid_t uid, DoneFunction done);

    UserNameReader& reader_;
    const DoneFunction done_;
    std::optional<std::multimap<uid_t, Request*>::iterator> place_;  // none once it is answered
    Deadline deadline_;
  };

  // `loop` must outlive the reader, the reader its requests, and `names` both. Without `names`, no
  // user has a name.
  UserNameReader(ttrpc::IoLoop& loop, UserNames* names, std::chrono::nanoseconds within = kWithin);
  UserNameReader(const UserNameReader&) = delete;
  UserNameReader& operator=(const UserNameReader&) = delete;

  // Returns the name, "" if the user has none, and nothing if it is not known yet.
  std::optional<std::string> ReadNow(uid_t uid);
  // Looks up a name for which ReadNow() returned nothing. The loop calls `done`, with "" if there
  // is no name or no answer in time. `done` may destroy the request.
  std::unique_ptr<Request> Read(uid_t uid, DoneFunction done);

 private:
  using Requests = std::multimap<uid_t, Request*>;

  bool Start();
  void Receive();
  void Answer(Request* request, const std::string& name);

  ttrpc::IoLoop& loop_;
  UserNames* const names_;
  DeadlineQueue deadlines_;
  Requests waiting_;
  ttrpc::UniqueFd answers_;
  ttrpc::EventPtr event_;
};

}  // namespace proxyd
