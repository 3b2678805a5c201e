// SPDX-License-Identifier: Apache-2.0
//
// The payload that proves each reply belongs to its request: a protobuf message that has a single
// bytes field, `data`, in the one form that every encoder gives it, so that a server which decodes
// it and encodes it anew sends back the same bytes. Values, no I/O; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

// The most `data` that a request with our names can carry in a message every peer takes.
inline constexpr size_t kMaxPayloadSize = (4U << 20) - 64;

// Payloads of one size, each made from its counter: `data` is the counter, then noise that starts
// elsewhere for each counter.
class PayloadPattern {
 public:
  static constexpr size_t kMinSize = sizeof(uint64_t);  // no noise

  explicit PayloadPattern(size_t size);  // of `data`: kMinSize to kMaxPayloadSize

  size_t size() const { return size_; }
  // The whole message's, which is what AppendTo() appends and Matches() compares.
  size_t encoded_size() const { return prefix_.size() + size_; }
  void AppendTo(std::string& out, uint64_t counter) const;
  bool Matches(std::string_view payload, uint64_t counter) const;
  // The same for `data` alone, for those who leave the message to protobuf.
  void AppendDataTo(std::string& out, uint64_t counter) const;
  bool MatchesData(std::string_view data, uint64_t counter) const;

 private:
  std::string_view Noise(uint64_t counter) const;

  size_t size_;
  std::string prefix_;  // tag and length
  std::string noise_;
};

}  // namespace bench
