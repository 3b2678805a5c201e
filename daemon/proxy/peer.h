// SPDX-License-Identifier: Apache-2.0
//
// Peer: an authenticated client connection. It owns its calls and its backend connections. On its
// worker's thread. Its parts, in the order in which a call comes to them:
//
// - peer.cc: its life; each message of the peer is given to the part that it is for
// - peer_request.cc: a request is checked (request_check.h), takes what it needs, and is forwarded
// - peer_answer.cc: what the backend sends goes back on the peer's own stream id; how a call ends
// - peer_flow.cc: which sockets are read, and the memory that is held
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "limits/accounting.h"
#include "policy/policy.h"
#include "proxy/backend_connection.h"
#include "proxy/backend_pool.h"
#include "proxy/call.h"
#include "proxy/generation.h"
#include "proxy/group_reader.h"
#include "proxy/listener_state.h"
#include "proxy/peer_audit.h"
#include "proxy/peer_outcomes.h"
#include "proxy/peer_timeouts.h"
#include "proxy/request_check.h"
#include "proxy/request_rules.h"
#include "proxy/shared_backends.h"
#include "proxy/worker_counters.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/connection.h"
#include "ttrpc/wire/request.h"
#include "ttrpc/wire/stream_map.h"

namespace proxyd {

class Peer;

class PeerOwner {
 public:
  // The peer holds more memory than before. It, or any other, may be closed on return.
  virtual void OnPeerGrew(Peer& peer) = 0;
  // The peer is closed, and nothing of it is called any more. It must not be destroyed before this
  // wake-up's callbacks have returned.
  virtual void OnPeerClosed(Peer& peer) = 0;

 protected:
  ~PeerOwner() = default;
};

// What peers use of their worker. All of it must outlive them.
struct PeerContext {
  ttrpc::IoLoop& loop;
  Reports& reports;
  WorkerCounters& counters;
  const Accounting& accounting;
  const Ref<Generation>& generation;  // the latest
  const bool& draining;
  GroupReader& group_reader;
  const BackendContext& backends;
  SharedBackends& shared_backends;
  SpareCalls& spare_calls;
  // For the request at hand. Both are free again when its handling returns.
  ttrpc::RequestView& request_buffer;
  GuardedValues& guarded_values;
  PeerOwner& owner;

