// SPDX-License-Identifier: Apache-2.0
//
// Board: the memory that all processes of the soak test share. Backends and the conductor write
// down whom they cut off before they do it, so that a client can tell a call that may fail from one
// that is lost; clients count here what became of their calls. All of it is atomic; any process.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "soak/content.h"

namespace soak {

inline constexpr size_t kMaxUsers = 32;
inline constexpr uint32_t kMaxConnections = 1U << 15;  // of one user, one after another
inline constexpr uint32_t kFirstUid = 30000;           // of nobody, on any machine we know

// Backends by what they are to the daemon, and the service that each serves.
enum class BackendKind { kClosing, kFailing, kShared };
inline constexpr size_t kBackends = 3;
inline constexpr std::array<const char*, kBackends> kBackendNames = {"closing", "failing",
                                                                     "shared"};
inline constexpr std::array<const char*, kBackends> kServices = {"soak.Closing", "soak.Failing",
                                                                 "soak.Shared"};

enum class Outcome {
  kOk,
  kStatus,       // the backend's own, as asked for
  kDeadline,     // DEADLINE_EXCEEDED of a call that had one
  kUnavailable,  // while its backend was down, or had cut its connection
  kExhausted,    // a limit
  kDenied,       // a probe, by the configuration of the moment
  kCancelled,    // we closed the connection
  kCut,          // the connection ended as its backend's did, or since we read nothing for long
  kWrong,        // not what was asked for
  kLost,         // no answer, though nobody ended anything
};
inline constexpr size_t kOutcomes = 10;
inline constexpr std::array<const char*, kOutcomes> kOutcomeNames = {
    "ok",     "status",    "deadline", "unavailable", "exhausted",
    "denied", "cancelled", "cut",      "wrong",       "lost"};

// How long after a backend is back, or after a connection was cut, the daemon may not yet have seen
// it: its loop has other things to do.
inline constexpr uint64_t kGrace = 3000;

inline uint64_t NowMilliseconds() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

// Times in milliseconds of NowMilliseconds(); 0: never.
struct BackendBoard {
  std::atomic<bool> down{true};
  std::atomic<uint64_t> kills{0};
  std::atomic<uint64_t> up_at{0};  // again
  // By user and ConnectionOf(token); those of a shared backend stand at 0.
  std::array<std::array<std::atomic<uint64_t>, kMaxConnections>, kMaxUsers> cut_at{};
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> cuts{0};
  std::atomic<uint64_t> mangled{0};  // requests and data that are not what a client sends
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
  std::atomic<bool> stop{false};  // no new calls; end when the last is answered
  std::array<BackendBoard, kBackends> backends;
  std::array<UserBoard, kMaxUsers> users;
};

}  // namespace soak
