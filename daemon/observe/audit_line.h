// SPDX-License-Identifier: Apache-2.0
//
// The text of an audit line: keys and order of the contract, each line one JSON object. Pure; any
// thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "observe/audit_record.h"

namespace proxyd {

// What the line of a call consists of beside keys, numbers and words of a fixed set.
struct AuditNames {
  std::string_view listener;
  std::string_view service;
  std::string_view method;
  std::string_view rule;
  std::string_view backend;
  std::string_view comm;
};

// The most bytes of a call's line with these names, whatever else is in it but the user's name,
// which a line gets only when it leaves the queue.
size_t AuditLineBound(const AuditNames& names);
// Whether that leaves room for this `detail`. All that the proxy says about calls fits, unless the
// configuration names a backend strangely.
bool FitsAuditLineBound(std::string_view detail);

// Appends a whole line with its newline. It is at most some 18 KiB, even if all of it is hostile.
void AppendAuditLine(const AuditRecord& record, std::chrono::system_clock::time_point time,
                     std::string* out);
// How many bytes that appends.
size_t AuditLineSize(const AuditRecord& record);

}  // namespace proxyd
