// SPDX-License-Identifier: Apache-2.0
//
// CheckConfig: what is correct and yet hardly meant. Pure; any thread.
#include <algorithm>
#include <string>
#include <utility>

#include "config/coverage.h"
#include "config/load.h"
#include "config/quote.h"

namespace proxyd {
namespace {

bool Contains(const std::vector<size_t>& indices, size_t index) {
  return std::find(indices.begin(), indices.end(), index) != indices.end();
}

bool Admits(const RuleConfig& rule, size_t listener) {
  return rule.action == RuleConfig::Action::kAllow && rule.enforce &&
         Contains(rule.listeners, listener);
}

class Checker {
 public:
  Checker(const Config& config, uid_t overflow_uid, gid_t overflow_gid)
      : config_(config), overflow_uid_(overflow_uid), overflow_gid_(overflow_gid) {}

  std::vector<ConfigError> Check() {
    if (config_.listeners.empty()) {
      Warn({.file = config_.file}, "there is no [[listener]], so that nothing is served");
    }
    for (size_t i = 0; i < config_.listeners.size(); ++i) {
      CheckAdmission(i);
      CheckOpenDoor(i);
    }
    for (size_t i = 0; i < config_.backends.size(); ++i) CheckUse(i);
    for (size_t i = 0; i < config_.rules.size(); ++i) {
      CheckReach(i);
      CheckOverflow(config_.rules[i]);
    }
    for (ConfigError& warning : CheckAudit(config_)) warnings_.push_back(std::move(warning));
    return std::move(warnings_);
  }

 private:
  void Warn(SourcePosition position, std::string message) {
    warnings_.push_back({std::move(position), std::move(message)});
  }

  void CheckAdmission(size_t index) {
    const ListenerConfig& listener = config_.listeners[index];
    const bool admits =
        std::any_of(config_.rules.begin(), config_.rules.end(),
                    [index](const RuleConfig& rule) { return Admits(rule, index); });
    if (!admits) {
      Warn(listener.position, "listener " + QuoteShort(listener.name) +
                                  " admits nobody: no enforced allow rule is for it");
    }
  }

  // Neither the socket's mode nor a rule keeps anybody away.
  void CheckOpenDoor(size_t index) {
    const ListenerConfig& listener = config_.listeners[index];
    const auto* address = std::get_if<ttrpc::Address>(&listener.address);
    if (address == nullptr) return;  // its mode is set elsewhere
    const bool abstract = address->kind() == ttrpc::Address::Kind::kUnixAbstract;
    if (!abstract && (listener.access.mode & 0002U) == 0) return;
    for (const RuleConfig& rule : config_.rules) {
      const bool for_all = (!rule.users || rule.users->any) && (!rule.groups || rule.groups->any);
      if (!Admits(rule, index) || !for_all) continue;
      Warn(listener.position, "listener " + QuoteShort(listener.name) +
                                  (abstract ? " is abstract" : " lets everybody connect") +
                                  ", and rule " + QuoteShort(rule.name) + " allows everybody");
      return;
    }
  }

  void CheckUse(size_t index) {
    const bool used =
        std::any_of(config_.rules.begin(), config_.rules.end(), [index](const RuleConfig& rule) {
          return rule.action == RuleConfig::Action::kAllow && rule.backend == index;
        });
    if (!used) {
      const BackendConfig& backend = config_.backends[index];
      Warn(backend.position, "backend " + QuoteShort(backend.name) + " is used by no rule");
    }
  }

  // Only whole rules are compared: several earlier ones that together leave nothing to a listener
  // or a pattern of this one are not seen.
  void CheckReach(size_t index) {
    const RuleConfig& rule = config_.rules[index];
    const std::vector<MethodPattern> every = {{"*", "*"}};
    const std::vector<MethodPattern>& methods = rule.methods.empty() ? every : rule.methods;
    const RuleConfig* blocker = nullptr;
    for (const size_t listener : rule.listeners) {
      for (const MethodPattern& method : methods) {
        const RuleConfig* found = FindBlocker(index, listener, method);
        if (found == nullptr) return;
        if (blocker == nullptr) blocker = found;
      }
    }
    if (blocker != nullptr) {
      Warn(rule.position, "rule " + QuoteShort(rule.name) + " can never match: rule " +
                              QuoteShort(blocker->name) + " at " + blocker->position.ToString() +
                              " matches before it");
    }
  }

  // The first earlier rule that takes every call to `method` on `listener` which the rule at
  // `index` would match.
  const RuleConfig* FindBlocker(size_t index, size_t listener, const MethodPattern& method) const {
    const RuleConfig& rule = config_.rules[index];
    for (size_t i = 0; i < index; ++i) {
      const RuleConfig& earlier = config_.rules[i];
      if (!earlier.enforce || !earlier.metadata.empty()) continue;
      if (!Contains(earlier.listeners, listener)) continue;
      const bool who =
          CoversIds({earlier.users, earlier.action}, {rule.users, rule.action}, overflow_uid_) &&
          CoversIds({earlier.groups, earlier.action}, {rule.groups, rule.action}, overflow_gid_);
      const bool what =
          earlier.methods.empty() ||
          std::any_of(earlier.methods.begin(), earlier.methods.end(),
                      [&method](const MethodPattern& wide) { return CoversPattern(wide, method); });
      if (who && what) return &earlier;
    }
    return nullptr;
  }

  void CheckOverflow(const RuleConfig& rule) {
    if (rule.action != RuleConfig::Action::kAllow) return;
    if (rule.users) CheckOverflowIn(rule, *rule.users, "uid", overflow_uid_);
    if (rule.groups) CheckOverflowIn(rule, *rule.groups, "gid", overflow_gid_);
  }

  // "*" is not warned about: that it leaves the overflow id out is what most users expect.
  void CheckOverflowIn(const RuleConfig& rule, const IdSet& ids, const char* what,
                       uint32_t overflow) {
    const std::string id = std::string(what) + " " + std::to_string(overflow);
    if (std::find(ids.exact.begin(), ids.exact.end(), overflow) != ids.exact.end()) {
      Warn(rule.position, "rule " + QuoteShort(rule.name) + " allows " + id +
                              ", as which everybody without a mapping in a user namespace shows");
      return;
    }
    for (const IdRange& range : ids.ranges) {
      if (overflow < range.first || overflow > range.last) continue;
      Warn(rule.position, "rule " + QuoteShort(rule.name) + ": range \"" +
                              std::to_string(range.first) + "-" + std::to_string(range.last) +
                              "\" leaves out the overflow " + id +
                              ", which must be written out to be allowed");
      return;
    }
  }

  const Config& config_;
  uid_t overflow_uid_;
  gid_t overflow_gid_;
  std::vector<ConfigError> warnings_;
};

}  // namespace

std::vector<ConfigError> CheckConfig(const Config& config, uid_t overflow_uid, gid_t overflow_gid) {
  return Checker(config, overflow_uid, overflow_gid).Check();
}

}  // namespace proxyd
