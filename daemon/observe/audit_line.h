// SPDX-License-Identifier: Apache-2.0
//
// The text of an audit line: keys and order of the contract, each line one JSON object. Pure; any
// thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "observe/audit.h"
#include "observe/rate_limiter.h"

namespace proxyd {

// As the line has it; lives for ever.
std::string_view EventName(AuditEvent event);

// A value of more bytes than this is cut and ends in "…": the longest service and method that are
// no error are 256 bytes long. A line is thus at most some 13 KiB, even if all of it is hostile.
inline constexpr size_t kAuditValueLimit = 256;

// What the line of a call consists of beside keys, numbers and words of a fixed set.
struct AuditNames {
  std::string_view listener;
  std::string_view service;
  std::string_view method;
  std::string_view rule;
  std::string_view backend;
};

// The most bytes of a call's line with these names, whatever else is in it.
size_t AuditLineBound(const AuditNames& names);

// Both append a whole line with its newline.
void AppendAuditLine(const AuditRecord& record, std::chrono::system_clock::time_point time,
                     std::string* out);
void AppendSuppressedLine(const RateLimiter::Suppressed& suppressed,
                          std::chrono::system_clock::time_point time, std::string* out);

}  // namespace proxyd
