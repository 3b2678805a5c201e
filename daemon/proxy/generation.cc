// SPDX-License-Identifier: Apache-2.0
#include "proxy/generation.h"

#include <string>
#include <string_view>
#include <utility>

namespace proxyd {

Generation::Generation(const Context& context, SnapshotPtr snapshot)
    : snapshot_(std::move(snapshot)), labeled_counters_(context.labeled_counters) {
  for (const BackendConfig& backend : config().backends)
    backends_.push_back(MakeRef<Backend>(backend, labeled_counters_.Backend(backend.name)));
  for (const auto& backend : backends_) has_.insert(backend.get());
  const auto& listeners = config().listeners;
  for (size_t i = 0; i < listeners.size(); ++i)
    listeners_.push_back(MakeRef<ListenerState>(context.loop, listeners[i], i));
  MakeCounters();
}

Generation::Generation(const Context& context, SnapshotPtr snapshot, const Generation& before)
    : snapshot_(std::move(snapshot)), labeled_counters_(context.labeled_counters) {
  TakeOverBackends(before);
  TakeOverListeners(context, before);
  MakeCounters();
}

// Listeners are matched by address, like the sockets in ListenerSet. A peer belongs to the socket
// that accepted it, and must not get the rights of another socket that now has the name.
void Generation::TakeOverListeners(const Context& context, const Generation& before) {
  std::unordered_map<std::string, const Ref<ListenerState>*> by_address;
  for (const Ref<ListenerState>& listener : before.listeners_)
    by_address.emplace(ToString(listener->config.address), &listener);
  const auto& listeners = config().listeners;
  for (size_t i = 0; i < listeners.size(); ++i) {
    const auto same = by_address.find(ToString(listeners[i].address));
    if (same == by_address.end()) {
      listeners_.push_back(MakeRef<ListenerState>(context.loop, listeners[i], i));
    } else {
      listeners_.push_back(*same->second);
      by_address.erase(same);
    }
  }
  for (const auto& [address, listener] : by_address) {
    (*listener)->index.reset();
    removed_.push_back(*listener);
  }
  for (size_t i = 0; i < listeners.size(); ++i) listeners_[i]->Set(listeners[i], i);
}

// Backends are matched by name. A backend is the same one if it leads where the old one did.
void Generation::TakeOverBackends(const Generation& before) {
  std::unordered_map<std::string_view, const Ref<Backend>*> old;
  for (const Ref<Backend>& backend : before.backends_) old[backend->config().name] = &backend;
  for (const BackendConfig& backend : config().backends) {
    const auto same = old.find(backend.name);
    if (same != old.end() && (*same->second)->LeadsWhere(backend)) {
      backends_.push_back(*same->second);
    } else {
      backends_.push_back(MakeRef<Backend>(backend, labeled_counters_.Backend(backend.name)));
    }
  }
  // Must come last, since `old` has views of the backends' names.
  for (size_t i = 0; i < backends_.size(); ++i) {
    backends_[i]->SetConfig(config().backends[i]);
    has_.insert(backends_[i].get());
  }
  for (const Ref<Backend>& backend : before.backends_) {
    if (!Has(*backend)) backend->Retire();
  }
}

// If there are few pairs, all counters exist from the start, so that readers see zeros instead of
// gaps.
void Generation::MakeCounters() {
  const auto& listeners = config().listeners;
  const auto& rules = config().rules;
  for (const ListenerConfig& listener : listeners)
    listener_counters_.push_back(&labeled_counters_.Listener(listener.name));
  size_t pairs = listeners.size();
  for (const RuleConfig& rule : rules) {
    pairs += rule.every_listener ? listeners.size() : rule.listeners.size();
    if (pairs > kCountersFromStart) return;
  }
  for (size_t i = 0; i < listeners.size(); ++i) rule_counters(i, std::nullopt);
  for (size_t r = 0; r < rules.size(); ++r) {
    for (const size_t listener : rules[r].listeners) rule_counters(listener, r);
    for (size_t i = 0; rules[r].every_listener && i < listeners.size(); ++i) rule_counters(i, r);
  }
}

RuleCounters& Generation::rule_counters(size_t listener, std::optional<size_t> rule) {
  RuleCounters*& counters = rule_counters_[uint64_t{listener} << 32U | (rule ? *rule + 1 : 0)];
  if (counters == nullptr)
    counters = &labeled_counters_.Rule(RuleKey(config().listeners[listener].name, rule));
  return *counters;
}

LabeledCounters::RuleKey Generation::RuleKey(const std::string& listener,
                                             std::optional<size_t> rule) const {
  if (!rule)
    return {
        .listener = listener, .rule = "", .action = RuleConfig::Action::kDeny, .enforced = true};
  const RuleConfig& config_rule = config().rules[*rule];
  return {.listener = listener,
          .rule = config_rule.name,
          .action = config_rule.action,
          .enforced = config_rule.enforce};
}

ListenerCounters& Generation::listener_counters(const ListenerState& listener) const {
  return listener.index ? *listener_counters_[*listener.index]
                        : labeled_counters_.Listener(listener.config.name);
}

RuleCounters& Generation::rule_counters(const ListenerState& listener, std::optional<size_t> rule) {
  if (!listener.index) return labeled_counters_.Rule(RuleKey(listener.config.name, rule));
  return rule_counters(*listener.index, rule);
}

LabeledCounters::MethodKey Generation::MethodKeyOf(const std::string& listener,
                                                   std::optional<size_t> rule,
                                                   const MethodLabels& labels) const {
  return {.listener = listener,
          .backend = rule ? config().backends[config().rules[*rule].backend].name : std::string(),
          .service = std::string(labels.service),
          .method = std::string(labels.method)};
}

MethodCounters& Generation::method_counters(const ListenerState& listener,
                                            std::optional<size_t> rule,
                                            const MethodLabels& labels) {
  const std::string& name = listener.config.name;
  if (!listener.index) return labeled_counters_.Method(MethodKeyOf(name, rule, labels));
  const size_t backend = rule ? config().rules[*rule].backend + 1 : 0;
  MethodCounters*& counters =
      method_counters_[{*listener.index, backend, labels.service.data(), labels.method.data()}];
  if (counters == nullptr) counters = &labeled_counters_.Method(MethodKeyOf(name, rule, labels));
  return *counters;
}

bool Generation::Knows(const PeerGroups& groups) {
  const GroupFilterPtr& filter = policy().group_filter();
  if (groups.filter == filter || filter->empty()) return true;
  if (!groups.filter) return false;
  for (const auto& [known, serves] : serving_filters_) {
    if (known == groups.filter) return serves;
  }
  const bool serves = groups.filter->Serves(*filter);
  serving_filters_.emplace_back(groups.filter, serves);
  return serves;
}

bool Generation::Has(const Backend& backend) const {
  return !backend.retired() && has_.count(&backend.configured()) > 0;
}

}  // namespace proxyd
