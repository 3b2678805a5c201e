// SPDX-License-Identifier: Apache-2.0
//
// FaultPage: memory that a test shares with a process under fault injection. The test chooses which
// calls of libc fail, and how. faults_preload.cc, in the other process, makes them fail and counts
// them. Any thread of either.
#pragma once

#include <atomic>
#include <cstdint>

namespace test {

enum class FaultCall : uint32_t {
  kAccept,
  kConnect,
  kSocket,
  kGetsockopt,
  kRecv,
  kReadv,
  kSend,
  kSendmsg,
  kWrite,
  kPoll,
  kEpollAdd,  // epoll_ctl(2) with EPOLL_CTL_ADD, the only operation that needs memory
  kEpollWait,
};

constexpr uint32_t FaultBit(FaultCall call) { return 1U << static_cast<uint32_t>(call); }

// The environment variable with the path of the file that holds the page.
inline constexpr char kFaultPageVariable[] = "TTRPC_TEST_FAULT_PAGE";

// While all members are zero, nothing fails and nothing is counted.
struct FaultPage {
  std::atomic<uint32_t> calls;  // bits of the calls that are meant; cleared first and written last
  std::atomic<uint32_t> first;  // the first of these calls that fails, counted from 1
  std::atomic<uint32_t> every;  // the interval of later failures; 0 if there are none
  std::atomic<int32_t> error;   // errno; if 0, the call handles at most `most` bytes or blocks
  std::atomic<uint32_t> most;

  std::atomic<uint32_t> seen;  // how many of these calls there were
  std::atomic<uint32_t> fired;
};
static_assert(std::atomic<uint32_t>::is_always_lock_free, "it is shared between processes");

}  // namespace test
