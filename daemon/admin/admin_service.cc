// SPDX-License-Identifier: Apache-2.0
#include "admin/admin_service.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "admin/list_room.h"
#include "admin/time_fields.h"
#include "config/known_names.h"
#include "config/words.h"
#include "limits/limit.h"
#include "observe/log.h"
#include "policy/explain.h"
#include "proxy/peer.h"
#include "proxy/workloads.h"
#include "ttrpc/timer.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

namespace v1 = ttrpc::proxy::v1;
using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

// Every tap costs time on each call, so their number is limited.
constexpr size_t kTaps = 8;

// NextWakeUp is awaited between slices of long work, so that the loop serves others in between.
class NextWakeUp {
 public:
  explicit NextWakeUp(ttrpc::IoLoop& loop)
      : waiter_(loop), timer_(loop, [this] { waiter_.Wake(); }) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    waiter_.Wait(waiting);
    timer_.Start(std::chrono::nanoseconds(0));
  }
  void await_resume() const noexcept {}

 private:
  ttrpc::Waiter waiter_;
  ttrpc::Timer timer_;
};

void Describe(const LimitsConfig& limits, const BackendLimits& backends, v1::Limits* out) {
  out->set_connections(limits.connections);
  out->set_connections_reserved(limits.connections_reserved);
  out->set_connections_per_user(limits.connections_per_user);
  out->set_calls_per_connection(limits.calls_per_connection);
  out->set_calls_per_user(limits.calls_per_user);
  out->set_requests_per_second_per_user(limits.requests_per_second_per_user);
  out->set_buffered_per_user(limits.buffered_per_user);
  out->set_buffered(limits.buffered);
  out->set_backends_per_peer(limits.backends_per_peer);
  out->set_backend_connections_per_user(backends.per_user);
}

void Describe(const Config& config, size_t index, v1::DecidingRule* out) {
  const RuleConfig& rule = config.rules[index];
  out->set_name(rule.name);
  out->set_action(std::string(WordOf(kActionWords, rule.action)));
  out->set_file(rule.position.file);
  out->set_line(rule.position.line);
  out->set_column(rule.position.column);
  if (rule.action != RuleConfig::Action::kAllow) return;
  out->set_backend(config.backends[rule.backend].name);
  out->set_streams(rule.streams);
}

}  // namespace

// ReloadWait is a caller that waits for the end of a reload. It can be destroyed before that end,
// when the caller disconnects.
class AdminService::ReloadWait {
 public:
  explicit ReloadWait(AdminService& service) : service_(service), waiter_(service.loop_) {
    service_.reload_waits_.push_back(this);
  }
  ~ReloadWait() { std::erase(service_.reload_waits_, this); }
  ReloadWait(const ReloadWait&) = delete;
  ReloadWait& operator=(const ReloadWait&) = delete;

  void Done(const ReloadOutcome& outcome) {
    outcome_ = outcome;
    waiter_.Wake();
  }

  bool await_ready() const noexcept { return outcome_.has_value(); }
  void await_suspend(std::coroutine_handle<> waiting) { waiter_.Wait(waiting); }
  const ReloadOutcome& await_resume() const noexcept { return *outcome_; }

 private:
  AdminService& service_;
  std::optional<ReloadOutcome> outcome_;
  ttrpc::Waiter waiter_;
};

void AdminService::Reloaded(const ReloadOutcome& outcome) {
  for (ReloadWait* wait : reload_waits_) wait->Done(outcome);
}

void AdminService::EndTaps(const std::function<bool(const ttrpc::UnixCredentials&)>& allowed) {
  for (TapQueue* tap : taps_) {
    if (!allowed(tap->caller()))
      tap->End({StatusCode::kPermissionDenied, "no longer listed in [admin] users"});
  }
}

