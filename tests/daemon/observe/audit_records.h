// SPDX-License-Identifier: Apache-2.0
//
// Packed records for the tests of targets, and the lines that they become.
#pragma once

#include <string>
#include <string_view>

#include "observe/audit_line.h"
#include "observe/audit_record.h"

namespace proxyd {

// Returns a record of 1970 that has only this method.
inline std::string Packed(std::string_view method = "") {
  AuditRecord record;
  record.method = method;
  std::string packed;
  PackAuditRecord(record, {}, &packed);
  return packed;
}

inline std::string LinesOf(std::string_view records) {
  std::string lines;
  while (!records.empty()) {
    const UnpackedRecord unpacked = UnpackAuditRecord(&records);
    AppendAuditLine(unpacked.record, unpacked.time, &lines);
  }
  return lines;
}

}  // namespace proxyd
