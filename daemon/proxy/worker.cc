// SPDX-License-Identifier: Apache-2.0
#include "proxy/worker.h"

#include <malloc.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "observe/process_labels.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

namespace {
// An idle peer and its backend connection take roughly this much memory.
constexpr uint64_t kMemoryOfAPeer = 4096;
// The time that a reload, or closing a listener's peers, may take before other work gets its turn.
constexpr auto kTurn = std::chrono::milliseconds(2);

AuditCause NoCredentials(const ttrpc::Status& status) {
  return {.reason = AuditReason::kNoCredentials, .limit = {}, .detail = status.message()};
}

class TurnClock {
 public:
  bool over() const { return std::chrono::steady_clock::now() - start_ >= kTurn; }

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};
}  // namespace

Worker::Worker(event_base* base, SnapshotPtr snapshot, const WorkerContext& context)
    : context_(context),
      loop_(base),
      generation_(MakeRef<Generation>(
          Generation::Context{.loop = loop_, .labeled_counters = labeled_counters_},
          std::move(snapshot))),
      backend_limits_(BackendLimitsOf(generation_->config(), context.descriptors)),
      backend_write_deadlines_(loop_, generation_->config().timeouts.write),
      abandoned_deadlines_(loop_, context.abandoned_for),
      backend_context_{.loop = loop_,
                       .counters = counters_,
                       .generation = generation_,
                       .limits = backend_limits_,
                       .write_deadlines = backend_write_deadlines_,
                       .abandoned_deadlines = abandoned_deadlines_,
                       .reaper = reaper_,
                       .last_stream_id = context.last_stream_id},
      shared_backends_(backend_context_,
                       [this](const UserAccount& account) {
                         memory_.Note();
                         pressure_.OnGrowth(account);
                       }),
      group_reader_(loop_),
      user_names_(loop_, context.reports.audit().names()),
      peer_context_{.loop = loop_,
                    .reports = context.reports,
                    .counters = counters_,
                    .accounting = context.accounting,
                    .generation = generation_,
                    .draining = draining_,
                    .group_reader = group_reader_,
                    .user_names = user_names_,
                    .backends = backend_context_,
                    .shared_backends = shared_backends_,
                    .spare_calls = spare_calls_,
                    .request_buffer = request_buffer_,
                    .guarded_values = guarded_values_,
                    .owner = *this},
      sweeper_(loop_, [this] { Sweep(); }),
      pressure_(loop_, context.accounting, limits(), peers_),
      memory_(
          loop_, [this] { return MemoryUsed(); }, [](uint64_t keep) { ::malloc_trim(keep); }),
      reaper_(loop_, [this] { OnReaped(); }) {}

// Peers and their backend connections use the members of the worker, including the reaper.
Worker::~Worker() {
  newcomers_.clear();
  peers_.clear();
}

// Accepting.

void Worker::Accept(size_t listener, ttrpc::UniqueFd socket) {
  AcceptAtFront(generation_->listener(listener), {}, std::move(socket));
}

void Worker::AcceptAtFront(const Ref<ListenerState>& listener, const Ref<WorkloadState>& front,
                           ttrpc::UniqueFd socket) {
  Authenticate({.identity = {.listener = &listener->config},
                .listener = listener,
                .groups = {},
                .admission = {},
                .slot = std::nullopt,
                .front = front},
               std::move(socket));
}

void Worker::Authenticate(NewPeer peer, ttrpc::UniqueFd socket) {
  const auto without_credentials = [&](const ttrpc::Status& status) {
    const ListenerState& listener = *peer.listener;
    ++generation_->listener_counters(listener).no_credentials;
    // This is logged at most once a second, because the cause may affect every connection.
    if (loop_.Now() >= log_no_credentials_again_) {
      log_no_credentials_again_ = loop_.Now() + std::chrono::seconds(1);
      spdlog::warn("listener \"{}\": closed a connection without credentials: {}",
                   listener.config.name, status.message());
    }
    RefusePeer(&peer, std::nullopt, NoCredentials(status));
  };
  const auto credentials = ttrpc::ReadUnixCredentials(socket.get(), {.groups = false});
  if (!credentials) return without_credentials(credentials.error());
  peer.identity.pid = credentials->pid;
  peer.identity.uid = credentials->uid;
  peer.identity.gid = credentials->gid;
  auto groups = group_reader_.ReadNow(socket.get(), generation_->policy().group_filter());
  if (groups) {
    peer.groups = *std::move(groups);
    return Admit(std::move(peer), std::move(socket));
  }
  if (groups.error().code() != ttrpc::StatusCode::kResourceExhausted)
    return without_credentials(groups.error());
  // The slot also bounds how many connections wait for their groups.
  if (!TakeSlot(&peer)) return;
  newcomers_.push_back({.peer = std::move(peer), .socket = std::move(socket), .request = nullptr});
  AwaitGroups(std::prev(newcomers_.end()));
}

