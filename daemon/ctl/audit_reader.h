// SPDX-License-Identifier: Apache-2.0
//
// AuditReader: from what an audit or a tap says to the calls that were seen, each told apart once
// and counted. No I/O; one thread.
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
  uint64_t asked = 0;                    // that a rule on trial would have allowed
  uint64_t denied = 0;                   // where those count
  std::set<std::string> denied_by = {};  // the rules that did; where none matched, none
};

using SeenCalls = std::map<SeenCall, SeenCount>;

// What an audit line, or an event of a tap, says; what it does not say is empty.
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
  // `denied_backend`: where what was denied is to go; none: what was denied does not count.
  explicit AuditReader(std::optional<std::string> denied_backend)
      : denied_backend_(std::move(denied_backend)) {}

  // A line without its newline. Before the object may stand what a log puts before the lines of
  // ttrpc-proxyd; lines of other programs are passed over, whatever is in them.
  void ReadLine(std::string_view line);
  // An event of a tap, which counts as a line.
  void TakeEvent(const AuditFacts& facts) {
    ++lines_;
    Take(facts);
  }
  void TakeSuppressed(uint64_t lines) { suppressed_ += lines; }

  const SeenCalls& calls() const { return calls_; }
  uint64_t lines() const { return lines_; }
  uint64_t skipped() const { return skipped_; }        // lines of other logs
  uint64_t suppressed() const { return suppressed_; }  // that the audit has not
  uint64_t denied() const { return denied_; }          // that did not count
  // Of lines that are cut, or are no audit line of ours: `line 7: WHAT`. At most kMostErrors.
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
