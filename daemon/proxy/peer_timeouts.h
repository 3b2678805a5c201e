// SPDX-License-Identifier: Apache-2.0
//
// PeerTimeouts: the timeouts of one peer. A peer must send a request, complete each message and
// take the bytes that are sent to it in time. It is used on its worker's thread.
#pragma once

#include "config/config.h"
#include "observe/labeled_counters.h"
#include "proxy/deadline_queue.h"
#include "proxy/ref.h"
#include "ttrpc/io_loop.h"

namespace proxyd {

// The deadlines of all peers of one listener: [timeouts], with the listener's overrides.
struct PeerDeadlines : RefCounted {
  PeerDeadlines(ttrpc::IoLoop& loop, const TimeoutsConfig& timeouts)
      : first_request(loop, timeouts.first_request),
        partial_message(loop, timeouts.partial_message),
        idle(loop, timeouts.idle),
        write(loop, timeouts.write) {}
  void Set(const TimeoutsConfig& timeouts);

  DeadlineQueue first_request;
  DeadlineQueue partial_message;
  DeadlineQueue idle;
  DeadlineQueue write;
};

class PeerTimeouts {
 public:
  class Owner {
   public:
    virtual void OnTimeout(PeerTimeout timeout) = 0;
    // Returns whether the peer's messages are late because the proxy does not read them.
    virtual bool reading_paused() const = 0;

   protected:
    ~Owner() = default;
  };

  // `owner` must outlive this.
  PeerTimeouts(Ref<PeerDeadlines> deadlines, Owner& owner);

  // Starts the timeout of a new peer, which has not sent a request yet.
  void AwaitFirstRequest();
  // Starts the idle timeout: the peer has no calls in flight.
  void AwaitRequest() {
    awaited_ = PeerTimeout::kIdle;
    deadlines_->idle.Start(&request_);
  }
  void RequestCame() { request_.Stop(); }
  // Called with what the peer's connection reports.
  void OnPartialMessage(bool partial);
  void OnWriteBlocked(bool blocked);
  void Stop();

 private:
  void MessageLate();

  Ref<PeerDeadlines> deadlines_;  // declared before the deadlines in it
  Owner& owner_;
  Deadline request_;
  Deadline message_;
  Deadline write_;
  PeerTimeout awaited_ = PeerTimeout::kFirstRequest;  // the timeout that request_ runs for
};

}  // namespace proxyd