  const LimitsConfig& limits() const { return generation->config().limits; }
};

// A connection that was admitted.
struct NewPeer {
  PeerIdentity identity;
  Ref<ListenerState> listener;
  PeerGroups groups;
  Admission admission;
  std::optional<ConnectionSlot> slot;
};

class Peer final : private ttrpc::ConnectionHandler,
                   private CallOwner,
                   private BackendPoolOwner,
                   private PeerTimeouts::Owner {
 public:
  // `context` must outlive it.
  Peer(const PeerContext& context, NewPeer peer, ttrpc::UniqueFd socket);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // `position` is its own in its owner's list.
  void Start(std::list<Peer>::iterator position);
  std::list<Peer>::iterator position() const { return position_; }

  // Goes on under the latest generation, or closes if no rule there admits it. It does so by itself
  // before its next message is looked at.
  void Reload();
  // Is not read, nor reloaded, until its groups were read.
  void AwaitGroups();
  // Whether the latest generation asks for groups that it does not know.
  bool lacks_groups() const;
  int socket() const { return connection_.fd(); }

  // New calls are refused; it closes after its last.
  void Drain() {
    if (calls_.empty()) CloseAfterFlush();
  }
  // Answers its calls, and closes.
  void EndDrain();
  // Closes it now. What it has not read is lost. `cause` is for the audit: none, if that is
  // nobody's fault.
  void Close(const AuditCause& cause = {});

  // For those that list peers and calls.
  const PeerIdentity& identity() const { return identity_; }
  const std::string& listener_name() const { return listener_->config.name; }
  std::chrono::steady_clock::time_point connected() const { return connected_; }
  const ttrpc::StreamMap<std::unique_ptr<Call>>& calls() const { return calls_; }

  // For Pressure.
  const UserAccount& account() const { return slot_.account(); }
  size_t held() const { return slot_.buffered(); }
  // While it is held up, neither it nor its backends are read, and what was read waits.
  void HoldUp(bool held_up);
  // As ttrpc::Connection's, of its own connection and its backends'.
  std::optional<uint64_t> stuck_since() const;
  void CloseForLimit(Limit limit);

 private:
  // From its own connection.
  void OnMessage(const ttrpc::MessageHeader& header, std::string_view data) override;
  void OnOversizedMessage(const ttrpc::MessageHeader& header) override;
  void OnSendQueueLow() override { UpdateReading(); }
  void OnHeldChanged() override { UpdateHeld(); }
  void OnPartialMessage(bool partial) override { timeouts_.OnPartialMessage(partial); }
  void OnWriteBlocked(bool blocked) override { timeouts_.OnWriteBlocked(blocked); }
  void OnClosed(ttrpc::CloseReason reason, int error_number) override;

  // From its calls' backend connections, and from the pool of its own ones.
  void OnBackendMessage(Call& call, const ttrpc::MessageHeader& header,
                        std::string_view data) override;
  void OnBackendOversizedMessage(Call& call, const ttrpc::MessageHeader& header) override;
  void AnswerCall(Call& call, const ttrpc::Status& status, const AuditCause& cause) override;
  void LoseBackend(const BackendConfig& backend) override;
  void OnBackendLost(BackendConnection& connection) override {
    LoseBackend(connection.backend().config());
  }
  void OnBackendSendQueueLow() override { UpdateReading(); }
  void OnBackendHeldChanged() override { UpdateHeld(); }

  void OnTimeout(PeerTimeout timeout) override;
  bool reading_paused() const override { return linger_ || connection_.reading_paused(); }

  // There is a generation that it has not come to yet.
  bool stale() const { return generation_ != context_.generation; }
  // False if the kernel does not give them.
  bool ReadGroups();
  void CountAsPeer(ListenerCounters* counters);
  void RetireOldBackends();
  void CloseAfterFlush();
  void TearDown(const AuditCause& cause);

  // Requests.
  void OnRequest(const ttrpc::MessageHeader& header, std::string_view data);
  Outcome Check(const ttrpc::MessageHeader& header, std::string_view data);
  // Counts a request for its user's rate, even if it is then refused or denied. False: it is over
  // the rate.
  bool TakeRequest(const Outcome& outcome);
  // What a call holds until its end.
  struct CallSlots {
    AuditReservation audit;
    CallSlot call;
  };
  // These take a permitted request further, or make its outcome fail.
  void StartCall(const AuditedRequest& what, bool within_rate, Outcome* outcome);
  bool TakeSlots(const AuditedRequest& what, bool within_rate, CallSlots* slots, Outcome* outcome);
  std::optional<Limit> TakeSlot(CallSlot* slot);
  // Sets its timeout and metadata, and returns its new encoded size.
  std::optional<size_t> Rewrite(const RuleConfig& rule, ttrpc::RequestView* request,
                                Outcome* outcome);
  // Returns null after it made the outcome fail.
  BackendConnection* FindBackend(const RuleConfig& rule, const StreamState& state,
                                 Outcome* outcome);
  void SetMetadata(const BackendConfig& backend, ttrpc::RequestView* request);
  void Forward(const AuditedRequest& what, size_t size, std::unique_ptr<Call> call);
  // A timeout of 0 is none.
  void StartDeadline(Call* call, std::chrono::nanoseconds timeout);
  FoundBackend BackendFor(const Ref<Backend>& backend, const StreamState& state);
  SharedBackend& Shared(const Ref<Backend>& backend);

  // Data.
  void OnData(const ttrpc::MessageHeader& header, std::string_view data);
  void ForwardToPeer(const Call& call, ttrpc::MessageHeader header, std::string_view data);

  // Answers and ends.
  void Answer(uint32_t id, const ttrpc::Status& status);
  // Counts and reports the outcome of a message that is not forwarded, and answers it. `what`: the
  // request; null if the message is none.
  void Conclude(uint32_t id, const Outcome& outcome, const AuditedRequest* what);
  void Refuse(uint32_t id, Stage stage, ttrpc::Status status);
  void RefuseCall(Call& call, Stage stage, ttrpc::Status status);
  void GiveUp(Call& call, const ttrpc::Status& status, const AuditCause& cause);
  void EndCall(Call& call, ttrpc::StatusCode code);
  void Forget(const Call& call);
  void TellEnd(Call& call, ttrpc::StatusCode code, const AuditCause& cause);
  void EndAllCalls(ttrpc::StatusCode code, const AuditCause& cause);
  void LeaveShared();

  // Flow.
  void StopIfFull(const ttrpc::Connection& queue);
  void UpdateReading();
  void UpdateHeld();
  void CountCalls();

  const Config& config() const { return generation_->config(); }

  const PeerContext& context_;
  Ref<Generation> generation_;
  Ref<ListenerState> listener_;
  PeerIdentity identity_;
  PeerAudit audit_;
  PeerOutcomes outcomes_;
  PeerGroups groups_;
  std::unique_ptr<GroupReader::Request> group_request_;  // while they are not known
  Admission admission_;
  ListenerCounters* counted_in_ = nullptr;  // among its peers
  ttrpc::Connection connection_;
  ConnectionSlot slot_;
  std::list<Peer>::iterator position_;
  std::chrono::steady_clock::time_point connected_;
  PeerTimeouts timeouts_;
  bool held_up_ = false;
  bool gone_ = false;
  size_t call_bytes_ = 0;     // memory of its calls in flight
  size_t calls_counted_ = 0;  // of these, as they were last counted for its user
  ttrpc::StreamMap<std::unique_ptr<Call>> calls_;  // by the peer's id
  BackendPool backends_;
  std::vector<SharedBackend*> shared_;                   // that it has joined
  ttrpc::RingNode abandoned_;                            // its calls that backends still work on
  std::unique_ptr<IdentityMetadata> identity_metadata_;  // made when first forwarded
  std::unique_ptr<ttrpc::Timer> linger_;                 // while closing
};

}  // namespace proxyd
