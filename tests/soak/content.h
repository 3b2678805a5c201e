// SPDX-License-Identifier: Apache-2.0
//
// Content: the bytes of calls and replies in the soak test. Each message begins with its call and
// its place in it, and the rest follows from these, so that a lost, repeated, cut or foreign
// message is detected. Values, no I/O; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace soak {

// The kinds of calls. Each is a method of its own, called Method(kind).
enum class Kind : uint32_t {
  kSmall,          // unary
  kLarge,          // unary, up to the greatest size of a message
  kFailing,        // unary, answered with a status of the backend
  kLate,           // unary with a deadline; the reply comes before it, close to it, or never
  kHeld,           // unary, never answered; ends with its connection
  kClientStream,   // parts in, one reply
  kServerStream,   // one request, parts out
  kBidirectional,  // each part is answered by a part
  kProbe,          // unary, allowed only by every other configuration
};
inline constexpr size_t kKinds = 9;
std::string_view Method(Kind kind);

// The first 32 bytes of a call's first message: the call's identity and the reply that it wants.
struct Ask {
  uint64_t token = 0;  // unique for each call; see Token()
  Kind kind = Kind::kSmall;
  uint32_t size = 0;        // bytes after the Ask, and after each Part that goes to the backend
  uint32_t parts = 0;       // how many parts a stream has
  uint32_t reply_size = 0;  // bytes after each Part that comes back
  uint32_t delay = 0;       // milliseconds before the reply; kNever for none
  uint32_t reserved = 0;

  static constexpr uint32_t kNever = ~uint32_t{0};
};
static_assert(sizeof(Ask) == 32);

// The first 16 bytes of every other message.
struct Part {
  uint64_t token = 0;
  uint32_t number = 0;        // counted from 0; in the reply to a stream, how many parts came
  uint32_t from_backend = 0;  // makes a part differ from its echo
};
static_assert(sizeof(Part) == 16);

// Combines user, connection and call into one number.
constexpr uint64_t Token(uint32_t user, uint32_t connection, uint32_t call) {
  return uint64_t{user} << 56 | uint64_t{connection} << 32 | call;
}
constexpr uint32_t UserOf(uint64_t token) { return static_cast<uint32_t>(token >> 56); }
constexpr uint32_t ConnectionOf(uint64_t token) {
  return static_cast<uint32_t>(token >> 32) & 0xff'ffff;
}

// The largest `size` that fits into a message together with its Ask and the envelope.
inline constexpr size_t kMaxSize = (4U << 20) - 256;

class Content {
 public:
  Content();

  std::string Of(const Ask& ask) const;
  std::string Of(const Part& part, uint32_t size) const;
  // Returns the Ask that Of() encoded, or nothing.
  std::optional<Ask> ReadAsk(std::string_view bytes) const;
  bool Is(std::string_view bytes, const Part& part, uint32_t size) const;
  // Returns the text of the status for a kFailing call.
  static std::string StatusText(uint64_t token);

 private:
  std::string_view Noise(uint64_t token, uint32_t number, size_t size) const;

  std::string noise_;
};

}  // namespace soak
