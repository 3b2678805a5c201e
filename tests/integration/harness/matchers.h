// SPDX-License-Identifier: Apache-2.0
//
// Matchers for messages that a peer receives.
#pragma once

#include <gmock/gmock.h>

#include <optional>
#include <string>

#include "harness/wire.h"
#include "ttrpc/status.h"
#include "ttrpc/wire/response.h"

namespace integration {

using ttrpc::StatusCode;

// Matches a std::optional<WireMessage> that is a response on this stream without a payload. Its
// status has this code and a text that `text` (a string or a matcher) matches.
MATCHER_P3(IsStatus, stream_id, code, text, "") {
  if (!arg.has_value()) {
    *result_listener << "the connection ended";
    return false;
  }
  ttrpc::ResponseView response;
  const ttrpc::Status parsed = ttrpc::ParseResponse(arg->data, &response);
  if (!parsed.ok()) {
    *result_listener << parsed;
    return false;
  }
  *result_listener << ttrpc::StatusCodeName(response.code) << " \"" << response.message << "\"";
  return arg->stream_id == static_cast<uint32_t>(stream_id) && arg->type == kResponse &&
         arg->flags == 0 && response.code == code && response.payload.empty() &&
         ::testing::Value(std::string(response.message), ::testing::Matcher<std::string>(text));
}

// Matches the refusal of a call by this limit, such as "calls_per_user = 2".
inline auto IsOverLimit(uint32_t stream_id, const std::string& limit) {
  return IsStatus(stream_id, StatusCode::kResourceExhausted, "limit " + limit + " reached");
}

}  // namespace integration
