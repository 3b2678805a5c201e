// SPDX-License-Identifier: Apache-2.0
//
// The text of an audit line: one JSON object, with the keys of the contract in their order. The
// functions are pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "observe/audit_record.h"

namespace proxyd {

// The parts of a call's line other than keys, numbers and words from a fixed set.
struct AuditNames {
  std::string_view listener;
  std::string_view service;
  std::string_view method;
  std::string_view rule;
  std::string_view backend;
  std::string_view comm;
  std::string_view workload;
  std::string_view pod;
};

// Returns the most bytes that a call's line with these names can have. The user's name is not
// included, since a line gets it only when it leaves the queue.
size_t AuditLineBound(const AuditNames& names);
// Returns whether that bound leaves room for this `detail`. All texts of the proxy about calls fit,
// unless the configuration gives a backend an unusual name.
bool FitsAuditLineBound(std::string_view detail);

// Appends a line with its newline. A line has at most some 18 KiB, even if all of it is hostile.
void AppendAuditLine(const AuditRecord& record, std::chrono::system_clock::time_point time,
                     std::string* out);
// Returns the number of bytes that AppendAuditLine() would append.
size_t AuditLineSize(const AuditRecord& record);

}  // namespace proxyd
