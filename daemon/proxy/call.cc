// SPDX-License-Identifier: Apache-2.0
#include "proxy/call.h"

#include <utility>

namespace proxyd {

namespace {
// About as many calls as a busy worker ends in one wake-up.
constexpr size_t kSpareCalls = 256;
}  // namespace

void Call::Reset(const StreamState& initial) {
  id = 0;
  backend_id = 0;
  owner = nullptr;
  backend = nullptr;
  state = initial;
  generation = {};
  rule = 0;
  workload = {};
  counters = nullptr;
  start = {};
  in_flight.Leave();
  request_bytes = 0;
  response_bytes = 0;
  label.service.clear();
  label.method.clear();
  label.traceparent.clear();
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
  call->Reset(state);
  return call;
}

void SpareCalls::Recycle(std::unique_ptr<Call> call) {
  call->deadline.reset();
  call->in_flight.Leave();
  call->generation = {};
  call->workload = {};
  call->slot.Release();
  call->audit_reservation.Release();
  if (spare_.size() < kSpareCalls) spare_.push_back(std::move(call));
}

}  // namespace proxyd
