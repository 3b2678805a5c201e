// SPDX-License-Identifier: Apache-2.0
#include "payload.h"

#include <cstring>

namespace bench {
namespace {

constexpr char kDataTag = 0x0a;  // field 1, bytes

// The noise has this many different starts, a prime number, so that no batch size divides it.
constexpr size_t kNoiseStarts = 251;

using CounterBytes = std::array<char, sizeof(uint64_t)>;

// The bytes are only compared on the same machine, so their order does not matter.
CounterBytes BytesOf(uint64_t counter) {
  CounterBytes bytes;
  std::memcpy(bytes.data(), &counter, bytes.size());
  return bytes;
}

}  // namespace

PayloadPattern::PayloadPattern(size_t size) : size_(size), prefix_(1, kDataTag) {
  for (size_t rest = size; rest > 0 || prefix_.size() == 1; rest >>= 7) {
    prefix_.push_back(static_cast<char>((rest & 0x7f) | (rest >= 0x80 ? 0x80 : 0)));
  }
  noise_.reserve(size - kMinSize + kNoiseStarts);
  uint64_t state = 0x9e3779b97f4a7c15;  // xorshift64, which gives the same noise in each run
  for (size_t i = 0; i < size - kMinSize + kNoiseStarts; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    noise_.push_back(static_cast<char>(state >> 56));
  }
}

std::string_view PayloadPattern::Noise(uint64_t counter) const {
  return std::string_view(noise_).substr(counter % kNoiseStarts, size_ - kMinSize);
}

void PayloadPattern::AppendTo(std::string& out, uint64_t counter) const {
  out.append(prefix_);
  AppendDataTo(out, counter);
}

void PayloadPattern::AppendDataTo(std::string& out, uint64_t counter) const {
  const CounterBytes head = BytesOf(counter);
  out.append(head.data(), head.size());
  out.append(Noise(counter));
}

bool PayloadPattern::Matches(std::string_view payload, uint64_t counter) const {
  return payload.substr(0, prefix_.size()) == prefix_ &&
         MatchesData(payload.substr(prefix_.size()), counter);
}

bool PayloadPattern::MatchesData(std::string_view data, uint64_t counter) const {
  if (data.size() != size_) return false;
  const CounterBytes head = BytesOf(counter);
  return data.substr(0, kMinSize) == std::string_view(head.data(), head.size()) &&
         data.substr(kMinSize) == Noise(counter);
}

}  // namespace bench
