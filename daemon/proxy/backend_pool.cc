// SPDX-License-Identifier: Apache-2.0
#include "proxy/backend_pool.h"

#include <algorithm>
#include <string>
#include <utility>

#include "proxy/answers.h"

namespace proxyd {

using ttrpc::Status;

namespace {

AuditCause Lost(const Status& status) {
  return {.reason = AuditReason::kBackendLost, .limit = {}, .detail = status.message()};
}

}  // namespace

FoundBackend BackendPool::ConnectionTo(const Ref<Backend>& backend, const ConnectionSlot& peer) {
  return Find(backend, peer, false);
}

FoundBackend BackendPool::ConnectAhead(const Ref<Backend>& backend, const ConnectionSlot& peer) {
  return Find(backend, peer, true);
}

FoundBackend BackendPool::Find(const Ref<Backend>& backend, const ConnectionSlot& peer,
                               bool ahead) {
  for (const auto& connection : connections_) {
    if (&connection->backend() == backend.get() && connection->takes_calls())
      return connection.get();
  }
  if (backend->at_shared_socket() && !MakeRoomAtSharedSocket()) return Limit::kBackendsPerPeer;
  BackendConnection::Options options = {.backend = backend, .uid = uid_, .ahead = ahead};
  if (const auto limit = peer.TakeBackend(context_.limits, &options.slot)) return *limit;
  auto connection = BackendConnection::Open(context_, std::move(options), *this);
  if (!connection) return nullptr;
  connection->SetLastUsed(++uses_);
  return connections_.emplace_back(std::move(connection)).get();
}

// Returns false if there is no room. A connection without a call is of no use to its peer but to
// save the time to connect again.
bool BackendPool::MakeRoomAtSharedSocket() {
  const size_t most = context_.generation->config().limits.backends_per_peer;
  while (true) {
    size_t open = 0;
    BackendConnection* oldest = nullptr;
    for (const auto& connection : connections_) {
      if (!connection->backend().at_shared_socket()) continue;
      ++open;
      if (connection->calls() != 0) continue;
      if (oldest == nullptr || connection->last_used() < oldest->last_used())
        oldest = connection.get();
    }
    if (open < most) return true;
    if (oldest == nullptr) return false;
    oldest->Retire();
    DropIfDone(*oldest);
  }
}

void BackendPool::Reload() {
  std::vector<BackendConnection*> old;
  for (const auto& connection : connections_) {
    connection->connection().SetMessageSize(context_.message_size());
    if (!context_.generation->Has(connection->backend())) old.push_back(connection.get());
  }
  RetireAll(old);
}

void BackendPool::Retire() {
  std::vector<BackendConnection*> open;
  for (const auto& connection : connections_) open.push_back(connection.get());
  RetireAll(open);
}

void BackendPool::RetireAll(const std::vector<BackendConnection*>& connections) {
  for (BackendConnection* connection : connections) {
    connection->Retire();
    DropIfDone(*connection);
  }
}

void BackendPool::Close() {
  for (const auto& connection : connections_) connection->Close();
}

bool BackendPool::send_queue_full() const {
  return std::any_of(connections_.begin(), connections_.end(), [](const auto& connection) {
    return connection->connection().send_queue_full();
  });
}

size_t BackendPool::held() const {
  size_t held = 0;
  for (const auto& connection : connections_) held += connection->connection().held();
  return held;
}

std::optional<uint64_t> BackendPool::stuck_since() const {
  std::optional<uint64_t> since;
  for (const auto& connection : connections_) {
    const auto other = connection->connection().stuck_since();
    if (other) since = std::min(since.value_or(*other), *other);
  }
  return since;
}

void BackendPool::PauseReading() {
  for (const auto& connection : connections_) connection->connection().PauseReading();
}

void BackendPool::ResumeReading() {
  for (const auto& connection : connections_) connection->connection().ResumeReading();
}

void BackendPool::OnBackendUnreachable(BackendConnection& connection) {
  const Backend& backend = connection.backend();
  if (connection.ahead()) {
    connection.Retire();
    DropIfDone(connection);
    return owner_.OnAheadUnreachable(connection);
  }
  const std::string detail = backend.detail();
  AnswerCallsOf(connection, CannotBeReached(backend.config()),
                {.reason = backend.reason(), .limit = {}, .detail = detail});
}

void BackendPool::OnBackendStuck(BackendConnection& connection) {
  ++context_.counters.timed_out;
  ++context_.counters.backends_timed_out;
  const Status status = TakesNoRequests(connection.backend().config());
  AnswerCallsOf(connection, status, Lost(status));
}

void BackendPool::OnBackendClosed(BackendConnection& connection, ttrpc::CloseReason reason) {
  if (const auto status = StatusOfLoss(connection.backend(), reason))
    return AnswerCallsOf(connection, *status, Lost(*status));
  connection.Retire();
  DropIfDone(connection);
  owner_.OnBackendLost(connection);
}

void BackendPool::AnswerCallsOf(BackendConnection& connection, const Status& status,
                                const AuditCause& cause) {
  connection.Retire();
  DropIfDone(connection);
  // The last call closes the connection, but its memory stays until this wake-up's callbacks
  // return.
  std::vector<Call*> calls;
  connection.ForEachCall([&calls](Call* call) { calls.push_back(call); });
  for (Call* call : calls) call->owner->AnswerCall(*call, status, cause);
}

void BackendPool::DropIfDone(BackendConnection& connection) {
  if (!connection.retired() || connection.calls() != 0) return;
  const auto found =
      std::find_if(connections_.begin(), connections_.end(),
                   [&connection](const auto& own) { return own.get() == &connection; });
  if (found == connections_.end()) return;
  connection.Close();
  context_.reaper.DestroyLater(std::move(*found));
  connections_.erase(found);
  owner_.OnBackendSendQueueLow();
  owner_.OnBackendHeldChanged();
}

}  // namespace proxyd
