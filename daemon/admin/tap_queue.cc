// SPDX-License-Identifier: Apache-2.0
#include "admin/tap_queue.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "config/rpc_names.h"
#include "observe/audit_line.h"
#include "policy/match.h"

namespace proxyd {

using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

constexpr std::string_view kMessage = "message";

int64_t Microseconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

// Shortens text that a peer chose to the length that an audit line shows.
std::string Shown(std::string_view text) { return AsText(text.substr(0, kAuditValueLimit)); }

template <typename Set, typename Values>
void Fill(Set* set, const Values& values) {
  set->insert(values.begin(), values.end());
}

template <typename Set, typename Value>
bool Fits(const Set& wanted, const Value& value) {
  return wanted.empty() || wanted.find(value) != wanted.end();
}

}  // namespace

std::string AsText(std::string_view text) {
  std::string ascii(text);
  std::replace_if(
      ascii.begin(), ascii.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; },
      '?');
  return ascii;
}

Status TapQueue::Check(const ttrpc::proxy::v1::TapRequest& request) {
  if (!request.method().empty() && !ParseMethodPattern(request.method()))
    return {StatusCode::kInvalidArgument,
            "method is not a pattern; write " + std::string(kMethodPatternForm)};
  if (request.payload_bytes() > kPayloadBytes)
    return {StatusCode::kInvalidArgument, "payload_bytes is " +
                                              std::to_string(request.payload_bytes()) +
                                              "; use at most " + std::to_string(kPayloadBytes)};
  return {};
}

TapQueue::TapQueue(ttrpc::IoLoop& loop, Reports& reports,
                   const ttrpc::proxy::v1::TapRequest& request,
                   const ttrpc::UnixCredentials& caller)
    : reports_(reports),
      caller_(caller),
      method_(ParseMethodPattern(request.method())),
      payload_bytes_(request.payload_bytes()),
      waiter_(loop) {
  Fill(&uids_, request.uids());
  Fill(&listeners_, request.listeners());
  Fill(&rules_, request.rules());
  Fill(&backends_, request.backends());
  Fill(&outcomes_, request.outcomes());
  Fill(&events_wanted_, request.events());
  reports_.Add(this);
}

TapQueue::~TapQueue() {
  waiter_.Cancel();
  reports_.Remove(this);
}

std::optional<TapQueue::Event> TapQueue::Take() {
  if (ended_ || events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  bytes_ -= event.ByteSizeLong();
  return event;
}

void TapQueue::End(Status status) {
  ended_ = true;
  status_ = std::move(status);
  events_.clear();
  waiter_.Wake();
}

bool TapQueue::Wants(const Subject& subject, std::string_view event) const {
  if (ended_) return false;
  if (!Fits(uids_, subject.uid) || !Fits(listeners_, subject.listener) ||
      !Fits(rules_, subject.rule) || !Fits(backends_, subject.backend) ||
      !Fits(events_wanted_, event))
    return false;
  return !method_ || MatchMethod(*method_, {.service = subject.service, .method = subject.method});
}

void TapQueue::OnRecord(const AuditRecord& record) {
  const Subject subject = {.uid = record.uid,
                           .listener = record.listener,
                           .rule = record.rule,
                           .backend = record.backend,
                           .service = record.service,
                           .method = record.method};
  if (!Wants(subject, EventName(record.event))) return;
  const std::string_view code = record.code ? ttrpc::StatusCodeName(*record.code) : "";
  if (!Fits(outcomes_, code)) return;
  Event event;
  event.set_event(std::string(EventName(record.event)));
  event.set_peer(record.peer);
  event.set_stream_id(record.stream_id);
  event.set_listener(std::string(record.listener));
  event.set_pid(record.pid);
  event.set_uid(record.uid);
  event.set_gid(record.gid);
  event.set_service(Shown(record.service));
  event.set_method(Shown(record.method));
  event.set_kind(std::string(record.kind));
  event.set_rule(std::string(record.rule));
  if (record.enforced) event.set_enforced(*record.enforced);
  event.set_backend(std::string(record.backend));
  event.set_code(std::string(code));
  if (record.duration && record.duration->count() > 0)
    event.set_duration_us(static_cast<uint64_t>(record.duration->count()));
  event.set_request_bytes(record.request_bytes.value_or(0));
  event.set_response_bytes(record.response_bytes.value_or(0));
  event.set_traceparent(Shown(record.traceparent));
  event.set_user(Shown(reports_.audit().UserName(record.uid)));
  event.set_comm(Shown(record.comm));
  if (record.loginuid != kNoLoginUid) event.set_loginuid(record.loginuid);
  event.set_reason(std::string(ReasonName(record.reason)));
  event.set_limit(std::string(record.limit));
  event.set_detail(Shown(record.detail));
  event.set_workload(Shown(record.workload));
  event.set_pod(Shown(record.pod));
  Push(std::move(event));
}

void TapQueue::OnPayload(const PayloadRecord& record) {
  const Subject subject = {.uid = record.uid,
                           .listener = record.listener,
                           .rule = record.rule,
                           .backend = record.backend,
                           .service = record.service,
                           .method = record.method};
  if (!Wants(subject, kMessage)) return;
  Event event;
  event.set_event(std::string(kMessage));
  event.set_peer(record.peer);
  event.set_stream_id(record.stream_id);
  event.set_listener(std::string(record.listener));
  event.set_uid(record.uid);
  event.set_user(Shown(reports_.audit().UserName(record.uid)));
  event.set_service(Shown(record.service));
  event.set_method(Shown(record.method));
  event.set_rule(std::string(record.rule));
  event.set_backend(std::string(record.backend));
  event.set_direction(record.response ? "response" : "request");
  event.set_payload(std::string(record.payload.substr(0, payload_bytes_)));
  event.set_payload_size(record.payload.size());
  Push(std::move(event));
}

void TapQueue::Push(Event event) {
  event.set_time(Microseconds(std::chrono::system_clock::now()));
  event.set_dropped(dropped_);
  const size_t size = event.ByteSizeLong();
  if (events_.size() >= kEvents || bytes_ + size > kBytes) {
    ++dropped_;
    return;
  }
  dropped_ = 0;
  bytes_ += size;
  events_.push_back(std::move(event));
  waiter_.Wake();
}

}  // namespace proxyd
