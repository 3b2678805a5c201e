// SPDX-License-Identifier: Apache-2.0
//
// AuditReader: collects the distinct calls that an audit or a tap reports, and counts them. It does
// no I/O and belongs to one thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace proxyd::ctl {

struct SeenCall {
  std::string listener;
  uid_t uid = 0;
  std::string service;
  std::string method;
  std::string backend;
  bool streams = false;

  friend bool operator<(const SeenCall& a, const SeenCall& b) {
    return std::tie(a.listener, a.uid, a.service, a.method, a.backend, a.streams) <
           std::tie(b.listener, b.uid, b.service, b.method, b.backend, b.streams);
  }
};

struct SeenCount {
  uint64_t allowed = 0;
  uint64_t asked = 0;   // calls that a rule with enforce = false would have allowed
  uint64_t denied = 0;  // stays 0 unless the reader includes denied calls
  std::set<std::string> denied_by = {};  // the rules that denied them; empty if no rule matched
};

using SeenCalls = std::map<SeenCall, SeenCount>;

// The fields of an audit line or of a tap event. Fields that it lacks are empty.
struct AuditFacts {
  std::string event;
  std::string listener;
  std::optional<uint64_t> uid;
  std::string service;
  std::string method;
  std::string kind;
  std::string backend;
  std::string rule;
  std::optional<bool> enforced;
};

class AuditReader {
 public:
  // `denied_backend` is the backend for denied calls. Without one they are only counted.
  explicit AuditReader(std::optional<std::string> denied_backend)
      : denied_backend_(std::move(denied_backend)) {}

  // Reads one line, without its newline. The JSON object may follow a log prefix of ttrpc-proxyd.
  // Lines of other programs are skipped, whatever they contain.
  void ReadLine(std::string_view line);
  // Reads an event of a tap, which counts as one line.
  void TakeEvent(const AuditFacts& facts) {
    ++lines_;
    Take(facts);
  }
  void TakeSuppressed(uint64_t lines) { suppressed_ += lines; }

  const SeenCalls& calls() const { return calls_; }
  uint64_t lines() const { return lines_; }
  uint64_t skipped() const { return skipped_; }        // lines that are not audit lines
  uint64_t suppressed() const { return suppressed_; }  // events that the input does not contain
  uint64_t denied() const { return denied_; }          // denied calls that were left out
  // Describes lines that are truncated or malformed: `7: error: WHAT; WHAT TO DO`, where 7 is the
  // line. Holds at most kMostErrors; failed() counts all.
  static constexpr size_t kMostErrors = 20;
  const std::vector<std::string>& errors() const { return errors_; }
  uint64_t failed() const { return failed_; }

 private:
  void Take(const AuditFacts& facts);
  void Error(const std::string& what);

  const std::optional<std::string> denied_backend_;
  SeenCalls calls_;
  uint64_t lines_ = 0;
  uint64_t skipped_ = 0;
  uint64_t suppressed_ = 0;
  uint64_t denied_ = 0;
  uint64_t failed_ = 0;
  std::vector<std::string> errors_;
};

}  // namespace proxyd::ctl
