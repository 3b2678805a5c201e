// SPDX-License-Identifier: Apache-2.0
//
// Policy: decides who may call what. It is an immutable index over the rules of a Config, and
// denies by default. A reload replaces it as a whole. Pure functions over values, without I/O or a
// clock; any thread, but an Admission belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
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

// The identity of a peer, as the kernel reports it.
struct Identity {
  uid_t uid;
  gid_t gid;
  // All supplementary groups, or those that a GroupFilter keeps; borrowed for the call.
  std::span<const gid_t> groups;
};

// The workload that a call is about. The views are borrowed for the call.
struct WorkloadView {
  std::string_view name_space;  // empty if its source has no namespaces
  std::string_view id;
  // The annotations that are known; null if there are none.
  const std::map<std::string, std::string>* annotations = nullptr;

  bool empty() const { return name_space.empty() && id.empty() && annotations == nullptr; }
};

// The ids that the kernel reports for unmapped ids (ttrpc::OverflowUid, OverflowGid).
struct OverflowIds {
  uid_t uid;
  gid_t gid;
};

// The service and method of a request as labels of metrics. A name that no rule spells out is
// `other`, so that peers cannot add labels. The views are of the configuration.
struct MethodLabels {
  std::string_view service;
  std::string_view method;
};

struct Verdict {
  bool allowed = false;
  // The index in Config::rules of the rule that decided, or nothing if no rule matched.
  std::optional<size_t> rule;
  // Matching rules with enforce = false before the one that decided, in order.
  std::vector<size_t> shadows;
  // True if only the service and the method mattered. Any request for them under this admission
  // then gets the same verdict, whatever its metadata and its workload.
  bool by_names_alone = true;
  MethodLabels labels;

  // Becomes a verdict that was remembered. Allocates nothing.
  void Repeat(const Verdict& remembered) {
    allowed = remembered.allowed;
    rule = remembered.rule;
    labels = remembered.labels;
  }
  // Whether Policy::Decide() may remember the verdict, which allows and has nothing else to report.
  bool repeatable() const { return allowed && by_names_alone && shadows.empty(); }
};

// The rules of one listener that match one identity. It is made when a peer connects, and used for
// each of the peer's calls. HAZARD: it has positions in the Policy that made it, and views of the
// configuration of that policy, so it must not be used with another policy, nor outlive its own.
class Admission {
 public:
  // False if no enforced allow rule could ever match. The connection must then be closed before
  // anything is read from it.
  bool admitted() const { return admitted_; }

  // Sets the name of the peer's user, empty if it has none.
  void SetUser(std::string name);

  // Returns what Policy::Decide() will return for this method from memory, or null if it will
  // search. With a verdict, the names are valid. It stays there until the next Decide().
  const Verdict* Recall(const ttrpc::RequestView& request) const {
    const bool same = remembered_ != nullptr && request.method == remembered_->method &&
                      request.service == remembered_->service;
    return same ? &remembered_->verdict : nullptr;
  }

 private:
  friend class Policy;
  static constexpr size_t kWordBits = 64;

  // The last repeatable verdict, since most peers call the same method repeatedly. The memory of
  // the strings is reused.
  struct Remembered {
    std::string service;
    std::string method;
    Verdict verdict;
  };

  void SetFits(size_t position);
  bool Fits(size_t position) const;
  NameSubject subject() const;

  uint32_t listener_ = 0;
  bool admitted_ = false;
  // A bit for each rule of the listener, by its position in ForEachRule(). Since every connection
  // has an Admission, up to kWordBits rules need no allocation.
  uint64_t first_ = 0;
  std::vector<uint64_t> rest_;
  std::unique_ptr<Remembered> remembered_;  // null until a verdict is remembered
  uid_t uid_ = static_cast<uid_t>(-1);
  gid_t gid_ = static_cast<gid_t>(-1);
  std::unique_ptr<std::string> user_;  // null until SetUser(), which most peers never need
};

class Policy {
 public:
  // Keeps a reference to `config`, which must outlive it.
  Policy(const Config& config, OverflowIds overflow);
  ~Policy();
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  // `listener` is an index in Config::listeners, or no_listener(). An identity whose uid or gid is
  // -1 matches no rule.
  //
  // An enforced allow rule that matches the identity could match a call unless earlier deny rules
  // cover each of its method patterns. A deny rule covers a pattern if it is enforced, matches the
  // identity, has a pattern that covers it, requires no metadata that the allow rule does not
  // require, and has no conditions on workloads. A pattern that several deny rules cover only
  // together does not count as covered: the peer is admitted, and its calls are denied.
  Admission Admit(size_t listener, const Identity& identity) const;

  // Returns INVALID_ARGUMENT if the request has a metadata key that any rule of the listener names,
  // enforced or not, more than once or not in lower case. Stores the values of such keys in
  // `found`, for Check(). `found` may have been used before.
  ttrpc::Status CheckGuardedMetadata(const Admission& admission,
                                     std::span<const ttrpc::MetadataEntry> metadata,
                                     GuardedValues* found) const;

  // Whether a rule that fits the admission has `{user}`, so that SetUser() should be called before
  // the first call. Until then the peer counts as one without a name.
  bool NeedsUser(const Admission& admission) const;

  // Decides a call; the first match wins. The names of the request must be valid, and `values` must
  // come from CheckGuardedMetadata() for its metadata. `workload` is null if the listener follows
  // none. Then an allow rule with conditions on workloads does not match, and a deny rule matches
  // whatever they are. The cost does not grow with the number of rules that spell out other
  // methods. Only shadows allocate memory.
  Verdict Check(const Admission& admission, const ttrpc::RequestView& request,
                const GuardedValues& values, const WorkloadView* workload) const;

  // Returns the same verdict as Check(), and remembers a repeatable verdict in `admission`, so that
  // the next request for the same method costs two comparisons and no memory. A reload makes new
  // admissions, which remember nothing. The daemon decides every call with this function.
  Verdict Decide(Admission* admission, const ttrpc::RequestView& request,
                 const GuardedValues& values, const WorkloadView* workload) const;

  // Calls `visit` with the index in Config::backends of each backend to which a rule may take this
  // peer's calls, each once. These are the rules that Admit() looks for.
  void ForEachBackend(const Admission& admission, const std::function<void(size_t)>& visit) const;

  // Returns the labels that the verdict about the request would have.
  MethodLabels LabelsOf(const Admission& admission, const ttrpc::RequestView& request) const;

  OverflowIds overflow() const { return overflow_; }
  // Takes the place of a listener that was removed. Only rules without `listeners` apply to its
  // peers.
  size_t no_listener() const { return own_.size() - 1; }
  // Selects the groups of a peer that these rules need. The filter may outlive the policy.
  const std::shared_ptr<const GroupFilter>& group_filter() const { return group_filter_; }
  // The size of the index, for tests. It is in proportion to the rules, their patterns and the
  // listeners that they name, and not to the product of rules and listeners.
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
  std::vector<std::vector<MetadataCondition>> conditions_;  // by index in Config::rules
  std::vector<uint32_t> user_rules_;   // indices in Config::rules of those with `{user}`, ascending
  std::unique_ptr<RuleIndex> common_;  // the rules for every listener
  // Each element has the rules that name one listener, and is null if no rule does. The last
  // element belongs to no_listener().
  std::vector<std::unique_ptr<RuleIndex>> own_;
};

}  // namespace proxyd
