// SPDX-License-Identifier: Apache-2.0
#include "proxy/generation.h"

#include <string_view>
#include <utility>

namespace proxyd {

Generation::Generation(const Context& context, SnapshotPtr snapshot)
    : snapshot_(std::move(snapshot)), tally_(context.tally) {
  for (const BackendConfig& backend : config().backends)
    backends_.push_back(MakeRef<Backend>(backend, tally_.Backend(backend.name)));
  for (const ListenerConfig& listener : config().listeners)
    deadlines_.push_back(MakeRef<PeerDeadlines>(context.loop, listener.timeouts));
  for (const auto& backend : backends_) has_.insert(backend.get());
  MakeTallies();
}

Generation::Generation(const Context& context, SnapshotPtr snapshot, const Generation& before)
    : snapshot_(std::move(snapshot)), tally_(context.tally) {
  TakeOverBackends(before);
  deadlines_.resize(config().listeners.size());
  for (size_t i = 0; i < before.deadlines_.size(); ++i) {
    const auto found = FindListener(before.config().listeners[i]);
    if (!found) continue;
    Ref<PeerDeadlines>& deadlines = deadlines_[*found];
    if (!deadlines) deadlines = before.deadlines_[i];
  }
  for (size_t i = 0; i < deadlines_.size(); ++i) {
    const TimeoutsConfig& timeouts = config().listeners[i].timeouts;
    if (deadlines_[i]) {
      deadlines_[i]->Set(timeouts);
    } else {
      deadlines_[i] = MakeRef<PeerDeadlines>(context.loop, timeouts);
    }
  }
  MakeTallies();
}

// Of one name there is one backend, which is the same one if it leads where the old one did.
void Generation::TakeOverBackends(const Generation& before) {
  std::unordered_map<std::string_view, const Ref<Backend>*> old;
  for (const Ref<Backend>& backend : before.backends_) old[backend->config().name] = &backend;
  for (const BackendConfig& backend : config().backends) {
    const auto same = old.find(backend.name);
    if (same != old.end() && (*same->second)->LeadsWhere(backend)) {
      backends_.push_back(*same->second);
    } else {
      backends_.push_back(MakeRef<Backend>(backend, tally_.Backend(backend.name)));
    }
  }
  // Only now, since `old` has views of their names.
  for (size_t i = 0; i < backends_.size(); ++i) {
    backends_[i]->SetConfig(config().backends[i]);
    has_.insert(backends_[i].get());
  }
}

// Where there are few pairs, whoever reads the counters sees from the start what there is to count.
void Generation::MakeTallies() {
  const auto& listeners = config().listeners;
  const auto& rules = config().rules;
  for (const ListenerConfig& listener : listeners)
    listener_tallies_.push_back(&tally_.Listener(listener.name));
  size_t pairs = listeners.size();
  for (const RuleConfig& rule : rules) {
    pairs += rule.every_listener ? listeners.size() : rule.listeners.size();
    if (pairs > kTalliesFromStart) return;
  }
  for (size_t i = 0; i < listeners.size(); ++i) rule_tally(i, std::nullopt);
  for (size_t r = 0; r < rules.size(); ++r) {
    for (const size_t listener : rules[r].listeners) rule_tally(listener, r);
    for (size_t i = 0; rules[r].every_listener && i < listeners.size(); ++i) rule_tally(i, r);
  }
}

RuleTally& Generation::rule_tally(size_t listener, std::optional<size_t> rule) {
  RuleTally*& tally = rule_tallies_[uint64_t{listener} << 32U | (rule ? *rule + 1 : 0)];
  if (tally == nullptr) {
    Tally::RuleKey key = {.listener = config().listeners[listener].name,
                          .rule = "",
                          .action = RuleConfig::Action::kDeny,
                          .enforced = true};
    if (rule) {
      const RuleConfig& decided = config().rules[*rule];
      key.rule = decided.name;
      key.action = decided.action;
      key.enforced = decided.enforce;
    }
    tally = &tally_.Rule(key);
  }
  return *tally;
}

MethodTally& Generation::method_tally(size_t listener, std::optional<size_t> rule,
                                      const MethodLabels& labels) {
  const size_t backend = rule ? config().rules[*rule].backend + 1 : 0;
  MethodTally*& tally =
      method_tallies_[{listener, backend, labels.service.data(), labels.method.data()}];
  if (tally == nullptr) {
    tally = &tally_.Method({.listener = config().listeners[listener].name,
                            .backend = rule ? config().backends[backend - 1].name : std::string(),
                            .service = std::string(labels.service),
                            .method = std::string(labels.method)});
  }
  return *tally;
}

bool Generation::Has(const Backend& backend) const { return has_.count(&backend) > 0; }

std::optional<size_t> Generation::FindListener(const ListenerConfig& listener) const {
  const auto found = snapshot_->listeners.FindName(listener.name);
  return found ? found : snapshot_->listeners.FindAddress(listener.address);
}

}  // namespace proxyd
