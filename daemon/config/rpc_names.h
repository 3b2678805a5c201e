// SPDX-License-Identifier: Apache-2.0
//
// The valid names of services and methods, the patterns of rules for them, and the metadata keys
// that belong to the proxy. The loader, the check of each request, `explain` and `tap` share this
// code, so that a rule can name everything that can be called and nothing else. Pure; any thread.
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

// The most bytes of a service or method name. It also limits each part of a pattern, since a longer
// part without `*` would match nothing.
inline constexpr size_t kMaxNameLength = 256;

// Only the proxy sets metadata with this prefix. An entry of a client with the prefix, in upper or
// lower case, is dropped.
inline constexpr std::string_view kReservedMetadataPrefix = "ttrpc-proxy-";
// A backend with forward_identity gets the ids of the peer under these keys.
inline constexpr std::string_view kUidMetadata = "ttrpc-proxy-uid";
inline constexpr std::string_view kGidMetadata = "ttrpc-proxy-gid";
inline constexpr std::string_view kPidMetadata = "ttrpc-proxy-pid";

// The kinds of names and patterns, with the bytes that each may have. Each kind has a bit.
enum NameBytes : uint8_t {
  kMethodBytes = 1,          // [A-Za-z0-9_]
  kServiceBytes = 2,         // [A-Za-z0-9_.]
  kMethodPatternBytes = 4,   // [A-Za-z0-9_*]
  kServicePatternBytes = 8,  // [A-Za-z0-9_.*]
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

// The case of the letters is ignored, since a backend may ignore it as well.
constexpr bool IsReservedMetadata(std::string_view key) {
  return ttrpc::StartsWithIgnoringCase(key, kReservedMetadataPrefix);
}

// A method and its service, as views of the text that was parsed.
struct MethodName {
  std::string_view service;
  std::string_view method;
  friend bool operator==(const MethodName&, const MethodName&) = default;
};

// Parses /SERVICE/METHOD. Returns INVALID_ARGUMENT for a name that no request may have.
ttrpc::Result<MethodName> ParseMethodName(std::string_view text);

// The form of a method pattern, for error messages.
inline constexpr std::string_view kMethodPatternForm =
    "/SERVICE/METHOD with letters, digits, _ and *, and dots in SERVICE, at most 256 each";
// Parses /SERVICE/METHOD with `*` for any run of characters in either part. Returns nothing if the
// text is not a valid pattern.
std::optional<MethodPattern> ParseMethodPattern(std::string_view text);

}  // namespace proxyd
