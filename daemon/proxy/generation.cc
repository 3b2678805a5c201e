// SPDX-License-Identifier: Apache-2.0
#include "proxy/generation.h"

#include <algorithm>
#include <utility>

namespace proxyd {

Generation::Generation(const Context& context, SnapshotPtr snapshot)
    : snapshot_(std::move(snapshot)), tally_(context.tally) {
  for (const BackendConfig& backend : config().backends)
    backends_.push_back(MakeRef<Backend>(backend, tally_.Backend(backend.name)));
  for (const ListenerConfig& listener : config().listeners)
    deadlines_.push_back(MakeRef<PeerDeadlines>(context.loop, listener.timeouts));
  MakeTallies();
}

Generation::Generation(const Context& context, SnapshotPtr snapshot, const Generation& before)
    : snapshot_(std::move(snapshot)), tally_(context.tally) {
  for (const BackendConfig& backend : config().backends) {
    const auto same = std::find_if(before.backends_.begin(), before.backends_.end(),
                                   [&](const auto& old) { return old->LeadsWhere(backend); });
    if (same == before.backends_.end()) {
      backends_.push_back(MakeRef<Backend>(backend, tally_.Backend(backend.name)));
    } else {
      (*same)->SetConfig(backend);
      backends_.push_back(*same);
    }
  }
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

// All at once: whoever reads the counters sees from the start what there is to count.
void Generation::MakeTallies() {
  using Action = RuleConfig::Action;
  const auto& rules = config().rules;
  for (size_t i = 0; i < config().listeners.size(); ++i) {
    const std::string& name = config().listeners[i].name;
    listener_tallies_.push_back(&tally_.Listener(name));
    auto& tallies = rule_tallies_.emplace_back(rules.size() + 1);
    tallies[0] =
        &tally_.Rule({.listener = name, .rule = "", .action = Action::kDeny, .enforced = true});
    for (size_t r = 0; r < rules.size(); ++r) {
      const RuleConfig& rule = rules[r];
      if (std::find(rule.listeners.begin(), rule.listeners.end(), i) == rule.listeners.end())
        continue;
      tallies[r + 1] = &tally_.Rule(
          {.listener = name, .rule = rule.name, .action = rule.action, .enforced = rule.enforce});
    }
  }
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

bool Generation::Has(const Backend& backend) const {
  return std::any_of(backends_.begin(), backends_.end(),
                     [&backend](const auto& own) { return own.get() == &backend; });
}

std::optional<size_t> Generation::FindListener(const ListenerConfig& listener) const {
  const auto& all = config().listeners;
  auto found = std::find_if(all.begin(), all.end(), [&listener](const ListenerConfig& own) {
    return own.name == listener.name;
  });
  if (found == all.end()) {
    found = std::find_if(all.begin(), all.end(), [&listener](const ListenerConfig& own) {
      return own.address == listener.address;
    });
  }
  if (found == all.end()) return std::nullopt;
  return static_cast<size_t>(found - all.begin());
}

}  // namespace proxyd
