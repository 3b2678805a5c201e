// SPDX-License-Identifier: Apache-2.0
//
// PayloadPattern: payloads that prove that each reply belongs to its request. A payload is a
// protobuf message with a single bytes field, `data`, in the form that every encoder gives it: a
// server that decodes and encodes it sends back the same bytes. Values, no I/O; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

// The largest `data` that fits, with our names, into a message that every peer accepts.
inline constexpr size_t kMaxPayloadSize = (4U << 20) - 64;

// Payloads of one size, each made from its counter: `data` is the counter, followed by noise whose
// start depends on the counter.
class PayloadPattern {
 public:
  static constexpr size_t kMinSize = sizeof(uint64_t);  // the counter without noise

  explicit PayloadPattern(size_t size);  // size of `data`, from kMinSize to kMaxPayloadSize

  size_t size() const { return size_; }
  // Size of the whole message, which AppendTo() appends and Matches() compares.
  size_t encoded_size() const { return prefix_.size() + size_; }
  void AppendTo(std::string& out, uint64_t counter) const;
  bool Matches(std::string_view payload, uint64_t counter) const;
  // These do the same for `data` alone, where protobuf handles the message.
  void AppendDataTo(std::string& out, uint64_t counter) const;
  bool MatchesData(std::string_view data, uint64_t counter) const;

 private:
  std::string_view Noise(uint64_t counter) const;

  size_t size_;
  std::string prefix_;  // tag and length
  std::string noise_;
};

}  // namespace bench
