// SPDX-License-Identifier: Apache-2.0
//
// The names that a request and a rule may have: services, methods, patterns of either, and the
// metadata keys that belong to the proxy. The loader, the gate of each request, `explain` and `tap`
// all ask here, so that a rule can name whatever can be called, and nothing else. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "config/config.h"
#include "ttrpc/metadata.h"
#include "ttrpc/status.h"

namespace proxyd {

// The longest service or method, in bytes. A part of a pattern is held to it, too, since a longer
// one without `*` would match nothing.
inline constexpr size_t kMaxNameLength = 256;

// Only the proxy sets metadata with this prefix; what a client sends under it, in any case, is
// dropped.
inline constexpr std::string_view kReservedMetadataPrefix = "ttrpc-proxy-";
// A backend with forward_identity gets the peer's ids under these keys.
inline constexpr std::string_view kUidMetadata = "ttrpc-proxy-uid";
inline constexpr std::string_view kGidMetadata = "ttrpc-proxy-gid";
inline constexpr std::string_view kPidMetadata = "ttrpc-proxy-pid";

// The parts that a byte may be in. Each kind of part has a bit.
enum NameBytes : uint8_t {
  kMethodBytes = 1,          // [A-Za-z0-9_]
  kServiceBytes = 2,         // also .
  kMethodPatternBytes = 4,   // as a method, also *
  kServicePatternBytes = 8,  // as a service, also *
};

inline constexpr std::array<uint8_t, 256> kNameByteTable = [] {
  std::array<uint8_t, 256> table = {};
  for (const std::string_view bytes :
       {"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789", "_"}) {
    for (const char c : bytes) {
      table[static_cast<unsigned char>(c)] =
          kMethodBytes | kServiceBytes | kMethodPatternBytes | kServicePatternBytes;
    }
  }
  table['.'] = kServiceBytes | kServicePatternBytes;
  table['*'] = kMethodPatternBytes | kServicePatternBytes;
  return table;
}();

// Whether `text` has 1 to kMaxNameLength bytes, all of them of this kind.
constexpr bool IsNameOf(NameBytes kind, std::string_view text) {
  if (text.empty() || text.size() > kMaxNameLength) return false;
  uint8_t common = kind;
  for (const char c : text) common &= kNameByteTable[static_cast<unsigned char>(c)];
  return common != 0;
}

constexpr bool IsServiceName(std::string_view text) { return IsNameOf(kServiceBytes, text); }
constexpr bool IsMethodName(std::string_view text) { return IsNameOf(kMethodBytes, text); }

// True in any case of the letters: a backend may ignore it.
constexpr bool IsReservedMetadata(std::string_view key) {
  return ttrpc::StartsWithIgnoringCase(key, kReservedMetadataPrefix);
}

// A method with its service. The views are into the text that it was read from.
struct MethodName {
  std::string_view service;
  std::string_view method;
  friend bool operator==(const MethodName&, const MethodName&) = default;
};

// Reads /SERVICE/METHOD. INVALID_ARGUMENT: no request may have such a name.
ttrpc::Result<MethodName> ParseMethodName(std::string_view text);

// The form of a method pattern, for the errors of those who read one.
inline constexpr std::string_view kMethodPatternForm =
    "/SERVICE/METHOD, of letters, digits, _ and *, in SERVICE also dots, at most 256 each";
// Reads /SERVICE/METHOD with `*` for any run of characters in either part. Nothing: it is no
// pattern.
std::optional<MethodPattern> ParseMethodPattern(std::string_view text);

}  // namespace proxyd