AdminService::Task<v1::GetStatusReply> AdminService::GetStatus(ttrpc::Context&,
                                                               const v1::GetStatusRequest&) {
  const Config& config = info_.config();
  const LabeledCounters& labeled = info_.proxy.worker().labeled_counters();
  v1::GetStatusReply reply;
  reply.set_version(TTRPC_PROXY_VERSION);
  reply.set_pid(::getpid());
  reply.set_start_time(SinceEpoch(info_.started));
  reply.set_draining(info_.draining);
  if (info_.draining) reply.set_drain_time(SinceEpoch(info_.drain_began));
  reply.set_config_file(config.file);
  reply.set_config_digest(info_.digest);
  reply.set_config_load_time(SinceEpoch(info_.loaded));
  reply.set_log_level(std::string(WordOf(kLogLevelWords, LogLevelNow())));
  reply.set_workers(1);
  reply.set_peers(info_.proxy.accounting().connections());
  uint64_t calls = 0;
  for (const auto& [name, backend] : labeled.backends()) calls += backend.calls_in_flight;
  reply.set_calls(calls);
  reply.set_buffered(info_.proxy.accounting().buffered());
  Describe(config.limits, info_.proxy.worker().backend_limits(), reply.mutable_limits());
  for (const ListenerConfig& listener : config.listeners) {
    const ListenerCounters& counts = labeled.listeners().at(listener.name);
    v1::Listener* out = reply.add_listeners();
    out->set_name(listener.name);
    out->set_address(ToString(listener.address));
    out->set_peers(counts.peers);
    out->set_accepted(counts.admitted);
    out->set_refused(counts.refused());
    if (!listener.discovery) continue;
    out->set_workloads_served(info_.proxy.workloads().served(listener.name));
    out->set_workloads_faulty(info_.proxy.workloads().faulty(listener.name));
  }
  reply.set_audit_lost(info_.reports.audit().lost());
  reply.set_sandboxed(info_.sandboxed);
  reply.set_reloads(info_.reloads);
  reply.set_reloads_refused(info_.reloads_refused);
  reply.set_taps(static_cast<uint32_t>(taps_.size()));
  co_return reply;
}

ttrpc::Task<Status> AdminService::GetMetrics(ttrpc::Context&, const v1::GetMetricsRequest&,
                                             ttrpc::SendStream<v1::MetricsPart>& replies) {
  const std::unique_ptr<SlicedText> text = actions_.Metrics();
  for (bool more = true; more;) {
    v1::MetricsPart part;
    more = text->AppendSlice(part.mutable_text());
    if (Status status = co_await replies.Send(part); !status.ok()) co_return status;
    if (more) co_await NextWakeUp(loop_);
  }
  co_return Status();
}

AdminService::Task<v1::ReloadReply> AdminService::Reload(ttrpc::Context&,
                                                         const v1::ReloadRequest&) {
  if (info_.draining) co_return Status(StatusCode::kUnavailable, "draining");
  ReloadWait wait(*this);
  actions_.Reload();
  const ReloadOutcome& outcome = co_await wait;
  if (!outcome.errors.empty()) {
    std::string text;
    for (const std::string& error : LinesThatFit(outcome.errors, "errors"))
      text.append(text.empty() ? "" : "\n") += error;
    co_return Status(StatusCode::kFailedPrecondition, AsText(text));
  }
  v1::ReloadReply reply;
  // A reply that is too long would report an error although the configuration is in force.
  for (const std::string& warning : LinesThatFit(outcome.warnings, "warnings"))
    reply.add_warnings(AsText(warning));
  co_return reply;
}

AdminService::Task<v1::DrainReply> AdminService::Drain(ttrpc::Context& context,
                                                       const v1::DrainRequest&) {
  // A second drain would make the daemon exit at once.
  if (!info_.draining) {
    const ttrpc::UnixCredentials& caller = *context.credentials();
    actions_.Drain("uid " + std::to_string(caller.uid) + ", pid " + std::to_string(caller.pid) +
                   " through [admin]");
  }
  co_return v1::DrainReply();
}

AdminService::Task<v1::SetLogLevelReply> AdminService::SetLogLevel(
    ttrpc::Context&, const v1::SetLogLevelRequest& request) {
  const LogLevel before = LogLevelNow();
  const auto level = FindWord(kLogLevelWords, request.level());
  if (!level)
    co_return Status(StatusCode::kInvalidArgument,
                     "unknown level; use " + Enumerate(ListOf(kLogLevelWords)));
  SetLogLevelNow(*level);
  spdlog::info("log level: {}", request.level());
  v1::SetLogLevelReply reply;
  reply.set_previous(std::string(WordOf(kLogLevelWords, before)));
  co_return reply;
}

