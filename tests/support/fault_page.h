// SPDX-License-Identifier: Apache-2.0
//
// FaultPage: memory that a test shares with a process under fault injection. The test says which
// calls of libc fail, and how; faults_preload.cc, in the other process, does so and counts. Any
// thread of either.
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
  kEpollAdd,  // epoll_ctl(2) with EPOLL_CTL_ADD: nothing else of it needs memory
  kEpollWait,
};

constexpr uint32_t FaultBit(FaultCall call) { return 1U << static_cast<uint32_t>(call); }

// The file that holds the page, by its path.
inline constexpr char kFaultPageVariable[] = "TTRPC_TEST_FAULT_PAGE";

// All zero, nothing fails and nothing is counted.
struct FaultPage {
  std::atomic<uint32_t> calls;  // bits: to which calls it applies; written last, and first to 0
  std::atomic<uint32_t> first;  // of these, from 1, the first that fails
  std::atomic<uint32_t> every;  // and then each so many; 0: no other
  std::atomic<int32_t> error;   // errno's number; 0: the call takes `most` bytes or blocks at most
  std::atomic<uint32_t> most;

  std::atomic<uint32_t> seen;  // of these calls
  std::atomic<uint32_t> fired;
};
static_assert(std::atomic<uint32_t>::is_always_lock_free, "it is shared between processes");

}  // namespace test
