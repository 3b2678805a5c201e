// SPDX-License-Identifier: Apache-2.0
//
// Peer: an authenticated client connection. It has each request checked (request_check.h), forwards
// what passes (peer_request.cc), and brings the answers back on the peer's own stream ids. It owns
// its calls and its backend connections. On its worker's thread.
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
#include "proxy/call.h"
#include "proxy/generation.h"
#include "proxy/group_reader.h"
#include "proxy/listener_state.h"
#include "proxy/peer_audit.h"
#include "proxy/peer_outcomes.h"
#include "proxy/peer_timeouts.h"
#include "proxy/request_check.h"
#include "proxy/request_rules.h"
#include "proxy/worker_counters.h"
#include "ttrpc/connection.h"
#include "ttrpc/id_map.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class SharedBackend;
class Worker;

// A connection that was let in.
struct NewPeer {
  PeerIdentity identity;
  Ref<ListenerState> listener;
  PeerGroups groups;
  Admission admission;
  std::optional<ConnectionPlace> place;
};

class Peer final : public ttrpc::ConnectionHandler,
                   public BackendConnectionOwner,
                   private PeerTimeouts::Owner {
 public:
  // `worker` must outlive it.
  Peer(Worker& worker, NewPeer peer, ttrpc::UniqueFd socket);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // `position`: where it stands in the worker's list.
  void Start(std::list<Peer>::iterator position);
  std::list<Peer>::iterator position() const { return position_; }

  // The worker has another generation: goes on under it, or closes if no rule there admits it. It
  // does so before its next message is looked at, or when the worker comes to it.
  void Reload();
  // Is not read, nor reloaded, until its groups were read.
  void AwaitGroups();
  // Whether the worker's generation asks for groups that it does not know.
  bool lacks_groups() const;
  int socket() const { return connection_.fd(); }

  // New calls are refused; it closes after its last.
  void Drain() {
    if (calls_.empty()) CloseAfterFlush();
  }
  // Answers its calls, and closes.
  void EndDrain();
  // Now. What it has not read is lost.
  void Close();

  // For whoever looks at what there is.
  const PeerIdentity& identity() const { return identity_; }
  const std::string& listener_name() const { return listener_->config.name; }
  std::chrono::steady_clock::time_point connected() const { return connected_; }
  const ttrpc::IdMap<std::unique_ptr<Call>>& calls() const { return calls_; }

  // For Pressure.
  const UserAccount& account() const { return place_.account(); }
  size_t held() const { return place_.buffered(); }
  // Neither it nor its backends are read, and what was read waits.
  void HoldUp(bool held_up);
  // As ttrpc::Connection's, of its own connection and its backends'.
  std::optional<uint64_t> stuck_since() const;
  void CloseForLimit(Limit limit);

  // For SharedBackend, and for connections of its own.
  uid_t uid() const override { return identity_.uid; }
  BufferedPlace PlaceForShared() const { return place_.NewBuffered(); }
  void OnBackendMessage(Call& call, const ttrpc::MessageHeader& header,
                        std::string_view data) override;
  void OnBackendOversizedMessage(Call& call, const ttrpc::MessageHeader& header) override;
  void OnBackendSendQueueLow() override { UpdateReading(); }
  void AnswerCall(Call& call, const ttrpc::Status& status);
  // A backend that it cannot be without is gone.
  void LoseBackend();

 private:
  void OnMessage(const ttrpc::MessageHeader& header, std::string_view data) override;
  void OnOversizedMessage(const ttrpc::MessageHeader& header) override;
  void OnSendQueueLow() override { UpdateReading(); }
  void OnHeldChanged() override { UpdateHeld(); }
  void OnPartialMessage(bool partial) override { timeouts_.OnPartialMessage(partial); }
  void OnWriteBlocked(bool blocked) override { timeouts_.OnWriteBlocked(blocked); }
  void OnClosed(ttrpc::CloseReason reason, int error_number) override;

  void OnBackendHeldChanged() override { UpdateHeld(); }
  void OnBackendCallEnded(BackendConnection& connection) override;
  void OnBackendUnreachable(BackendConnection& connection) override;
  void OnBackendStuck(BackendConnection& connection) override;
  void OnBackendClosed(BackendConnection& connection, ttrpc::CloseReason reason) override;

  void OnTimeout() override;
  bool reading_paused() const override { return linger_ || connection_.reading_paused(); }

  // The worker has a generation that it has not come to yet.
  bool stale() const { return generation_ != worker_generation_; }
  // False: the kernel does not give them.
  bool ReadGroups();
  void CountAsPeer(ListenerCounters* counters);
  void RetireOldBackends();

  // Requests.
  void OnRequest(const ttrpc::MessageHeader& header, std::string_view data);
  Outcome Check(const ttrpc::MessageHeader& header, std::string_view data);
  // Also of a request that is then refused or denied: each counts for its user's rate.
  bool TakeRequest(const Outcome& outcome);
  // What a call holds until its end.
  struct CallPlaces {
    AuditPlace audit;
    CallPlace call;
  };
  // These take a permitted request further, or make its outcome fail.
  void StartCall(const AuditedRequest& what, bool within_rate, Outcome* outcome);
  bool TakePlaces(const AuditedRequest& what, bool within_rate, CallPlaces* places,
                  Outcome* outcome);
  std::optional<Limit> TakeCallPlace(CallPlace* place);
  // Sets its timeout and metadata; returns how long it is then.
  std::optional<size_t> Rewrite(const RuleConfig& rule, ttrpc::RequestView* request,
                                Outcome* outcome);
  // Null: the outcome failed.
  BackendConnection* FindBackend(const RuleConfig& rule, const StreamState& state,
                                 Outcome* outcome);
  void SetMetadata(const BackendConfig& backend, ttrpc::RequestView* request);
  void Forward(const AuditedRequest& what, size_t size, std::unique_ptr<Call> call);
  // 0: it has none.
  void StartDeadline(Call* call, std::chrono::nanoseconds timeout);
  FoundBackend BackendFor(const Ref<Backend>& backend, const StreamState& state);
  FoundBackend OwnBackend(const Ref<Backend>& backend);
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
  void AnswerCallsOf(BackendConnection& connection, const ttrpc::Status& status);
  void GiveUp(Call& call, const ttrpc::Status& status);
  void EndCall(Call& call, ttrpc::StatusCode code);
  void Forget(const Call& call);
  void TellEnd(Call& call, ttrpc::StatusCode code);
  void EndAllCalls(ttrpc::StatusCode code);
  void Drop(BackendConnection& connection);
  void LeaveShared();
  void CloseAfterFlush();
  void StopIfFull(const ttrpc::Connection& queue);
  void UpdateReading();
  void UpdateHeld();
  void CountCalls();
  void Grew();

  const Config& config() const { return generation_->config(); }
  const BackendConfig& ConfigOf(const BackendConnection& connection) const;

  Worker& worker_;
  const Ref<Generation>& worker_generation_;
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
  ConnectionPlace place_;
  std::list<Peer>::iterator position_;
  std::chrono::steady_clock::time_point connected_;
  PeerTimeouts timeouts_;
  bool held_up_ = false;
  bool gone_ = false;
  size_t call_bytes_ = 0;                      // memory of its calls in flight
  size_t calls_counted_ = 0;                   // of these, as they were last counted for its user
  ttrpc::IdMap<std::unique_ptr<Call>> calls_;  // by the peer's id
  // At most one for each backend takes calls; the others are retired.
  std::vector<std::unique_ptr<BackendConnection>> backends_;
  std::vector<SharedBackend*> shared_;                   // that it has joined
  ttrpc::RingNode abandoned_;                            // its calls that backends still work on
  std::unique_ptr<IdentityMetadata> identity_metadata_;  // made when first forwarded
  std::unique_ptr<ttrpc::Timer> linger_;                 // while closing
};

}  // namespace proxyd
