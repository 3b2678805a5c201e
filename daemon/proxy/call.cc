// SPDX-License-Identifier: Apache-2.0
#include "proxy/call.h"

#include <utility>

namespace proxyd {

namespace {
// About as many calls as a busy worker ends in one wake-up.
constexpr size_t kSpareCalls = 256;
}  // namespace

void CallLabel::Set(std::string_view service, std::string_view method,
                    std::string_view traceparent) {
  method_ = service.size();
  traceparent_ = method_ + method.size();
  end_ = traceparent_ + traceparent.size();
  if (text_.size() < end_) text_.resize(end_);
  service.copy(text_.data(), service.size());
  method.copy(text_.data() + method_, method.size());
  traceparent.copy(text_.data() + traceparent_, traceparent.size());
}

Call::~Call() = default;

void Call::Reset() {
  id = 0;
  backend_id = 0;
  owner = nullptr;
  backend = nullptr;
  generation = {};
  rule = 0;
  workload = {};
  counters = nullptr;
  start = {};
  in_flight.Leave();
  request_bytes = 0;
  response_bytes = 0;
  label.Clear();
  label.end_wanted = false;
  label.pod_known = false;
  bytes = 0;
  slot.Release();
  audit_reservation.Release();
  deadline.reset();
}

std::unique_ptr<Call> SpareCalls::New(const StreamState& state) {
  if (spare_.empty()) return std::make_unique<Call>(state);
  std::unique_ptr<Call> call = std::move(spare_.back());
  spare_.pop_back();
  call->state = state;
  return call;
}

void SpareCalls::Recycle(std::unique_ptr<Call> call) {
  call->Reset();
  if (spare_.size() < kSpareCalls) spare_.push_back(std::move(call));
}

}  // namespace proxyd
