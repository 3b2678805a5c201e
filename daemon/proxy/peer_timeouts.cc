// SPDX-License-Identifier: Apache-2.0
#include "proxy/peer_timeouts.h"

#include <utility>

namespace proxyd {

void PeerDeadlines::Set(const TimeoutsConfig& timeouts) {
  first_request.SetDelay(timeouts.first_request);
  partial_message.SetDelay(timeouts.partial_message);
  idle.SetDelay(timeouts.idle);
  write.SetDelay(timeouts.write);
}

PeerTimeouts::PeerTimeouts(Ref<PeerDeadlines> deadlines, Owner& owner)
    : deadlines_(std::move(deadlines)),
      owner_(owner),
      request_(
          [](void* self) {
            auto* timeouts = static_cast<PeerTimeouts*>(self);
            timeouts->owner_.OnTimeout(timeouts->awaited_);
          },
          this),
      message_([](void* self) { static_cast<PeerTimeouts*>(self)->MessageLate(); }, this),
      write_(
          [](void* self) {
            static_cast<PeerTimeouts*>(self)->owner_.OnTimeout(PeerTimeout::kWrite);
          },
          this) {}

void PeerTimeouts::AwaitFirstRequest() {
  const Duration first = deadlines_->first_request.delay();
  const Duration idle = deadlines_->idle.delay();
  // A new peer has no calls either, so the idle timeout may end first.
  const bool idle_ends_first = idle.count() != 0 && (first.count() == 0 || idle < first);
  awaited_ = idle_ends_first ? PeerTimeout::kIdle : PeerTimeout::kFirstRequest;
  (idle_ends_first ? deadlines_->idle : deadlines_->first_request).Start(&request_);
}

void PeerTimeouts::OnPartialMessage(bool partial) {
  if (partial) {
    deadlines_->partial_message.Start(&message_);
  } else {
    message_.Stop();
  }
}

void PeerTimeouts::MessageLate() {
  if (owner_.reading_paused()) {
    deadlines_->partial_message.Start(&message_);
  } else {
    owner_.OnTimeout(PeerTimeout::kPartialMessage);
  }
}

void PeerTimeouts::OnWriteBlocked(bool blocked) {
  if (blocked) {
    deadlines_->write.Start(&write_);
  } else {
    write_.Stop();
  }
}

void PeerTimeouts::Stop() {
  request_.Stop();
  message_.Stop();
  write_.Stop();
}

}  // namespace proxyd
