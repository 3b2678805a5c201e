// SPDX-License-Identifier: Apache-2.0
//
// Generation: a snapshot of the configuration as one worker uses it, with the worker's state of its
// backends and listeners. A reload creates the next one, which takes over what stays the same. All
// peers move to it; calls in flight keep the one that allowed them. It runs on the worker's thread.
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
  // The parts of a worker that all its generations share. They must outlive the generations.
  struct Context {
    ttrpc::IoLoop& loop;
    LabeledCounters& labeled_counters;
  };

  // Creates the first generation.
  Generation(const Context& context, SnapshotPtr snapshot);
  // Creates the generation after `before`. It takes over the state of each backend and listener
  // that both have, and sets that state's configuration to the new one.
  Generation(const Context& context, SnapshotPtr snapshot, const Generation& before);

  const Snapshot& snapshot() const { return *snapshot_; }
  const Config& config() const { return snapshot_->config; }
  const Policy& policy() const { return snapshot_->policy; }
  const Ref<Backend>& backend(size_t index) const { return backends_[index]; }
  const Ref<ListenerState>& listener(size_t index) const { return listeners_[index]; }
  // The listeners of the previous generation that were removed.
  const std::vector<Ref<ListenerState>>& removed() const { return removed_; }

  // Returns the counters to use. A removed listener's peers count under its last name.
  ListenerCounters& listener_counters(const ListenerState& listener) const;
  // `rule` is empty if no rule matched.
  RuleCounters& rule_counters(const ListenerState& listener, std::optional<size_t> rule);
  // `rule` is the one that allowed the call; its backend is the label.
  MethodCounters& method_counters(const ListenerState& listener, std::optional<size_t> rule,
                                  const MethodLabels& labels);

  // Returns whether calls may still go to this backend, of the configuration or of a workload.
  bool Has(const Backend& backend) const;
  // Returns whether these groups are all that the rules need to know.
  bool Knows(const PeerGroups& groups);
  // Up to this many pairs of a listener and a rule, all pairs have counters from the start. With
  // more, a pair gets them with its first decision.
  static constexpr size_t kCountersFromStart = 1024;

 private:
  // The pointers identify the texts of MethodLabels, which do not move.
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
  std::vector<Ref<Backend>> backends_;         // indexed as Config::backends
  std::unordered_set<const Backend*> has_;     // the same backends
  std::vector<Ref<ListenerState>> listeners_;  // indexed as Config::listeners
  std::vector<Ref<ListenerState>> removed_;
  // Results of Knows() for the filters of earlier generations, of which there are few.
  std::vector<std::pair<GroupFilterPtr, bool>> serving_filters_;
  std::vector<ListenerCounters*> listener_counters_;
  // The key is made of a listener and a rule; rule 0 is "none". Most pairs of a large configuration
  // never occur, so counters are created when they first count.
  std::unordered_map<uint64_t, RuleCounters*> rule_counters_;
  std::map<MethodKey, MethodCounters*> method_counters_;
};

}  // namespace proxyd
