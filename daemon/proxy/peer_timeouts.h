// SPDX-License-Identifier: Apache-2.0
//
// PeerTimeouts: what one peer is waited for: a request, the end of a message, that it takes bytes.
// On its worker's thread.
#pragma once

#include "config/config.h"
#include "observe/labeled_counters.h"
#include "proxy/deadline_queue.h"
#include "proxy/ref.h"
#include "ttrpc/io_loop.h"

namespace proxyd {

// What the peers of one listener are waited for: [timeouts], with its overrides.
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
    // Its messages do not come because we do not read them.
    virtual bool reading_paused() const = 0;

   protected:
    ~Owner() = default;
  };

  // `owner` must outlive it.
  PeerTimeouts(Ref<PeerDeadlines> deadlines, Owner& owner);

  // It is connected, and has sent no request.
  void AwaitFirstRequest();
  // None of its calls is in flight.
  void AwaitRequest() {
    awaited_ = PeerTimeout::kIdle;
    deadlines_->idle.Start(&request_);
  }
  void RequestCame() { request_.Stop(); }
  // As its connection tells.
  void OnPartialMessage(bool partial);
  void OnWriteBlocked(bool blocked);
  void Stop();

 private:
  void MessageLate();

  Ref<PeerDeadlines> deadlines_;  // before what stands in it
  Owner& owner_;
  Deadline request_;
  Deadline message_;
  Deadline write_;
  PeerTimeout awaited_ = PeerTimeout::kFirstRequest;  // by request_
};

}  // namespace proxyd
