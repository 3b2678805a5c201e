// SPDX-License-Identifier: Apache-2.0
#include "proxy/worker.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <utility>

#include "proxy/backend_connection.h"
#include "proxy/peer.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

namespace {
// As many calls as a busy worker ends in one wake-up.
constexpr size_t kSpareCalls = 256;
}  // namespace

Worker::Worker(event_base* base, SnapshotPtr snapshot, const WorkerContext& context)
    : context_(context),
      loop_(base),
      generation_(MakeRef<Generation>(Generation::Context{.loop = loop_, .tally = tally_},
                                      std::move(snapshot))),
      backend_write_deadlines_(loop_, generation_->config().timeouts.write),
      reaper_(loop_, [this] { Reap(); }),
      shared_backends_(*this),
      pressure_(loop_, context.accounting, limits(), peers_) {}

Worker::~Worker() = default;

void Worker::Accept(size_t listener, ttrpc::UniqueFd socket) {
  auto credentials = ttrpc::ReadUnixCredentials(socket.get());
  AuditRecord record;
  record.event = AuditEvent::kRefuse;
  const ListenerConfig& config = generation_->config().listeners[listener];
  record.listener = config.name;
  ListenerTally& tally = generation_->listener_tally(listener);
  if (!credentials) {
    ++tally.no_credentials;
    // Once a second: whatever makes the kernel withhold them, it may do so for each connection.
    if (loop_.Now() >= log_no_credentials_again_) {
      log_no_credentials_again_ = loop_.Now() + std::chrono::seconds(1);
      spdlog::warn("listener \"{}\": a connection without credentials is closed: {}",
                   record.listener, credentials.error().message());
    }
    return RefusePeer(record);
  }
  record.pid = credentials->pid;
  record.uid = credentials->uid;
  record.gid = credentials->gid;
  // A backend's address leads back here, by a socket that was passed to us: CheckOwner() sees
  // whoever made it. Each call would call itself.
  const bool ourselves = credentials->pid == ::getpid();
  Admission admission = generation_->policy().Admit(
      listener, {.uid = credentials->uid, .gid = credentials->gid, .groups = credentials->groups});
  if (ourselves || !admission.admitted()) {
    ++tally.not_admitted;
    return RefusePeer(record);
  }
  auto place =
      context_.accounting.Connect(credentials->uid, config, limits(), Accounting::Clock::now());
  if (const Limit* limit = std::get_if<Limit>(&place)) {
    counters_.Count(*limit);
    ++tally.over_limit;
    record.code = ttrpc::StatusCode::kResourceExhausted;
    return RefusePeer(record);
  }
  ++counters_.peers;
  ++tally.admitted;
  NewPeer peer{.identity = {.id = ++last_peer_id_,
                            .listener = listener,
                            .pid = credentials->pid,
                            .uid = credentials->uid,
                            .gid = credentials->gid},
               .admission = std::move(admission),
               .place = std::get<ConnectionPlace>(std::move(place))};
  peers_.emplace_back(*this, std::move(peer), std::move(socket)).Start(std::prev(peers_.end()));
}

void Worker::RefusePeer(AuditRecord record) {
  ++counters_.peers_refused;
  if (reports().Wants(record.event, std::nullopt, std::nullopt))
    reports().Tell(record, std::nullopt);
}

Peer* Worker::FindPeer(uint64_t id) {
  for (Peer& peer : peers_) {
    if (peer.identity().id == id) return &peer;
  }
  return nullptr;
}

void Worker::Reload(SnapshotPtr snapshot) {
  generation_ = MakeRef<Generation>(Generation::Context{.loop = loop_, .tally = tally_},
                                    std::move(snapshot), *generation_);
  backend_write_deadlines_.SetDelay(generation_->config().timeouts.write);
  pressure_.SetLimits(limits());
  shared_backends_.Reload(*generation_);
  for (auto next = peers_.begin(); next != peers_.end();) {
    Peer& peer = *next++;  // it may leave the list
    peer.Reload();
  }
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
  call->generation = {};
  call->place.Leave();
  call->audit_place.Leave();
  if (spare_calls_.size() < kSpareCalls) spare_calls_.push_back(std::move(call));
}

void Worker::Close() {
  while (!peers_.empty()) peers_.front().Close();  // which takes it off the list
}

void Worker::Bury(Peer* peer) {
  dead_peers_.splice(dead_peers_.end(), peers_, peer->position());
  ReapSoon();
}

void Worker::Bury(std::unique_ptr<BackendConnection> connection) {
  dead_connections_.push_back(std::move(connection));
  ReapSoon();
}

void Worker::ReapSoon() {
  if (!reaper_.active()) reaper_.Start(std::chrono::nanoseconds(0));
}

void Worker::Reap() {
  dead_connections_.clear();
  shared_backends_.Reap();
  dead_peers_.clear();
  if (draining_ && peers_.empty() && drained_) std::exchange(drained_, nullptr)();
}

}  // namespace proxyd