AdminService::Task<v1::ExplainReply> AdminService::Explain(ttrpc::Context&,
                                                           const v1::ExplainRequest& request) {
  const Snapshot& snapshot = info_.proxy.snapshot();
  const auto& listeners = snapshot.config.listeners;
  const bool any = request.listener().empty();
  if (any && listeners.size() != 1)
    co_return Status(StatusCode::kInvalidArgument,
                     "the request names no listener; " + UseOneOf(NamesOf(listeners)));
  const auto listener = std::find_if(
      listeners.begin(), listeners.end(),
      [any, &request](const ListenerConfig& own) { return any || own.name == request.listener(); });
  if (listener == listeners.end()) co_return NoSuchName("listener", request.listener(), listeners);
  const auto method = ParseMethodName(request.method());
  if (!method) co_return method.error();
  const std::vector<gid_t> groups(request.groups().begin(), request.groups().end());
  std::vector<ttrpc::MetadataEntry> metadata;
  for (const auto& [key, value] : request.metadata())
    metadata.push_back({.key = key, .value = value});
  std::map<std::string, std::string> annotations;
  for (const auto& [key, value] : request.annotations()) annotations.emplace(key, value);
  const WorkloadView workload = {.name_space = request.namespace_(),
                                 .id = request.id(),
                                 .annotations = annotations.empty() ? nullptr : &annotations};
  const Explanation explanation = proxyd::Explain(
      snapshot, {.listener = static_cast<size_t>(listener - listeners.begin()),
                 .identity = {.uid = request.uid(), .gid = request.gid(), .groups = groups},
                 .method = *method,
                 .metadata = metadata,
                 .workload = workload.empty() ? nullptr : &workload,
                 .user = request.user()});
  v1::ExplainReply reply;
  reply.set_admitted(explanation.admitted);
  reply.set_allowed(explanation.allowed);
  if (explanation.rule) Describe(snapshot.config, *explanation.rule, reply.mutable_rule());
  for (const size_t shadow : explanation.shadows)
    Describe(snapshot.config, shadow, reply.add_shadows());
  reply.set_reason(explanation.reason);
  const size_t room = ListRoom::kBytes - std::min(ListRoom::kBytes, reply.ByteSizeLong());
  for (const std::string& note : LinesThatFit(explanation.notes, "rules", room))
    reply.add_notes(note);
  co_return reply;
}

AdminService::Task<v1::ClosePeerReply> AdminService::ClosePeer(
    ttrpc::Context&, const v1::ClosePeerRequest& request) {
  Worker& worker = info_.proxy.worker();
  v1::ClosePeerReply reply;
  if (request.listener().empty()) {
    Peer* const peer = worker.FindPeer(request.id());
    if (peer == nullptr)
      co_return Status(StatusCode::kNotFound,
                       "peer " + std::to_string(request.id()) + " is not connected");
    peer->Close();
    reply.set_closed(1);
    co_return reply;
  }
  if (!worker.KnowsListener(request.listener()))
    co_return NoSuchName("listener", request.listener(), info_.config().listeners);
  // Peers that connect during this loop stay.
  const uint64_t last_peer = worker.last_peer_id();
  while (const size_t closed = worker.CloseSome(request.listener(), last_peer)) {
    reply.set_closed(reply.closed() + closed);
    co_await NextWakeUp(loop_);
  }
  co_return reply;
}

// A tap with an unknown name would never get an event, so it is an error. A listener can also be
// the admin service, or a removed listener that still has peers.
Status AdminService::CheckNames(const v1::TapRequest& request) const {
  const Config& config = info_.config();
  for (const std::string& name : request.listeners()) {
    if (name != kLabel && !info_.proxy.worker().KnowsListener(name))
      return NoSuchName("listener", name, config.listeners);
  }
  for (const std::string& name : request.rules()) {
    if (!HasName(config.rules, name)) return NoSuchName("rule", name, config.rules);
  }
  for (const std::string& name : request.backends()) {
    if (!HasName(config.backends, name)) return NoSuchName("backend", name, config.backends);
  }
  return {};
}

ttrpc::Task<Status> AdminService::Tap(ttrpc::Context& context, const v1::TapRequest& request,
                                      ttrpc::SendStream<v1::TapEvent>& replies) {
  if (Status status = TapQueue::Check(request); !status.ok()) co_return status;
  if (Status status = CheckNames(request); !status.ok()) co_return status;
  if (taps_.size() >= kTaps)
    co_return Status(
        StatusCode::kResourceExhausted,
        std::to_string(kTaps) + " taps are running, which is the limit; end one first");
  TapQueue tap(loop_, info_.reports, request, *context.credentials());
  struct Listed {
    std::vector<TapQueue*>& taps;
    TapQueue* tap;
    ~Listed() { std::erase(taps, tap); }
  };
  taps_.push_back(&tap);
  const Listed listed{taps_, &tap};
  const ttrpc::CancelHook hook(context, [&tap](const Status& reason) { tap.End(reason); });
  while (!tap.ended()) {
    while (auto event = tap.Take()) {
      if (Status status = co_await replies.Send(*event); !status.ok()) co_return status;
    }
    co_await tap;
  }
  co_return tap.status();
}

}  // namespace proxyd
