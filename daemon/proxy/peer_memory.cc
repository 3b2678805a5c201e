// SPDX-License-Identifier: Apache-2.0
//
// The part of Peer that counts the memory that it holds, and that acts on what Pressure decides.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "proxy/peer.h"
#include "proxy/worker.h"

namespace proxyd {

void Peer::UpdateHeld() {
  size_t held = connection_.held() + calls_counted_;
  for (const auto& backend : backends_) held += backend->connection().held();
  const bool grew = held > place_.buffered();
  place_.SetBuffered(held);
  if (grew) Grew();
}

// In steps: some calls, which come and go with each wake-up, are not worth a word. What is left out
// is bounded by calls_per_user.
void Peer::CountCalls() {
  constexpr size_t kStep = 16384;
  const bool grew = call_bytes_ > calls_counted_;
  const size_t change = grew ? call_bytes_ - calls_counted_ : calls_counted_ - call_bytes_;
  if (change < kStep) return;
  const size_t others = place_.buffered() - calls_counted_;
  calls_counted_ = call_bytes_ / kStep * kStep;
  place_.SetBuffered(others + calls_counted_);
  if (grew) Grew();
}

void Peer::Grew() {
  worker_.memory().Note();
  worker_.pressure().OnGrowth(*this);
}

std::optional<uint64_t> Peer::stuck_since() const {
  std::optional<uint64_t> since = connection_.stuck_since();
  for (const auto& backend : backends_) {
    const auto other = backend->connection().stuck_since();
    if (other) since = std::min(since.value_or(*other), *other);
  }
  return since;
}

void Peer::HoldUp(bool held_up) {
  if (held_up_ == held_up) return;
  held_up_ = held_up;
  UpdateReading();
}

void Peer::CloseForLimit(Limit limit) {
  outcomes_.Closed(limit);
  Close();
}

}  // namespace proxyd
