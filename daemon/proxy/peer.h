// SPDX-License-Identifier: Apache-2.0
//
// Peer: an authenticated client connection. It owns its calls and its own backend connections, and
// runs on its worker's thread. Its parts, in the order in which a call passes them:
//
// - peer.cc has the life cycle, and passes each message of the peer to the part that handles it.
// - peer_request.cc checks a request (request_check.h), takes what the call needs and forwards it.
// - peer_workload.cc knows which workloads a request may name, and connects to them.
// - peer_answer.cc forwards the backend's messages under the peer's own stream ids, and ends calls.
// - peer_flow.cc decides which sockets are read, and counts the memory that the peer holds.
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
#include "proxy/user_name_reader.h"
#include "proxy/worker_counters.h"
#include "proxy/workload_state.h"
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
  // The peer holds more memory than before. Any peer, this one included, may be closed on return.
  virtual void OnPeerGrew(Peer& peer) = 0;
  // The peer is closed, and none of its functions is called any more. It must not be destroyed
  // before the callbacks of this wake-up have returned.
  virtual void OnPeerClosed(Peer& peer) = 0;

 protected:
  ~PeerOwner() = default;
};

// The parts of a worker that its peers use. All of them must outlive the peers.
struct PeerContext {
  ttrpc::IoLoop& loop;
  Reports& reports;
  WorkerCounters& counters;
  const Accounting& accounting;
  const Ref<Generation>& generation;  // the latest one
  const bool& draining;
  GroupReader& group_reader;
  UserNameReader& user_names;
  const BackendContext& backends;
  SharedBackends& shared_backends;
  SpareCalls& spare_calls;
  // Buffers for the request that is being handled. Both are free again when its handling returns.
  ttrpc::RequestView& request_buffer;
  GuardedValues& guarded_values;
  PeerOwner& owner;

  const LimitsConfig& limits() const { return generation->config().limits; }
};

// An admitted connection.
struct NewPeer {
  PeerIdentity identity;
  Ref<ListenerState> listener;
  PeerGroups groups;
  Admission admission;
  std::optional<ConnectionSlot> slot;
  Ref<WorkloadState> front = {};  // the workload whose own socket accepted it, if one did
};

