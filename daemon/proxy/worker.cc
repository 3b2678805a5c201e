// SPDX-License-Identifier: Apache-2.0
#include "proxy/worker.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "proxy/backend_connection.h"
#include "proxy/peer.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

namespace {
// As many calls as a busy worker ends in one wake-up.
constexpr size_t kSpareCalls = 256;
}  // namespace

Worker::Worker(event_base* base, const WorkerContext& context)
    : context_(context), loop_(base), reaper_(loop_, [this] { Reap(); }) {
  backends_.reserve(context.config.backends.size());
  for (const BackendConfig& backend : context.config.backends) backends_.emplace_back(backend);
}

Worker::~Worker() = default;

void Worker::Accept(size_t listener, ttrpc::UniqueFd socket) {
  auto credentials = ttrpc::ReadUnixCredentials(socket.get());
  AuditRecord record;
  record.event = AuditEvent::kRefuse;
  record.listener = config().listeners[listener].name;
  if (!credentials) {
    ++counters_.peers_refused;
    spdlog::warn("listener \"{}\": a connection without credentials is closed: {}", record.listener,
                 credentials.error().message());
    if (audit().Wants(record.event, std::nullopt, std::nullopt)) audit().Record(record);
    return;
  }
  Admission admission = policy().Admit(
      listener, {.uid = credentials->uid, .gid = credentials->gid, .groups = credentials->groups});
  if (!admission.admitted()) {
    ++counters_.peers_refused;
    record.pid = credentials->pid;
    record.uid = credentials->uid;
    record.gid = credentials->gid;
    if (audit().Wants(record.event, std::nullopt, std::nullopt)) audit().Record(record);
    return;
  }
  ++counters_.peers;
  Peer& peer = peers_.emplace_back(*this,
                                   PeerIdentity{.listener = listener,
                                                .pid = credentials->pid,
                                                .uid = credentials->uid,
                                                .gid = credentials->gid},
                                   std::move(admission), std::move(socket));
  peer.Start(std::prev(peers_.end()));
}

void Worker::Drain(std::function<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  for (Peer& peer : peers_) peer.Drain();
  reaper_.Start(std::chrono::nanoseconds(0));
}

void Worker::EndDrain() {
  for (Peer& peer : peers_) peer.EndDrain();
}

std::unique_ptr<Call> Worker::NewCall(const StreamState& state) {
  if (spare_calls_.empty()) return std::make_unique<Call>(state);
  std::unique_ptr<Call> call = std::move(spare_calls_.back());
  spare_calls_.pop_back();
  call->Reset(state);
  return call;
}

void Worker::Recycle(std::unique_ptr<Call> call) {
  call->deadline.reset();
  if (spare_calls_.size() < kSpareCalls) spare_calls_.push_back(std::move(call));
}

void Worker::Close() {
  while (!peers_.empty()) peers_.front().Close();  // which takes it off the list
}

void Worker::Bury(Peer* peer) {
  dead_peers_.splice(dead_peers_.end(), peers_, peer->position());
  if (!reaper_.active()) reaper_.Start(std::chrono::nanoseconds(0));
}

void Worker::Bury(std::unique_ptr<BackendConnection> connection) {
  dead_connections_.push_back(std::move(connection));
  if (!reaper_.active()) reaper_.Start(std::chrono::nanoseconds(0));
}

void Worker::Reap() {
  dead_connections_.clear();
  dead_peers_.clear();
  if (draining_ && peers_.empty() && drained_) std::exchange(drained_, nullptr)();
}

}  // namespace proxyd
