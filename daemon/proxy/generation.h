// SPDX-License-Identifier: Apache-2.0
//
// Generation: a snapshot of the configuration as one worker uses it, with what the worker keeps for
// its backends and listeners. A reload makes the next one, which takes over what stays; all peers
// move to it, and calls in flight keep the one that allowed them. On the worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "observe/labeled_counters.h"
#include "policy/snapshot.h"
#include "proxy/backend.h"
#include "proxy/group_reader.h"
#include "proxy/listener_state.h"
#include "proxy/ref.h"
#include "ttrpc/io_loop.h"

namespace proxyd {

class Generation : public RefCounted {
 public:
  // What a worker has for all its generations; outlives them.
  struct Context {
    ttrpc::IoLoop& loop;
    LabeledCounters& labeled_counters;
  };

  // The first.
  Generation(const Context& context, SnapshotPtr snapshot);
  // The one after `before`: of backends and listeners that both have, it takes over what `before`
  // keeps, which from here on is configured as here.
  Generation(const Context& context, SnapshotPtr snapshot, const Generation& before);

  const Snapshot& snapshot() const { return *snapshot_; }
  const Config& config() const { return snapshot_->config; }
  const Policy& policy() const { return snapshot_->policy; }
  const Ref<Backend>& backend(size_t index) const { return backends_[index]; }
  const Ref<ListenerState>& listener(size_t index) const { return listeners_[index]; }
  // Those of the generation before whose sockets are gone.
  const std::vector<Ref<ListenerState>>& removed() const { return removed_; }

  // Where to count. What a removed listener's peers do counts under the name that it had.
  ListenerCounters& listener_counters(const ListenerState& listener) const;
  // `rule`: none if none matched.
  RuleCounters& rule_counters(const ListenerState& listener, std::optional<size_t> rule);
  // `rule`: that allowed; its backend counts.
  MethodCounters& method_counters(const ListenerState& listener, std::optional<size_t> rule,
                                  const MethodLabels& labels);

  // Whether calls may still go to it.
  bool Has(const Backend& backend) const;
  // Whether these groups are all that its rules need to know.
  bool Knows(const PeerGroups& groups);
  // If there are at most so many pairs of a listener and a rule, all have counters from the start;
  // otherwise a pair gets them with its first decision.
  static constexpr size_t kCountersFromStart = 1024;

 private:
  // What MethodLabels are views of stays where it is.
  using MethodKey = std::tuple<size_t, size_t, const char*, const char*>;

  void TakeOverListeners(const Context& context, const Generation& before);
  void TakeOverBackends(const Generation& before);
  RuleCounters& rule_counters(size_t listener, std::optional<size_t> rule);
  void MakeCounters();
  LabeledCounters::RuleKey RuleKey(const std::string& listener, std::optional<size_t> rule) const;
  LabeledCounters::MethodKey MethodKeyOf(const std::string& listener, std::optional<size_t> rule,
                                         const MethodLabels& labels) const;

  SnapshotPtr snapshot_;
  LabeledCounters& labeled_counters_;
  std::vector<Ref<Backend>> backends_;         // by Config::backends
  std::unordered_set<const Backend*> has_;     // the same
  std::vector<Ref<ListenerState>> listeners_;  // by Config::listeners
  std::vector<Ref<ListenerState>> removed_;
  // What Knows() said of the filters of peers: a few, those of the generations before.
  std::vector<std::pair<GroupFilterPtr, bool>> serving_filters_;
  std::vector<ListenerCounters*> listener_counters_;
  // By listener and rule, "none" being 0. Most of a large configuration never meet, so that each is
  // made when it first counts.
  std::unordered_map<uint64_t, RuleCounters*> rule_counters_;
  std::map<MethodKey, MethodCounters*> method_counters_;
};

}  // namespace proxyd
