// SPDX-License-Identifier: Apache-2.0
//
// GroupReader: reads the supplementary groups of peers from the kernel, and keeps the ones that the
// rules distinguish. Any process may have 65536 groups, which the kernel takes milliseconds to
// copy. Long lists are therefore read on a separate thread, one peer at a time, with the users
// taking turns. All functions are called on the loop's thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "policy/group_filter.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

using GroupFilterPtr = std::shared_ptr<const GroupFilter>;

// The groups of a peer that were kept, and the filter that kept them. Without a filter, they were
// not read yet.
struct PeerGroups {
  std::vector<gid_t> groups;  // in ascending order
  GroupFilterPtr filter;
};

class GroupReader {
 public:
  using DoneFunction = std::function<void(ttrpc::Result<PeerGroups>)>;

  // The most groups that are read at once: that takes about as long as accepting the connection.
  static constexpr size_t kMostAtOnce = 1024;

  // A request for the groups of one peer. Destroying it cancels it.
  class Request {
   public:
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    ~Request();

   private:
    friend class GroupReader;
    Request(GroupReader& reader, uid_t uid, int socket, GroupFilterPtr filter, DoneFunction done);

    GroupReader& reader_;
    const uid_t uid_;
    const int socket_;
    const GroupFilterPtr filter_;
    const DoneFunction done_;
    bool waiting_ = true;                  // whether it is in the user's queue
    std::list<Request*>::iterator place_;  // its place in that queue
  };

  // `loop` must outlive the reader, and the reader its requests.
  explicit GroupReader(ttrpc::IoLoop& loop);
  // Waits for the list that is being read.
  ~GroupReader();
  GroupReader(const GroupReader&) = delete;
  GroupReader& operator=(const GroupReader&) = delete;

  // Errors: RESOURCE_EXHAUSTED if there are more than kMostAtOnce groups, UNAUTHENTICATED if the
  // kernel does not report them.
  ttrpc::Result<PeerGroups> ReadNow(int socket, const GroupFilterPtr& filter);
  // `socket` must stay open as long as the request lives. The loop calls `done`, which may destroy
  // the request. The error is CANCELLED if the peer left before its turn.
  std::unique_ptr<Request> Read(uid_t uid, int socket, GroupFilterPtr filter, DoneFunction done);

 private:
  struct Job;

  using Queues = std::map<uid_t, std::list<Request*>>;

  bool Start();
  void Next();
  void Take(Queues::iterator queue);
  void Receive();

  ttrpc::IoLoop& loop_;
  std::vector<gid_t> buffer_;
  Queues waiting_;              // by user; no queue is empty
  uid_t last_user_ = 0;         // the user whose turn was last
  Request* running_ = nullptr;  // null if there is none, or it was cancelled
  bool busy_ = false;
  ttrpc::UniqueFd jobs_;  // pipes that carry a Job* to the thread and back
  ttrpc::UniqueFd results_;
  ttrpc::EventPtr event_;
  ttrpc::Timer next_;
  std::thread thread_;
};

}  // namespace proxyd