void Worker::AwaitGroups(Newcomers::iterator newcomer) {
  newcomer->request = group_reader_.Read(
      newcomer->peer.identity.uid, newcomer->socket.get(), generation_->policy().group_filter(),
      [this, newcomer](ttrpc::Result<PeerGroups> groups) {
        if (groups) newcomer->peer.groups = *std::move(groups);
        // A reload in between may need other groups.
        if (groups && !generation_->Knows(newcomer->peer.groups)) return AwaitGroups(newcomer);
        NewPeer peer = std::move(newcomer->peer);
        ttrpc::UniqueFd socket = std::move(newcomer->socket);
        newcomers_.erase(newcomer);
        if (groups) return Admit(std::move(peer), std::move(socket));
        // The client may also have left by itself.
        const bool left = groups.error().code() == ttrpc::StatusCode::kCancelled;
        ListenerCounters& counters = generation_->listener_counters(*peer.listener);
        ++(left ? counters.not_admitted : counters.no_credentials);
        AuditCause cause = NoCredentials(groups.error());
        if (left) cause.reason = AuditReason::kNotAdmitted;
        RefusePeer(&peer, std::nullopt, cause);
      });
}

bool Worker::TakeSlot(NewPeer* peer) {
  auto slot = context_.accounting.Connect(peer->identity.uid, peer->listener->config, limits(),
                                          Accounting::Clock::now());
  if (const Limit* limit = std::get_if<Limit>(&slot)) {
    counters_.Count(*limit);
    ++generation_->listener_counters(*peer->listener).over_limit;
    const ttrpc::Status status = LimitReached(*limit, limits());
    RefusePeer(peer, status.code(),
               {.reason = AuditReason::kTooManyConnections,
                .limit = NameOf(*limit),
                .detail = status.message()});
    return false;
  }
  peer->slot.emplace(std::get<ConnectionSlot>(std::move(slot)));
  return true;
}

void Worker::Admit(NewPeer peer, ttrpc::UniqueFd socket) {
  ListenerCounters& counters = generation_->listener_counters(*peer.listener);
  const Policy& policy = generation_->policy();
  const PeerIdentity& identity = peer.identity;
  peer.admission =
      policy.Admit(peer.listener->index.value_or(policy.no_listener()),
                   {.uid = identity.uid, .gid = identity.gid, .groups = peer.groups.groups});
  // A backend address may lead back to one of our listeners through a passed socket. CheckOwner()
  // cannot see that, since another process created it. Each call would then call itself.
  const bool ourselves = identity.pid == ::getpid();
  if (ourselves || !peer.admission.admitted()) {
    ++counters.not_admitted;
    return RefusePeer(&peer, std::nullopt,
                      {.reason = AuditReason::kNotAdmitted,
                       .limit = {},
                       .detail = ourselves ? "the client is this daemon itself" : ""});
  }
  if (!peer.slot && !TakeSlot(&peer)) return;
  ++counters_.peers;
  ++counters.admitted;
  peer.identity.id = ++last_peer_id_;
  peer.identity.labels = ReadProcessLabels(identity.pid);
  // Starts looking up the user's name, so that it is known when it is asked for.
  static_cast<void>(context_.reports.audit().UserName(identity.uid));
  peers_.emplace_back(peer_context_, std::move(peer), std::move(socket))
      .Start(std::prev(peers_.end()));
  memory_.Note();
}

// Counts only the memory that peers take.
uint64_t Worker::MemoryUsed() const {
  return context_.accounting.buffered() + peers_.size() * kMemoryOfAPeer;
}

void Worker::RefusePeer(NewPeer* peer, std::optional<ttrpc::StatusCode> code,
                        const AuditCause& cause) {
  ++counters_.peers_refused;
  AuditRecord record;
  record.event = AuditEvent::kRefuse;
  if (!context_.reports.Wants(record.event, std::nullopt, std::nullopt)) return;
  peer->identity.labels = ReadProcessLabels(peer->identity.pid);
  DescribePeer(peer->identity, &record);
  record.code = code;
  record.SetCause(cause);
  context_.reports.Tell(record, std::nullopt);
}

