// SPDX-License-Identifier: Apache-2.0
//
// Generator: calls bench.Echo/Echo in a closed loop over many connections, each with a fixed number
// of calls in flight. It compares each reply with its request, byte by byte. A wrong, unexpected or
// missing reply ends the process. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "histogram.h"
#include "socket_io.h"
#include "ttrpc/unique_fd.h"
#include "wire.h"

namespace bench {

struct LoadOptions {
  std::string socket;
  uint32_t connections = 1;
  uint32_t in_flight = 1;  // for each connection
  size_t payload = 64;
  double seconds = 1;  // how long calls are measured, after the warm-up
  double warmup = 0.2;
  uint32_t calls = 0;      // for each connection; if not 0, exactly this many calls are made
  uint64_t status = 0;     // status that each call must end with; if not 0, no payload is expected
  uint32_t waits = 0;      // calls of Wait on each connection, made before any other
  TaskTarget task;         // if it has an id, calls are of kTaskMethod instead of kMethod
  double lost_after = 10;  // seconds without a reply after which calls in flight are lost
};

struct LoadResult {
  uint64_t calls = 0;    // calls whose reply came in the measured time
  double seconds = 0;    // how long calls were measured
  Histogram latency;     // latencies of these calls in nanoseconds
  uint64_t checked = 0;  // replies checked, including the warm-up
};

class Generator {
 public:
  explicit Generator(const LoadOptions& options);

  // Connects, makes the calls, and waits for the last reply. May be called once.
  const LoadResult& Run();

 private:
  // A call in flight. Stream id 0, which is never used, marks a free slot.
  struct Slot {
    uint32_t stream_id = 0;
    uint64_t counter = 0;
    uint64_t sent_at = 0;
  };

  struct Connection {
    ttrpc::UniqueFd fd;
    InBuffer in;
    OutBuffer out;
    Interest interest;
    std::vector<Slot> slots;
    uint32_t next_stream_id = 1;
    uint32_t calls_made = 0;
  };

  void ConnectAll();
  void Serve(size_t index, uint32_t events);
  void HandleReply(Connection& connection, const Message& message, uint64_t now);
  static uint32_t NextStreamId(Connection& connection);
  void IssueWaits(Connection& connection);
  void Issue(Connection& connection, Slot& slot, uint64_t now);
  void FlushAndWatch(size_t index);
  bool IsRight(std::string_view payload, uint64_t counter) const;
  bool MayIssue(const Connection& connection, uint64_t now) const;

  LoadOptions options_;
  PayloadPattern pattern_;
  std::string prefix_;  // begins each payload; empty unless calls are of kTaskMethod
  ttrpc::UniqueFd epoll_;
  std::vector<Connection> connections_;
  uint64_t counter_ = 0;  // for all connections: a reply on a wrong one does not match
  uint64_t in_flight_ = 0;
  uint64_t measure_from_ = 0;
  uint64_t measure_until_ = 0;
  LoadResult result_;
};

}  // namespace bench
