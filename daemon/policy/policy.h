// SPDX-License-Identifier: Apache-2.0
//
// Policy: who may do what. An immutable index over the rules of a Config; pure functions over
// values, no I/O, no clock; any thread (an Admission belongs to one). Denies by default. Replaced
// whole when the configuration is.
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
#include "policy/deny_cover.h"
#include "policy/group_filter.h"
#include "policy/guarded_metadata.h"
#include "ttrpc/wire/request.h"

namespace proxyd {

// What the kernel says of a peer.
struct Identity {
  uid_t uid;
  gid_t gid;
  // Supplementary, or what a GroupFilter has left of them; borrowed for the call.
  std::span<const gid_t> groups;
};

// The ids as which unmapped ids show (ttrpc::OverflowUid, OverflowGid).
struct OverflowIds {
  uid_t uid;
  gid_t gid;
};

// A request's service and method where rules spell them out, `other` where not: a set that no peer
// can add to. Views into the configuration.
struct MethodLabels {
  std::string_view service;
  std::string_view method;
};

struct Verdict {
  bool allowed = false;
  // Index into Config::rules of the rule that decided; none: nothing matched.
  std::optional<size_t> rule;
  // Rules with enforce = false that would have decided, in order; the call went on past them.
  std::vector<size_t> shadows;
  // The service and the method alone decided: any request for them under this admission gets the
  // same verdict, whatever its metadata.
  bool by_names_alone = true;
  MethodLabels labels;

  // Policy::Decide() remembers such a verdict: it allows, and has nothing else to report.
  bool repeatable() const { return allowed && by_names_alone && shadows.empty(); }
};

// The rules of one listener that fit one identity: made when a peer connects, asked for each of its
// calls. It holds positions in the Policy that made it and views of that policy's configuration, so
// it is meaningless to any other policy and must not be asked after its own is gone.
class Admission {
 public:
  // False: no enforced allow rule could ever match; the connection is closed before a byte is read.
  bool admitted() const { return admitted_; }

  // Whether Policy::Decide() will answer for this method from memory. Such names have been checked.
  bool Remembers(const ttrpc::RequestView& request) const {
    return remembered_ != nullptr && request.method == remembered_->method &&
           request.service == remembered_->service;
  }

 private:
  friend class Policy;
  static constexpr size_t kWordBits = 64;

  // The last repeatable verdict, since most peers call the same method again and again. The strings
  // keep their memory for the next one.
  struct Remembered {
    std::string service;
    std::string method;
    Verdict verdict;
  };

  void SetFits(size_t position);
  bool Fits(size_t position) const;

  uint32_t listener_ = 0;
  bool admitted_ = false;
  // By position among the listener's rules, see ForEachRule(). There is one of these for each
  // connection, idle or not: up to kWordBits rules need no memory of their own.
  uint64_t first_ = 0;
  std::vector<uint64_t> rest_;
  std::unique_ptr<Remembered> remembered_;  // null: it has allowed nothing yet
};

class Policy {
 public:
  // Keeps a reference to `config`, which must outlive it.
  Policy(const Config& config, OverflowIds overflow);
  ~Policy();
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  // `listener`: index into Config::listeners, or no_listener(). An identity whose uid or gid is -1
  // fits no rule.
  //
  // "Could ever match" is decided rule by rule: an enforced allow rule that fits the identity could
  // match unless each of its method patterns is covered by a pattern of one enforced deny rule that
  // stands before it, fits too, and asks for no metadata that the allow rule does not ask for.
  // (Several deny rules that cover a pattern only between them do not count: the peer is admitted
  // and its calls are denied.)
  Admission Admit(size_t listener, const Identity& identity) const;

  // INVALID_ARGUMENT if a metadata key that any rule of the listener names, enforced or not, stands
  // in the request more than once, or not in lower case. `found`, which may have been used before,
  // is what Check() asks for the values of such keys.
  ttrpc::Status CheckGuardedMetadata(const Admission& admission,
                                     std::span<const ttrpc::MetadataEntry> metadata,
                                     GuardedValues* found) const;

  // First match wins. The service and method are those of a request whose names were checked, and
  // its metadata has passed CheckGuardedMetadata(), which found `values`. Cost does not grow with
  // the number of rules that spell out other methods; no memory is allocated but for shadows.
  Verdict Check(const Admission& admission, const ttrpc::RequestView& request,
                const GuardedValues& values) const;

  // The same verdict as Check(), which is where it comes from; this is how a call is decided. If
  // the verdict is repeatable, `admission` remembers it, and the next request for the same method
  // costs two comparisons and no memory. A new admission remembers nothing, so a reload forgets.
  Verdict Decide(Admission* admission, const ttrpc::RequestView& request,
                 const GuardedValues& values) const;

  // As in the verdict about it: of the rules of the admission's listener.
  MethodLabels LabelsOf(const Admission& admission, const ttrpc::RequestView& request) const;

  OverflowIds overflow() const { return overflow_; }
  // In the place of a listener: the rules that name none decide, of a peer whose own is gone.
  size_t no_listener() const { return own_.size() - 1; }
  // What these rules need to know of a peer's groups. May outlive the policy.
  const std::shared_ptr<const GroupFilter>& group_filter() const { return group_filter_; }
  // How much the index holds: what is in proportion to the rules, their patterns and the listeners
  // that they name, and not to rules times listeners.
  size_t entries() const;

 private:
  struct RuleIndex;
  struct Found;

  template <typename Visit>
  void ForEachRule(size_t listener, const Visit& visit) const;
  Found Find(const Admission& admission, const ttrpc::RequestView& request) const;

  const Config& config_;
  OverflowIds overflow_;
  std::shared_ptr<const GroupFilter> group_filter_;
  DenyCover deny_cover_;
  const GuardedKeys guarded_;
  std::vector<std::vector<MetadataCondition>> conditions_;  // by index into Config::rules
  std::unique_ptr<RuleIndex> common_;                       // the rules for every listener
  // By listener, the rules that name it; null: there are none, as at no_listener().
  std::vector<std::unique_ptr<RuleIndex>> own_;
};

}  // namespace proxyd