class Peer final : private ttrpc::ConnectionHandler,
                   private CallOwner,
                   private BackendPoolOwner,
                   private PeerTimeouts::Owner {
 public:
  // `context` must outlive the peer.
  Peer(const PeerContext& context, NewPeer peer, ttrpc::UniqueFd socket);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // `position` is the peer's own position in its owner's list. The peer may be closed on return: at
  // a workload's own socket, if the workload cannot be reached.
  void Start(std::list<Peer>::iterator position);
  std::list<Peer>::iterator position() const { return position_; }

  // Moves to the latest generation, or closes the peer if no rule there admits it. The peer also
  // does this itself before it handles its next message.
  void Reload();
  // Stops reading and reloading the peer until its groups have been read.
  void AwaitGroups();
  // Returns whether the latest generation needs groups of the peer that have not been read.
  bool lacks_groups() const;
  int socket() const { return connection_.fd(); }

  // Closes the peer after its last call. New calls are refused, since the worker drains or the
  // workload of the peer's front is gone.
  void Drain() {
    if (calls_.empty()) CloseAfterFlush();
  }
  // Answers all calls in flight, then closes the peer.
  void EndDrain();
  // Applies changes of the workloads: those that are gone or have another address take no more
  // calls.
  void OnWorkloadsChanged();
  // Answers all calls in flight of a workload that is gone, then closes the peer.
  void EndGone();
  // The workload whose own socket accepted the peer, or null.
  const WorkloadState* front() const { return front_.get(); }
  // Closes the peer now; bytes that it has not read are lost. `cause` is for the audit, and empty
  // if nothing went wrong.
  void Close(const AuditCause& cause = {});

  // Listings of peers and calls use these.
  const PeerIdentity& identity() const { return identity_; }
  const std::string& listener_name() const { return listener_->config.name; }
  std::chrono::steady_clock::time_point connected() const { return connected_; }
  const ttrpc::StreamMap<std::unique_ptr<Call>>& calls() const { return calls_; }

  // Pressure uses these.
  const UserAccount& account() const { return slot_.account(); }
  size_t held() const { return slot_.buffered(); }
  // While true, neither the peer nor its backends are read, and messages that were read already
  // wait.
  void HoldUp(bool held_up);
  // Covers the peer's connection and its own backend connections; see ttrpc::Connection.
  std::optional<uint64_t> stuck_since() const;
  void CloseForLimit(Limit limit);

 private:
  // Callbacks of the peer's connection.
  void OnMessage(const ttrpc::MessageHeader& header, std::string_view data) override;
  void OnOversizedMessage(const ttrpc::MessageHeader& header) override;
  void OnSendQueueLow() override { UpdateReading(); }
  void OnHeldChanged() override { UpdateHeld(); }
  void OnPartialMessage(bool partial) override { timeouts_.OnPartialMessage(partial); }
  void OnWriteBlocked(bool blocked) override { timeouts_.OnWriteBlocked(blocked); }
  void OnClosed(ttrpc::CloseReason reason, int error_number) override;

  // Callbacks of the calls' backend connections, and of the pool of the peer's own ones.
  void OnBackendMessage(Call& call, const ttrpc::MessageHeader& header,
                        std::string_view data) override;
  void OnBackendOversizedMessage(Call& call, const ttrpc::MessageHeader& header) override;
  void AnswerCall(Call& call, const ttrpc::Status& status, const AuditCause& cause) override;
  void LoseBackend(const BackendConfig& backend) override;
  void OnBackendLost(BackendConnection& connection) override {
    LoseBackend(connection.backend().config());
  }
  void OnAheadUnreachable(BackendConnection& connection) override;
  void OnBackendSendQueueLow() override { UpdateReading(); }
  void OnBackendHeldChanged() override { UpdateHeld(); }

  void OnTimeout(PeerTimeout timeout) override;
  bool reading_paused() const override { return linger_ || connection_.reading_paused(); }

  // Returns whether the peer still belongs to an older generation.
  bool stale() const { return generation_ != context_.generation; }
  // Returns false if the kernel does not report the groups.
  bool ReadGroups();
  void CountAsPeer(ListenerCounters* counters);
  void RetireOldBackends();
  void CloseAfterFlush();
  void TearDown(const AuditCause& cause);

  // Requests.
  void OnRequest(const ttrpc::MessageHeader& header, std::string_view data);
  Outcome Check(const ttrpc::MessageHeader& header, std::string_view data);
  // Counts a request towards its user's rate, even if it is refused or denied later. Returns false
  // if the rate is exceeded.
  bool TakeRequest(const Outcome& outcome);
  // The slots that a call holds until its end.
  struct CallSlots {
    AuditReservation audit;
    CallSlot call;
  };
  // These take a permitted request one step further, or make its outcome fail.
  void StartCall(const AuditedRequest& what, bool within_rate, Outcome* outcome);
  bool TakeSlots(const AuditedRequest& what, bool within_rate, CallSlots* slots, Outcome* outcome);
  std::optional<Limit> TakeSlot(CallSlot* slot);
  // Sets the timeout and the metadata, and returns the new encoded size.
  std::optional<size_t> Rewrite(const RuleConfig& rule, ttrpc::RequestView* request,
                                Outcome* outcome);
  // Returns null if it made the outcome fail.
  BackendConnection* FindBackend(const RuleConfig& rule, const StreamState& state,
                                 Outcome* outcome);
  ttrpc::Status BackendLimitStatus(Limit limit) const;
  void SetMetadata(const BackendConfig& backend, ttrpc::RequestView* request);
  void Forward(const AuditedRequest& what, size_t size, std::unique_ptr<Call> call);
  // A timeout of 0 means no deadline.
  void StartDeadline(Call* call, std::chrono::nanoseconds timeout);
  FoundBackend BackendFor(const Ref<Backend>& backend, const StreamState& state);
  SharedBackend& Shared(const Ref<Backend>& backend);

  // Workloads.
  WorkloadScope scope() const;
  // Opens the connections that calls at a workload's own socket may need, or closes the peer.
  void ConnectAhead();
  // Returns the backend for a call that this rule allows; null if it leads to a workload's address
  // and there is none.
  Ref<Backend> BackendOf(const RuleConfig& rule, const Outcome& outcome) const;
  // Gives the admission the name of the user if a rule needs it. Stops reading until it is known.
  void LearnUser();
  void OnUser(std::string name);

  // Data.
  void OnData(const ttrpc::MessageHeader& header, std::string_view data);
  void ForwardToPeer(const Call& call, ttrpc::MessageHeader header, std::string_view data);

  // Answers and ends of calls.
  void Answer(uint32_t id, const ttrpc::Status& status);
  // Counts and reports the outcome of a message that is not forwarded, and answers it. `what` is
  // the request; it is null if the message is not one.
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
  Ref<WorkloadState> front_;
  PeerIdentity identity_;
  PeerAudit audit_;
  PeerOutcomes outcomes_;
  PeerGroups groups_;
  std::unique_ptr<GroupReader::Request> group_request_;  // while the groups are being read
  Admission admission_;
  std::unique_ptr<UserNameReader::Request> user_request_;  // while the user's name is looked up
  std::unique_ptr<std::string> user_;                      // null until it was needed and known
  ListenerCounters* counted_in_ = nullptr;                 // the counters that include this peer
  ttrpc::Connection connection_;
  ConnectionSlot slot_;
  std::list<Peer>::iterator position_;
  std::chrono::steady_clock::time_point connected_;
  PeerTimeouts timeouts_;
  bool held_up_ = false;
  bool gone_ = false;
  size_t call_bytes_ = 0;     // memory of the calls in flight
  size_t calls_counted_ = 0;  // the part of call_bytes_ that was charged to the user
  ttrpc::StreamMap<std::unique_ptr<Call>> calls_;  // by the peer's id
  BackendPool backends_;
  std::vector<SharedBackend*> shared_;                   // those that this peer has joined
  ttrpc::RingNode abandoned_;                            // ended calls that backends still work on
  std::unique_ptr<IdentityMetadata> identity_metadata_;  // created when first forwarded
  std::unique_ptr<ttrpc::Timer> linger_;                 // runs while the peer is closing
};

}  // namespace proxyd
