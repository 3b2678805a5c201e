// SPDX-License-Identifier: Apache-2.0
//
// Policy: who may do what. An immutable index over the rules of a Config; pure functions over
// values, no I/O, no clock; any thread. Denies by default. Replaced whole when the configuration
// is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "ttrpc/request.h"

namespace proxyd {

// What the kernel says of a peer.
struct Identity {
  uid_t uid;
  gid_t gid;
  std::span<const gid_t> groups;  // supplementary; borrowed for the call
};

// The ids as which unmapped ids show (ttrpc::OverflowUid, OverflowGid).
struct OverflowIds {
  uid_t uid;
  gid_t gid;
};

// The rules of one listener that fit one identity: made when a peer connects, asked for each of its
// calls. Refers to the Policy that made it, and must not outlive it.
class Admission {
 public:
  // False: no enforced allow rule could ever match; the connection is closed before a byte is read.
  bool admitted() const { return admitted_; }

 private:
  friend class Policy;
  size_t listener_ = 0;
  bool admitted_ = false;
  std::vector<bool> fits_;  // by position in the listener's rule list
};

struct Verdict {
  bool allowed = false;
  std::optional<size_t>
      rule;  // index into Config::rules of the rule that decided; none: nothing matched
  // Rules with enforce = false that would have decided, in order; the call went on past them.
  std::vector<size_t> shadows;
};

class Policy {
 public:
  // Keeps a reference to `config`, which must outlive it.
  Policy(const Config& config, OverflowIds overflow);
  ~Policy();
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  // `listener`: index into Config::listeners.
  Admission Admit(size_t listener, const Identity& identity) const;

  // INVALID_ARGUMENT if a metadata key that any rule of the listener names stands in the request
  // more than once, or not in lower case.
  ttrpc::Status CheckGuardedMetadata(const Admission& admission,
                                     std::span<const ttrpc::MetadataEntry> metadata) const;

  // First match wins. The service and method are those of a request whose names were checked. Cost
  // does not grow with the number of rules that spell out other methods.
  Verdict Check(const Admission& admission, const ttrpc::RequestView& request) const;

 private:
  struct ListenerIndex;
  const Config& config_;
  OverflowIds overflow_;
  std::vector<std::unique_ptr<ListenerIndex>> listeners_;
};

// True if `pattern` matches the whole of `text`; `*` is any run of characters, also none, but `/`.
// Linear time.
bool MatchPattern(std::string_view pattern, std::string_view text);

}  // namespace proxyd
