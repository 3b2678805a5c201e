// SPDX-License-Identifier: Apache-2.0
//
// ScanPayload: reads wanted fields from the message of a request, in one pass and without a copy.
// It accepts only data that every reader understands in the same way, so that the backend acts on
// the values that were checked here. Pure functions over values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ttrpc/status.h"

namespace proxyd {

// A string field of a message that is wanted.
struct WantedField {
  uint32_t number;
  std::string_view name;  // for messages
};

// The most fields that one scan looks for.
inline constexpr size_t kMaxWantedFields = 64;

// Sets each of `values`, which are as many as `wanted`, to the value of that field, or to "" if the
// message does not have it. The values point into `payload`, of at most INT_MAX bytes. `wanted` has
// no number twice. Unknown fields pass, since newer clients may send them.
//
// Returns INVALID_ARGUMENT `payload cannot be checked: WHAT`, which never quotes the payload, for
// - bytes that are not a message to their end, a field number of 0, a group;
// - a wanted field that occurs twice, has another wire type, or is not valid UTF-8.
// After an error the values are unspecified.
ttrpc::Status ScanPayload(std::string_view payload, std::span<const WantedField> wanted,
                          std::span<std::string_view> values);

}  // namespace proxyd
