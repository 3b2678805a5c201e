// SPDX-License-Identifier: Apache-2.0
#include "proxy/shared_backends.h"

#include <algorithm>
#include <utility>

#include "proxy/answers.h"
#include "proxy/generation.h"
#include "proxy/peer.h"
#include "proxy/worker.h"

namespace proxyd {

using ttrpc::Status;

SharedBackend::SharedBackend(Worker& worker, uid_t uid, Ref<Backend> backend, MemoryCharge charge)
    : worker_(worker), uid_(uid), backend_(std::move(backend)), charge_(std::move(charge)) {}

FoundBackend SharedBackend::Connection(const ConnectionSlot& peer) {
  for (const auto& connection : connections_) {
    if (connection->takes_calls()) return connection.get();
  }
  BackendSlot slot;
  if (const auto limit = peer.TakeBackend(worker_.backend_limits(), &slot)) return *limit;
  auto connection = BackendConnection::Open(worker_, backend_, *this, std::move(slot));
  if (!connection) return nullptr;
  return connections_.emplace_back(std::move(connection)).get();
}

bool SharedBackend::send_queue_full() const {
  return std::any_of(connections_.begin(), connections_.end(), [](const auto& connection) {
    return connection->connection().send_queue_full();
  });
}

void SharedBackend::Retire() {
  std::vector<BackendConnection*> open;
  for (const auto& connection : connections_) open.push_back(connection.get());
  for (BackendConnection* connection : open) {
    connection->Retire();
    DropIfDone(*connection);
  }
}

void SharedBackend::SetMessageSize(uint32_t message_size) {
  for (const auto& connection : connections_) connection->connection().SetMessageSize(message_size);
}

// Of a call: its peer knows what to do.

void SharedBackend::OnBackendMessage(Call& call, const ttrpc::MessageHeader& header,
                                     std::string_view data) {
  call.peer->OnBackendMessage(call, header, data);
}

void SharedBackend::OnBackendOversizedMessage(Call& call, const ttrpc::MessageHeader& header) {
  call.backend->Retire();
  call.peer->OnBackendOversizedMessage(call, header);
}

// Of the connection.

void SharedBackend::OnBackendSendQueueLow() {
  for (Peer* peer : peers_) peer->OnBackendSendQueueLow();
}

void SharedBackend::OnBackendHeldChanged() {
  size_t held = 0;
  for (const auto& connection : connections_) held += connection->connection().held();
  const bool grew = held > charge_.bytes();
  charge_.Set(held);
  if (!grew) return;
  worker_.memory().Note();
  worker_.pressure().OnGrowth(charge_.account());
}

void SharedBackend::OnBackendCallEnded(BackendConnection& connection) { DropIfDone(connection); }

void SharedBackend::OnBackendUnreachable(BackendConnection& connection) {
  AnswerCallsOf(connection, CannotBeReached(backend_->config()));
}

void SharedBackend::OnBackendStuck(BackendConnection& connection) {
  ++worker_.counters().timed_out;
  AnswerCallsOf(connection, TakesNoRequests(backend_->config()));
}

void SharedBackend::OnBackendClosed(BackendConnection& connection, ttrpc::CloseReason reason) {
  if (const auto status = StatusOfLoss(backend_->config(), reason))
    return AnswerCallsOf(connection, *status);
  connection.Retire();
  DropIfDone(connection);
  std::vector<Peer*> losers;
  for (const Call* call : CallsOf(connection)) losers.push_back(call->peer);
  std::sort(losers.begin(), losers.end());
  losers.erase(std::unique(losers.begin(), losers.end()), losers.end());
  for (Peer* peer : losers) peer->LoseBackend();
}

std::vector<Call*> SharedBackend::CallsOf(const BackendConnection& connection) const {
  std::vector<Call*> calls;
  connection.ForEachCall([&calls](Call* call) { calls.push_back(call); });
  return calls;
}

void SharedBackend::AnswerCallsOf(BackendConnection& connection, const Status& status) {
  connection.Retire();
  DropIfDone(connection);
  // The last of them drops it; it stays until this wake-up's callbacks are done.
  for (Call* call : CallsOf(connection)) call->peer->AnswerCall(*call, status);
}

void SharedBackend::DropIfDone(BackendConnection& connection) {
  if (!connection.retired() || connection.calls() != 0) return;
  const auto found =
      std::find_if(connections_.begin(), connections_.end(),
                   [&connection](const auto& own) { return own.get() == &connection; });
  if (found == connections_.end()) return;
  connection.Close();
  worker_.Bury(std::move(*found));
  connections_.erase(found);
  OnBackendHeldChanged();
  OnBackendSendQueueLow();  // its full queue may be what peers were waiting for
}

// All of them.

SharedBackend& SharedBackends::Join(Peer& peer, const Ref<Backend>& backend) {
  const uid_t uid = peer.account().uid();
  auto& shared = all_[{uid, backend.get()}];
  if (!shared) shared = std::make_unique<SharedBackend>(worker_, uid, backend, peer.NewCharge());
  shared->peers_.push_back(&peer);
  return *shared;
}

void SharedBackends::Leave(const Peer& peer, SharedBackend& shared) {
  auto& peers = shared.peers_;
  const auto own = std::find(peers.begin(), peers.end(), &peer);
  *own = peers.back();
  peers.pop_back();
  if (!peers.empty()) return;
  // What its calls left behind at the backend ends with it, and so does its share of memory, while
  // there still is an account of the user.
  shared.Retire();
  const auto found = all_.find({shared.uid(), &shared.backend()});
  dead_.push_back(std::move(found->second));
  all_.erase(found);
  worker_.ReapSoon();
}

void SharedBackends::Reload(const Generation& generation) {
  for (const auto& [key, shared] : all_) {
    shared->SetMessageSize(generation.config().limits.message_size);
    if (!generation.Has(shared->backend())) shared->Retire();
  }
}

}  // namespace proxyd
