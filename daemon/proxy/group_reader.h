// SPDX-License-Identifier: Apache-2.0
//
// GroupReader: asks the kernel for the supplementary groups of peers, and keeps of them what the
// rules distinguish. The kernel takes milliseconds to copy the 65536 groups that any process may
// have, so those of a peer with many are read on a thread of their own, one peer at a time, users
// in turn. On the loop's thread.
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

// What is kept of a peer's groups, and by which filter; without one, they were not asked for yet.
struct PeerGroups {
  std::vector<gid_t> groups;  // ascending
  GroupFilterPtr filter;
};

class GroupReader {
 public:
  using DoneFunction = std::function<void(ttrpc::Result<PeerGroups>)>;

  // Groups that are read at once: what takes about as long as accepting the connection.
  static constexpr size_t kMostAtOnce = 1024;

  // The groups of one peer, to be read. Destroyed, it asks for nothing any more.
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
    bool waiting_ = true;                  // in the user's queue
    std::list<Request*>::iterator place_;  // there
  };

  // `loop` must outlive it, and it its requests.
  explicit GroupReader(ttrpc::IoLoop& loop);
  // Waits for what is being read.
  ~GroupReader();
  GroupReader(const GroupReader&) = delete;
  GroupReader& operator=(const GroupReader&) = delete;

  // RESOURCE_EXHAUSTED: there are more than kMostAtOnce. UNAUTHENTICATED: the kernel does not give
  // them.
  ttrpc::Result<PeerGroups> ReadNow(int socket, const GroupFilterPtr& filter);
  // `socket` must stay open for as long as the request. `done` is called by the loop, and may
  // destroy the request. CANCELLED: the peer has left meanwhile, and was not asked for.
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
  Queues waiting_;              // by user; none is empty
  uid_t last_user_ = 0;         // whose turn was last
  Request* running_ = nullptr;  // none, also if it has gone meanwhile
  bool busy_ = false;
  ttrpc::UniqueFd jobs_;  // pipes that carry pointers to a Job, to the thread and back
  ttrpc::UniqueFd results_;
  ttrpc::EventPtr event_;
  ttrpc::Timer next_;
  std::thread thread_;
};

}  // namespace proxyd
