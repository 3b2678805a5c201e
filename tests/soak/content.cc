// SPDX-License-Identifier: Apache-2.0
#include "soak/content.h"

#include <cstring>

namespace soak {

namespace {

// The noise has this many different starts, a prime number.
constexpr size_t kNoiseStarts = 65521;

constexpr std::array<std::string_view, kKinds> kMethods = {
    "Small", "Large", "Fail", "Late", "Hold", "Collect", "List", "Chat", "Probe"};

template <typename Head>
std::string WithHead(const Head& head, std::string_view noise) {
  std::string bytes;
  bytes.reserve(sizeof(head) + noise.size());
  bytes.append(reinterpret_cast<const char*>(&head), sizeof(head));
  return bytes.append(noise);
}

}  // namespace

std::string_view Method(Kind kind) { return kMethods[static_cast<size_t>(kind)]; }

Content::Content() {
  noise_.reserve(kMaxSize + kNoiseStarts);
  uint64_t state = 0x9e3779b97f4a7c15;  // xorshift64, which gives the same noise in each process
  while (noise_.size() < kMaxSize + kNoiseStarts) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    noise_.push_back(static_cast<char>(state >> 56));
  }
}

std::string_view Content::Noise(uint64_t token, uint32_t number, size_t size) const {
  const uint64_t mixed = (token + uint64_t{number} * 0x9e37'79b9) * 0xbf58'476d'1ce4'e5b9;
  return std::string_view(noise_).substr((mixed >> 32) % kNoiseStarts, size);
}

std::string Content::Of(const Ask& ask) const {
  return WithHead(ask, Noise(ask.token, ~uint32_t{0}, ask.size));
}

std::string Content::Of(const Part& part, uint32_t size) const {
  return WithHead(part, Noise(part.token, 2 * part.number + part.from_backend, size));
}

std::optional<Ask> Content::ReadAsk(std::string_view bytes) const {
  Ask ask;
  if (bytes.size() < sizeof(ask)) return std::nullopt;
  std::memcpy(static_cast<void*>(&ask), bytes.data(), sizeof(ask));
  if (static_cast<size_t>(ask.kind) >= kKinds || ask.size > kMaxSize || ask.reply_size > kMaxSize ||
      bytes.substr(sizeof(ask)) != Noise(ask.token, ~uint32_t{0}, ask.size)) {
    return std::nullopt;
  }
  return ask;
}

bool Content::Is(std::string_view bytes, const Part& part, uint32_t size) const {
  return bytes.size() == sizeof(part) + size &&
         std::memcmp(bytes.data(), &part, sizeof(part)) == 0 &&
         bytes.substr(sizeof(part)) == Noise(part.token, 2 * part.number + part.from_backend, size);
}

std::string Content::StatusText(uint64_t token) {
  return "call " + std::to_string(token) + " failed, as it was to";
}

}  // namespace soak
