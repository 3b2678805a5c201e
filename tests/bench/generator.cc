// SPDX-License-Identifier: Apache-2.0
#include "generator.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <limits>
#include <utility>

namespace bench {
namespace {

constexpr int kEvents = 64;
constexpr int kWakeUpMilliseconds = 100;  // also if a proxy answers nothing
constexpr uint64_t kNanoseconds = 1'000'000'000;
// The limit on the time for a given number of calls.
constexpr uint64_t kLongestCount = 60 * kNanoseconds;

uint64_t Now() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

uint64_t Nanoseconds(double seconds) {
  return static_cast<uint64_t>(seconds * static_cast<double>(kNanoseconds));
}

}  // namespace

Generator::Generator(const LoadOptions& options)
    : options_(options),
      pattern_(options.payload),
      prefix_(options.task.id.empty() ? "" : TaskPrefix(options.task, pattern_)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      connections_(options.connections) {
  if (!epoll_) FailErrno("epoll_create1");
}

void Generator::ConnectAll() {
  for (Connection& connection : connections_) {
    connection.fd = ConnectUnix(options_.socket);
    connection.slots.resize(options_.in_flight);
  }
}

bool Generator::MayIssue(const Connection& connection, uint64_t now) const {
  if (options_.calls > 0) return connection.calls_made < options_.calls;
  return now < measure_until_;
}

uint32_t Generator::NextStreamId(Connection& connection) {
  if (connection.next_stream_id > std::numeric_limits<uint32_t>::max() / 2) {
    Fail("stream ids ran out");
  }
  return std::exchange(connection.next_stream_id, connection.next_stream_id + 2);
}

// The server answers the next calls on a connection after it has read these.
void Generator::IssueWaits(Connection& connection) {
  for (uint32_t i = 0; i < options_.waits; ++i) {
    AppendRequest(connection.out.bytes(), NextStreamId(connection), kWaitMethod, ++counter_,
                  pattern_);
  }
}

void Generator::Issue(Connection& connection, Slot& slot, uint64_t now) {
  slot = {.stream_id = NextStreamId(connection), .counter = ++counter_, .sent_at = now};
  ++connection.calls_made;
  ++in_flight_;
  if (prefix_.empty()) {
    AppendRequest(connection.out.bytes(), slot.stream_id, kMethod, slot.counter, pattern_);
  } else {
    AppendTaskRequest(connection.out.bytes(),
                      {.stream_id = slot.stream_id,
                       .prefix = prefix_,
                       .name_space = options_.task.name_space,
                       .counter = slot.counter},
                      pattern_);
  }
}

bool Generator::IsRight(std::string_view payload, uint64_t counter) const {
  return payload.starts_with(prefix_) && pattern_.Matches(payload.substr(prefix_.size()), counter);
}

void Generator::HandleReply(Connection& connection, const Message& message, uint64_t now) {
  const uint32_t stream_id = message.header.stream_id;
  if (message.header.type != ttrpc::MessageType::kResponse || stream_id == 0) {
    Fail("a message that is no response");
  }
  const auto slot = std::find_if(connection.slots.begin(), connection.slots.end(),
                                 [&](const Slot& s) { return s.stream_id == stream_id; });
  if (slot == connection.slots.end()) {
    Fail("a reply on stream " + std::to_string(stream_id) + ", where no call waits for one");
  }
  Reply reply;
  if (!ParseReply(message.data, reply)) Fail("a response that does not parse");
  if (reply.code != options_.status) {
    Fail("status " + std::to_string(reply.code) + ": " + std::string(reply.status_message));
  }
  const bool right =
      options_.status == 0 ? IsRight(reply.payload, slot->counter) : reply.payload.empty();
  if (!right) {
    Fail("the reply on stream " + std::to_string(stream_id) + " is not what was sent");
  }
  ++result_.checked;
  --in_flight_;
  if (now >= measure_from_ && now < measure_until_) result_.latency.Add(now - slot->sent_at);
  slot->stream_id = 0;
  if (MayIssue(connection, now)) Issue(connection, *slot, now);
}

void Generator::FlushAndWatch(size_t index) {
  Connection& connection = connections_[index];
  if (!connection.out.Flush(connection.fd.get())) Fail("connection closed while writing");
  const uint32_t events = EPOLLIN | (connection.out.pending() > 0 ? uint32_t{EPOLLOUT} : 0U);
  connection.interest.Set(epoll_.get(), connection.fd.get(), events, index);
}

void Generator::Serve(size_t index, uint32_t events) {
  Connection& connection = connections_[index];
  if ((events & ~uint32_t{EPOLLOUT}) != 0) {
    const auto read = connection.in.ReadFrom(connection.fd.get());
    if (read == InBuffer::ReadResult::kEnd) {
      Fail("connection closed, " + std::to_string(in_flight_) + " calls in flight");
    }
    // The time is read once for all messages of one read(2). The calls that they start leave in one
    // write.
    const uint64_t now = Now();
    while (const auto message = connection.in.NextMessage()) {
      HandleReply(connection, *message, now);
    }
  }
  FlushAndWatch(index);
}

const LoadResult& Generator::Run() {
  ConnectAll();
  const uint64_t start = Now();
  const bool by_count = options_.calls > 0;
  measure_from_ = by_count ? start : start + Nanoseconds(options_.warmup);
  measure_until_ = by_count ? start + kLongestCount : measure_from_ + Nanoseconds(options_.seconds);
  for (size_t i = 0; i < connections_.size(); ++i) {
    IssueWaits(connections_[i]);
    for (Slot& slot : connections_[i].slots) {
      if (MayIssue(connections_[i], start)) Issue(connections_[i], slot, Now());
    }
    FlushAndWatch(i);
  }
  std::array<epoll_event, kEvents> events{};
  const uint64_t longest_wait = Nanoseconds(options_.lost_after);
  uint64_t last_progress = start;
  while (in_flight_ > 0) {
    const int ready = ::epoll_wait(epoll_.get(), events.data(), kEvents, kWakeUpMilliseconds);
    if (ready < 0 && errno != EINTR) FailErrno("epoll_wait");
    const uint64_t checked = result_.checked;
    for (int i = 0; i < ready; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      Serve(event.data.u64, event.events);
    }
    const uint64_t now = Now();
    if (result_.checked > checked) last_progress = now;
    if (now - last_progress > longest_wait || now > measure_until_ + longest_wait) {
      Fail(std::to_string(in_flight_) + " calls lost: no reply");
    }
  }
  result_.calls = result_.latency.total();
  result_.seconds = by_count
                        ? static_cast<double>(Now() - start) / static_cast<double>(kNanoseconds)
                        : options_.seconds;
  return result_;
}

}  // namespace bench