Peer* Worker::FindPeer(uint64_t id) {
  for (Peer& peer : peers_) {
    if (peer.identity().id == id) return &peer;
  }
  return nullptr;
}

bool Worker::KnowsListener(std::string_view name) const {
  const auto& listeners = generation_->config().listeners;
  return std::any_of(listeners.begin(), listeners.end(),
                     [name](const ListenerConfig& listener) { return listener.name == name; }) ||
         std::any_of(peers_.begin(), peers_.end(),
                     [name](const Peer& peer) { return peer.listener_name() == name; });
}

size_t Worker::CloseSome(std::string_view listener, uint64_t last_peer) {
  const TurnClock turn;
  size_t closed = 0;
  for (auto next = peers_.begin(); next != peers_.end();) {
    Peer& peer = *next++;  // Close() removes the peer from the list
    if (peer.identity().id > last_peer) break;
    if (peer.listener_name() != listener) continue;
    peer.Close();
    ++closed;
    if (turn.over()) break;
  }
  return closed;
}

// Reload.

void Worker::Reload(SnapshotPtr snapshot) {
  generation_ =
      MakeRef<Generation>(Generation::Context{.loop = loop_, .labeled_counters = labeled_counters_},
                          std::move(snapshot), *generation_);
  LogRemovedListeners();
  backend_write_deadlines_.SetDelay(generation_->config().timeouts.write);
  backend_limits_ = BackendLimitsOf(generation_->config(), context_.descriptors);
  pressure_.SetLimits(limits());
  shared_backends_.Reload();
  AskForGroups();
  sweep_ = peers_.begin();
  Sweep();
}

void Worker::LogRemovedListeners() const {
  for (const Ref<ListenerState>& listener : generation_->removed()) {
    const size_t peers = listener->peers;
    std::string stay;
    if (peers > 0)
      stay = "; " + std::to_string(peers) +
             (peers == 1 ? " peer stays connected" : " peers stay connected");
    spdlog::info("listener \"{}\": removed{}", listener->config.name, stay);
  }
}

// A peer with many groups must not send requests while they are read. They would have to be decided
// under the old rules, or wait for the kernel.
void Worker::AskForGroups() {
  for (Peer& peer : peers_) {
    if (!peer.lacks_groups()) continue;
    const auto count = ttrpc::CountUnixGroups(peer.socket());
    if (count && *count > GroupReader::kMostAtOnce) peer.AwaitGroups();
  }
}

void Worker::Sweep() {
  const TurnClock turn;
  while (sweep_ != peers_.end()) {
    Peer& peer = *sweep_++;  // Reload() may remove the peer from the list
    peer.Reload();
    if (!turn.over()) continue;
    if (sweep_ != peers_.end()) sweeper_.Start(std::chrono::nanoseconds(0));
    return;
  }
}

void Worker::OnWorkloadsChanged() {
  for (auto next = peers_.begin(); next != peers_.end();) {
    Peer& peer = *next++;  // may be removed from the list
    peer.OnWorkloadsChanged();
  }
}

void Worker::EndGone() {
  for (auto next = peers_.begin(); next != peers_.end();) {
    Peer& peer = *next++;
    if (peer.front() != nullptr && peer.front()->last_calls_over) peer.EndGone();
  }
}

void Worker::Drain(std::function<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  newcomers_.clear();
  for (Peer& peer : peers_) peer.Drain();
  reaper_.ReapSoon();  // it would not run without peers
}

void Worker::EndDrain() {
  for (Peer& peer : peers_) peer.EndDrain();
}

void Worker::Close() {
  while (!peers_.empty()) peers_.front().Close();  // removes the peer from the list
}

void Worker::OnPeerGrew(Peer& peer) {
  memory_.Note();
  pressure_.OnGrowth(peer);
}

void Worker::OnPeerClosed(Peer& peer) {
  if (sweep_ == peer.position()) ++sweep_;
  std::list<Peer> dead;
  dead.splice(dead.end(), peers_, peer.position());
  reaper_.DestroyLater(std::move(dead));
}

void Worker::OnReaped() {
  if (draining_ && peers_.empty() && drained_) std::exchange(drained_, nullptr)();
}

}  // namespace proxyd
