// SPDX-License-Identifier: Apache-2.0
//
// The part of Peer that decides which of its sockets are read, counts the memory that it holds and
// carries out what Pressure decides.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "proxy/peer.h"

namespace proxyd {

void Peer::StopIfFull(const ttrpc::Connection& queue) {
  if (queue.send_queue_full()) UpdateReading();
}

// While a send queue is full, the side that fills it is not read: the peer for a backend's queue,
// the backends for the peer's. The proxy's own answers also fill the peer's queue. They stop the
// peer at a much higher mark, so that a backend's reply alone does not stop requests.
void Peer::UpdateReading() {
  bool backend_full = backends_.send_queue_full();
  for (const SharedBackend* shared : shared_) backend_full |= shared->send_queue_full();
  const size_t most =
      size_t{context_.limits().message_size} + 2 * ttrpc::ConnectionOptions().send_queue_high;
  const bool peer_full = connection_.send_queue_full();
  // Shared connections are read even then, so the peer must not cause more replies.
  const bool too_full = peer_full && (!shared_.empty() || connection_.send_queue_size() > most);
  if (held_up_ || group_request_ || user_request_ || backend_full || too_full) {
    connection_.PauseReading();
  } else {
    connection_.ResumeReading();
  }
  if (held_up_ || peer_full) {
    backends_.PauseReading();
  } else {
    backends_.ResumeReading();
  }
}

void Peer::UpdateHeld() {
  const size_t held = connection_.held() + calls_counted_ + backends_.held();
  const bool grew = held > slot_.buffered();
  slot_.SetBuffered(held);
  if (grew) context_.owner.OnPeerGrew(*this);
}

// The memory of calls is charged in steps, since a few calls come and go with each wake-up. The
// part that is not charged is bounded by calls_per_user.
void Peer::CountCalls() {
  constexpr size_t kStep = 16384;
  const bool grew = call_bytes_ > calls_counted_;
  const size_t change = grew ? call_bytes_ - calls_counted_ : calls_counted_ - call_bytes_;
  if (change < kStep) return;
  const size_t others = slot_.buffered() - calls_counted_;
  calls_counted_ = call_bytes_ / kStep * kStep;
  slot_.SetBuffered(others + calls_counted_);
  if (grew) context_.owner.OnPeerGrew(*this);
}

std::optional<uint64_t> Peer::stuck_since() const {
  const std::optional<uint64_t> own = connection_.stuck_since();
  const std::optional<uint64_t> backends = backends_.stuck_since();
  if (own && backends) return std::min(*own, *backends);
  return own ? own : backends;
}

void Peer::HoldUp(bool held_up) {
  if (held_up_ == held_up) return;
  held_up_ = held_up;
  UpdateReading();
}

}  // namespace proxyd
