// SPDX-License-Identifier: Apache-2.0
//
// SharedBackends: the connections to backends with connections = "per-user": of a worker, one for
// each user and backend, on which the unary calls of all of that user's peers go. One peer that
// does not read, or that leaves, is nothing to the others; what one user does is nothing to
// another. On the worker's thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "limits/accounting.h"
#include "proxy/backend.h"
#include "proxy/backend_connection.h"
#include "proxy/ref.h"

namespace proxyd {

class Generation;
class Peer;
class Worker;

// What one user shares of one backend. It goes when the last of its peers has left.
class SharedBackend final : public BackendConnectionOwner {
 public:
  // `worker` must outlive it, and the user's account its peers.
  SharedBackend(Worker& worker, uid_t uid, Ref<Backend> backend, MemoryCharge charge);

  uid_t uid() const override { return uid_; }
  const Backend& backend() const { return *backend_; }

  // One that takes calls, opened if there is none, for one of its peers.
  FoundBackend Connection(const ConnectionSlot& peer);
  bool send_queue_full() const;
  // No more calls on what is open.
  void Retire();
  void SetMessageSize(uint32_t message_size);

 private:
  friend class SharedBackends;

  void OnBackendMessage(Call& call, const ttrpc::MessageHeader& header,
                        std::string_view data) override;
  void OnBackendOversizedMessage(Call& call, const ttrpc::MessageHeader& header) override;
  void OnBackendSendQueueLow() override;
  void OnBackendHeldChanged() override;
  void OnBackendCallEnded(BackendConnection& connection) override;
  void OnBackendUnreachable(BackendConnection& connection) override;
  void OnBackendStuck(BackendConnection& connection) override;
  void OnBackendClosed(BackendConnection& connection, ttrpc::CloseReason reason) override;

  std::vector<Call*> CallsOf(const BackendConnection& connection) const;
  void AnswerCallsOf(BackendConnection& connection, const ttrpc::Status& status);
  void DropIfDone(BackendConnection& connection);

  Worker& worker_;
  const uid_t uid_;
  const Ref<Backend> backend_;
  MemoryCharge charge_;
  std::vector<Peer*> peers_;  // that have joined
  // At most one takes calls; the others are retired.
  std::vector<std::unique_ptr<BackendConnection>> connections_;
};

class SharedBackends {
 public:
  explicit SharedBackends(Worker& worker) : worker_(worker) {}

  // That of the peer's user. The peer belongs to it from here on, and has to leave before it goes.
  SharedBackend& Join(Peer& peer, const Ref<Backend>& backend);
  // None of the peer's calls goes there any more.
  void Leave(const Peer& peer, SharedBackend& shared);

  // Backends that are not in this generation take no more calls.
  void Reload(const Generation& generation);

  // Destroys what was left by all its peers. Not from within a callback.
  void Reap() { dead_.clear(); }

 private:
  // A backend that a reload replaced is another one.
  using Key = std::pair<uid_t, const Backend*>;

  Worker& worker_;
  std::map<Key, std::unique_ptr<SharedBackend>> all_;
  std::vector<std::unique_ptr<SharedBackend>> dead_;
};

}  // namespace proxyd
