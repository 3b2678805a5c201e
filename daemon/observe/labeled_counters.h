// SPDX-License-Identifier: Apache-2.0
//
// LabeledCounters: what a worker counts for each listener, backend, rule and method. Counters stay
// when a reload removes their names from the configuration, so that no counter goes back and
// references remain valid. Labels are names of the configuration only, so that no peer can add any.
// WorkerCounters has what a worker counts as a whole. Only the worker's thread uses this.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/status.h"

namespace proxyd {

// The statuses that ttrpc defines. Any other status counts as UNKNOWN, which is its meaning.
inline constexpr size_t kStatusCodes = 17;

// Durations, sorted into buckets by their length.
class Histogram {
 public:
  // Inclusive upper bounds. Longer durations are in one more bucket.
  static constexpr std::array<std::chrono::nanoseconds, 18> kBounds = [] {
    constexpr std::array<int64_t, 18> kMicroseconds = {
        50,    100,    250,    500,    1000,    2500,    5000,    10000,    25000,
        50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 60000000};
    std::array<std::chrono::nanoseconds, 18> bounds{};
    for (size_t i = 0; i < bounds.size(); ++i)
      bounds[i] = std::chrono::microseconds(kMicroseconds[i]);
    return bounds;
  }();

  void Add(std::chrono::nanoseconds span) {
    const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), span);
    ++buckets_[static_cast<size_t>(bound - kBounds.begin())];
    ++count_;
    sum_ += span;
  }
  // The number in each bucket, not cumulated.
  const std::array<uint64_t, kBounds.size() + 1>& buckets() const { return buckets_; }
  uint64_t count() const { return count_; }
  std::chrono::nanoseconds sum() const { return sum_; }

 private:
  std::array<uint64_t, kBounds.size() + 1> buckets_{};
  uint64_t count_ = 0;
  std::chrono::nanoseconds sum_{0};
};

// The timeouts that close a peer's connection, named as in [timeouts].
enum class PeerTimeout { kFirstRequest, kPartialMessage, kIdle, kWrite };
inline constexpr std::array<std::string_view, 4> kPeerTimeoutNames = {
    "first_request", "partial_message", "idle", "write"};

struct ListenerCounters {
  uint64_t peers = 0;  // connected now
  // Connections by outcome.
  uint64_t admitted = 0;
  uint64_t not_admitted = 0;    // no rule could allow them any call
  uint64_t no_credentials = 0;  // the kernel did not identify the client
  uint64_t over_limit = 0;
  uint64_t refused() const { return not_admitted + no_credentials + over_limit; }
  std::array<uint64_t, kPeerTimeoutNames.size()> timeouts{};  // by PeerTimeout
};

// A call that a backend works on, in the ring of its backend.
struct CallInFlight : ttrpc::RingNode {
  std::chrono::steady_clock::time_point start;
};

struct BackendCounters {
  uint64_t connections = 0;      // open
  uint64_t calls_in_flight = 0;  // on these connections
  uint64_t connects = 0;         // successful attempts
  uint64_t connects_failed = 0;
  // These three are about the last attempt. A reload that replaces the backend resets them.
  bool tried = false;  // there was an attempt
  bool up = false;
  std::string last_error;
  Histogram durations;  // only forwarded calls
  // The calls in flight, the oldest first. The owner of a call removes it at its end.
  ttrpc::RingNode in_flight;

  // Returns when the oldest call began; none if there is no call.
  std::optional<std::chrono::steady_clock::time_point> oldest_call() const {
    if (in_flight.alone()) return std::nullopt;
    return static_cast<const CallInFlight*>(in_flight.next)->start;
  }
};

// How often a rule has decided. With enforce = false, how often it would have.
struct RuleCounters {
  uint64_t decisions = 0;
};

// Calls that have ended, by status.
struct MethodCounters {
  std::array<uint64_t, kStatusCodes> ended{};

  void Count(ttrpc::StatusCode code) {
    auto index = static_cast<size_t>(code);
    if (index >= ended.size()) index = static_cast<size_t>(ttrpc::StatusCode::kUnknown);
    ++ended[index];
  }
};

class LabeledCounters {
 public:
  struct RuleKey {
    std::string listener;
    std::string rule;  // "" if none matched
    RuleConfig::Action action;
    bool enforced;
    // clang-tidy mistakes the compiler's code for a 0 that should be nullptr.
    friend auto operator<=>(const RuleKey&, const RuleKey&) = default;  // NOLINT
  };
  struct MethodKey {
    std::string listener;
    std::string backend;  // "" if none was chosen
    std::string service;
    std::string method;
    friend auto operator<=>(const MethodKey&, const MethodKey&) = default;  // NOLINT
  };

  ListenerCounters& Listener(const std::string& name) { return listeners_[name]; }
  BackendCounters& Backend(const std::string& name) { return backends_[name]; }
  RuleCounters& Rule(const RuleKey& key) { return rules_[key]; }
  MethodCounters& Method(const MethodKey& key) { return methods_[key]; }

  const std::map<std::string, ListenerCounters>& listeners() const { return listeners_; }
  const std::map<std::string, BackendCounters>& backends() const { return backends_; }
  const std::map<RuleKey, RuleCounters>& rules() const { return rules_; }
  const std::map<MethodKey, MethodCounters>& methods() const { return methods_; }

 private:
  std::map<std::string, ListenerCounters> listeners_;
  std::map<std::string, BackendCounters> backends_;
  std::map<RuleKey, RuleCounters> rules_;
  std::map<MethodKey, MethodCounters> methods_;
};

}  // namespace proxyd
