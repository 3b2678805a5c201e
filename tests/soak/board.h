// SPDX-License-Identifier: Apache-2.0
//
// Board: the memory that all processes of the soak test share. Backends and the conductor record
// here which connections they cut before they do so. A client can then distinguish a call that may
// fail from a lost one. Clients count the outcomes of their calls here. All members are atomic; any
// process.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "soak/content.h"

namespace soak {

inline constexpr size_t kMaxUsers = 32;
inline constexpr uint32_t kMaxConnections = 1U << 15;  // a user's connections, one after another
inline constexpr uint32_t kFirstUid = 30000;  // no user has these ids on any machine we know

// The kinds of backends, by what a lost one means to the daemon. Each kind serves one service.
enum class BackendKind { kClosing, kFailing, kShared };
inline constexpr size_t kBackends = 3;
inline constexpr std::array<const char*, kBackends> kBackendNames = {"closing", "failing",
                                                                     "shared"};
inline constexpr std::array<const char*, kBackends> kServices = {"soak.Closing", "soak.Failing",
                                                                 "soak.Shared"};

enum class Outcome {
  kOk,
  kStatus,       // the status that the backend was asked for
  kDeadline,     // DEADLINE_EXCEEDED for a call with a deadline
  kUnavailable,  // the backend was down, or had cut its connection
  kExhausted,    // a limit was reached
  kDenied,       // a probe, denied by the configuration at that time
  kCancelled,    // the client closed the connection
  kCut,    // the connection ended with its backend's, or since the client read nothing for long
  kWrong,  // not the answer that was asked for
  kLost,   // no answer, though nothing ended the call
};
inline constexpr size_t kOutcomes = 10;
inline constexpr std::array<const char*, kOutcomes> kOutcomeNames = {
    "ok",     "status",    "deadline", "unavailable", "exhausted",
    "denied", "cancelled", "cut",      "wrong",       "lost"};

// The time that the daemon may need to notice a backend that is back or a connection that was cut,
// since its loop does other work as well.
inline constexpr uint64_t kGrace = 3000;

inline uint64_t NowMilliseconds() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

// Times are milliseconds of NowMilliseconds(), or 0 for never.
struct BackendBoard {
  std::atomic<bool> down{true};
  std::atomic<uint64_t> kills{0};
  std::atomic<uint64_t> up_at{0};  // after a restart
  // The index is the user and ConnectionOf(token). A shared backend connection has index 0.
  std::array<std::array<std::atomic<uint64_t>, kMaxConnections>, kMaxUsers> cut_at{};
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> cuts{0};
  std::atomic<uint64_t> mangled{0};  // requests and data that differ from what a client sends
};

struct UserBoard {
  std::array<std::array<std::atomic<uint64_t>, kOutcomes>, kKinds> calls{};
  std::atomic<uint64_t> opened{0};
  std::atomic<uint64_t> open{0};
  std::atomic<uint64_t> closed_by_us{0};
  std::atomic<uint64_t> cut{0};
  std::atomic<uint64_t> closed_as_silent{0};
  std::atomic<uint64_t> closed_unexplained{0};
  std::atomic<uint64_t> reloads_seen{0};
};

struct Board {
  std::atomic<bool> stop{false};  // no new calls; clients end when the last is answered
  std::array<BackendBoard, kBackends> backends;
  std::array<UserBoard, kMaxUsers> users;
};

}  // namespace soak
