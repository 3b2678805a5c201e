// SPDX-License-Identifier: Apache-2.0
//
// TapQueue: queues the events that one caller of Tap asked for. The queue is bounded. A caller that
// is too slow loses events, and later events report how many. It runs on the loop's thread.
#pragma once

#include <sys/types.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "admin/admin.pb.h"
#include "config/config.h"
#include "observe/reports.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

// Makes bytes of a peer valid in a string field: replaces each byte that is not ASCII with `?`.
std::string AsText(std::string_view text);

class TapQueue final : public ReportSink {
 public:
  static constexpr size_t kEvents = 4096;
  static constexpr size_t kBytes = size_t{4} << 20;
  static constexpr uint32_t kPayloadBytes = 64U << 10;  // the most of one message

  // INVALID_ARGUMENT: the request is malformed.
  static ttrpc::Status Check(const ttrpc::proxy::v1::TapRequest& request);

  // `request` must have passed Check(). `loop`, `reports` and `caller` must outlive this object.
  TapQueue(ttrpc::IoLoop& loop, Reports& reports, const ttrpc::proxy::v1::TapRequest& request,
           const ttrpc::UnixCredentials& caller);
  ~TapQueue();
  TapQueue(const TapQueue&) = delete;
  TapQueue& operator=(const TapQueue&) = delete;

  const ttrpc::UnixCredentials& caller() const { return caller_; }

  // Removes and returns the next event, if there is one.
  std::optional<ttrpc::proxy::v1::TapEvent> Take();
  // Ends the tap with `status`. Queued events are dropped.
  void End(ttrpc::Status status);
  bool ended() const { return ended_; }
  const ttrpc::Status& status() const { return status_; }

  // `co_await queue` suspends until there is an event or the tap has ended.
  bool await_ready() const noexcept { return ended_ || !events_.empty(); }
  void await_suspend(std::coroutine_handle<> waiting) { waiter_.Wait(waiting); }
  void await_resume() const noexcept {}

 private:
  using Event = ttrpc::proxy::v1::TapEvent;

  void OnRecord(const AuditRecord& record) override;
  void OnPayload(const PayloadRecord& record) override;
  bool wants_payloads() const override { return payload_bytes_ > 0; }

  // The values of an event that filters are compared with.
  struct Subject {
    uid_t uid;
    std::string_view listener;
    std::string_view rule;
    std::string_view backend;
    std::string_view service;
    std::string_view method;
  };
  bool Wants(const Subject& subject, std::string_view event) const;
  void Push(Event event);

  Reports& reports_;
  const ttrpc::UnixCredentials& caller_;
  std::set<uid_t> uids_;
  std::set<std::string, std::less<>> listeners_;
  std::set<std::string, std::less<>> rules_;
  std::set<std::string, std::less<>> backends_;
  std::optional<MethodPattern> method_;
  std::set<std::string, std::less<>> outcomes_;
  std::set<std::string, std::less<>> events_wanted_;
  const size_t payload_bytes_;

  std::deque<Event> events_;
  size_t bytes_ = 0;  // size of `events_`
  uint64_t dropped_ = 0;
  bool ended_ = false;
  ttrpc::Status status_;
  ttrpc::Waiter waiter_;
};

}  // namespace proxyd
