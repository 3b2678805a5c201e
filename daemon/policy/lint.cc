// SPDX-License-Identifier: Apache-2.0
#include "policy/lint.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policy/blockers.h"
#include "policy/match.h"
#include "policy/rule_pairs.h"
#include "policy/task_twins.h"
#include "policy/workload_lint.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

bool Admits(const RuleConfig& rule) {
  return rule.action == RuleConfig::Action::kAllow && rule.enforce;
}

// Returns, for each listener, the first rule that applies to it and has the property, or null.
template <typename Property>
std::vector<const RuleConfig*> FirstByListener(const Config& config, const Property& property) {
  std::vector<const RuleConfig*> first(config.listeners.size());
  for (const RuleConfig& rule : config.rules) {
    if (!property(rule)) continue;
    for (const size_t listener : rule.listeners) {
      if (first[listener] == nullptr) first[listener] = &rule;
    }
    if (!rule.every_listener) continue;
    std::replace(first.begin(), first.end(), static_cast<const RuleConfig*>(nullptr), &rule);
    break;  // every listener has a rule now
  }
  return first;
}

// Whether the rule lets each peer reach other workloads than its neighbours.
bool DependsOnPeer(const RuleConfig& rule) {
  const auto depends = [](const NamePattern& pattern) { return pattern.has_placeholder(); };
  return std::any_of(rule.namespaces.begin(), rule.namespaces.end(), depends) ||
         std::any_of(rule.ids.begin(), rule.ids.end(), depends) ||
         std::any_of(rule.annotations.begin(), rule.annotations.end(),
                     [&depends](const auto& condition) { return depends(condition.second); });
}

bool IsForEverybody(const RuleConfig& rule) {
  return Admits(rule) && !DependsOnPeer(rule) && (!rule.users || rule.users->any) &&
         (!rule.groups || rule.groups->any);
}

class Linter {
 public:
  Linter(const Config& config, OverflowIds overflow) : config_(config), overflow_(overflow) {}

  std::vector<ConfigError> Run() {
    if (config_.listeners.empty()) {
      Warn({.file = config_.file}, "there is no [[listener]], so nothing is served; add one");
    }
    const auto admitting = FirstByListener(config_, Admits);
    const auto open = FirstByListener(config_, IsForEverybody);
    for (size_t i = 0; i < config_.listeners.size(); ++i) {
      if (admitting[i] == nullptr) WarnOfNobody(config_.listeners[i]);
      if (open[i] != nullptr) CheckOpenDoor(config_.listeners[i], *open[i]);
    }
    CheckUse();
    BlockerIndex blockers(config_, overflow_);
    std::vector<bool> unreachable(config_.rules.size());
    for (size_t i = 0; i < config_.rules.size(); ++i) {
      unreachable[i] = !CheckReach(i, &blockers);
      CheckOverflow(config_.rules[i]);
      CheckStreams(config_.rules[i]);
    }
    std::vector<ConfigError> of_workloads = LintWorkloads(config_);
    std::move(of_workloads.begin(), of_workloads.end(), std::back_inserter(warnings_));
    std::vector<ConfigError> of_pairs = LintRulePairs(config_, overflow_, unreachable);
    std::move(of_pairs.begin(), of_pairs.end(), std::back_inserter(warnings_));
    std::vector<ConfigError> of_twins = LintTaskTwins(config_);
    std::move(of_twins.begin(), of_twins.end(), std::back_inserter(warnings_));
    CheckAdmin();
    CheckAudit();
    return std::move(warnings_);
  }

 private:
  void Warn(SourcePosition position, std::string message) {
    warnings_.push_back(ConfigWarning(std::move(position), std::move(message)));
  }

  void WarnOfNobody(const ListenerConfig& listener) {
    Warn(listener.position, "no enforced allow rule applies to listener " +
                                QuoteShort(listener.name) +
                                ", so it admits nobody; add a rule, or remove the listener");
  }

  // Warns if neither the mode of the socket nor a rule keeps anyone from making calls.
  void CheckOpenDoor(const ListenerConfig& listener, const RuleConfig& rule) {
    // The .socket unit sets the mode.
    if (std::holds_alternative<PassedSocket>(listener.address)) return;
    const auto* address = std::get_if<ttrpc::Address>(&listener.address);
    const bool abstract =
        address != nullptr && address->kind() == ttrpc::Address::Kind::kUnixAbstract;
    if (!abstract && (listener.access.mode & 0002U) == 0) return;
    Warn(listener.position,
         "every local user can connect to listener " + QuoteShort(listener.name) + ", and rule " +
             QuoteShort(rule.name) + " allows calls of every user; name users in the rule, or " +
             (abstract ? "use unix:///abs/path with a stricter mode" : "set a stricter mode"));
  }

  void CheckUse() {
    std::vector<bool> used(config_.backends.size());
    for (const RuleConfig& rule : config_.rules) {
      if (rule.action == RuleConfig::Action::kAllow) used[rule.backend] = true;
    }
    for (size_t i = 0; i < used.size(); ++i) {
      if (used[i]) continue;
      const BackendConfig& backend = config_.backends[i];
      Warn(backend.position, "no rule uses backend " + QuoteShort(backend.name) +
                                 "; remove it, or name it in a rule");
    }
  }

  // Returns false if the rule can never match. Only single rules are compared, so that earlier
  // rules which match everything only together go unnoticed.
  bool CheckReach(size_t index, BlockerIndex* blockers) {
    static const std::vector<MethodPattern> kEvery = {{"*", "*"}};
    const RuleConfig& rule = config_.rules[index];
    const std::vector<MethodPattern>& methods = rule.methods.empty() ? kEvery : rule.methods;
    std::optional<size_t> first;
    for (const MethodPattern& method : methods) {
      const auto blocker = FindBlockerEverywhere(index, method, blockers);
      if (!blocker) return true;
      if (!first) first = blocker;
    }
    if (!first) return true;
    const RuleConfig& blocker = config_.rules[*first];
    Warn(rule.position, "rule " + QuoteShort(rule.name) + " can never match, because rule " +
                            QuoteShort(blocker.name) + " at " + blocker.position.ToString() +
                            " matches before it; reorder the rules, or remove this one");
    return false;
  }

  // If, on each listener of the rule, an earlier rule takes every call to `method` that the rule
  // would match, returns the earlier rule for the first listener. Returns nothing otherwise.
  std::optional<size_t> FindBlockerEverywhere(size_t index, const MethodPattern& method,
                                              BlockerIndex* blockers) const {
    const RuleConfig& rule = config_.rules[index];
    const size_t count = rule.every_listener ? config_.listeners.size() : rule.listeners.size();
    std::optional<size_t> first;
    std::optional<size_t> last;
    for (size_t i = 0; i < count; ++i) {
      const size_t listener = rule.every_listener ? i : rule.listeners[i];
      if (last && config_.rules[*last].IsFor(listener)) continue;
      last = blockers->Find(index, listener, method);
      if (!last) return std::nullopt;
      if (!first) first = last;
      if (config_.rules[*last].every_listener) break;
    }
    return first;
  }

  void CheckOverflow(const RuleConfig& rule) {
    if (rule.action != RuleConfig::Action::kAllow) return;
    const Owner owner = {.position = rule.position, .label = "rule " + QuoteShort(rule.name)};
    if (rule.users) CheckOverflowIn(owner, *rule.users, "uid", overflow_.uid);
    if (rule.groups) CheckOverflowIn(owner, *rule.groups, "gid", overflow_.gid);
  }

  // The rule or the section that has a set of ids, for messages.
  struct Owner {
    SourcePosition position;
    std::string label;
  };

  // There is no warning for "*", since most users expect that it does not match the overflow id.
  void CheckOverflowIn(const Owner& owner, const IdSet& ids, const char* what, uint32_t overflow) {
    const std::string id = std::string(what) + " " + std::to_string(overflow);
    if (std::find(ids.exact.begin(), ids.exact.end(), overflow) != ids.exact.end()) {
      Warn(owner.position, owner.label + " allows " + id + ", which the kernel reports for every " +
                               what + " without a mapping; remove it unless you mean all of them");
      return;
    }
    for (const IdRange& range : ids.ranges) {
      if (overflow < range.first || overflow > range.last) continue;
      Warn(owner.position, owner.label + " has the range \"" + std::to_string(range.first) + "-" +
                               std::to_string(range.last) +
                               "\", which does not match the overflow " + id + "; list " +
                               std::to_string(overflow) + " as well to allow it");
      return;
    }
  }

  // A server that uses ttrpc's Go implementation crashes when a unary method receives data. Only
  // the server knows which methods stream, so a pattern cannot exclude the others.
  void CheckStreams(const RuleConfig& rule) {
    if (rule.action != RuleConfig::Action::kAllow || !rule.streams) return;
    for (const MethodPattern& pattern : rule.methods) {
      if (IsExact(pattern.service) && IsExact(pattern.method)) continue;
      Warn(rule.position,
           "rule " + QuoteShort(rule.name) + " has streams = true and the pattern " +
               QuoteShort("/" + FullName(pattern)) +
               ", so clients can send data to methods that do not stream, which crashes servers of "
               "ttrpc's Go implementation; name the methods that stream");
      return;
    }
  }

  void CheckAdmin() {
    if (!config_.admin) return;
    CheckOverflowIn({.position = config_.admin->position, .label = "[admin]"}, config_.admin->users,
                    "uid", overflow_.uid);
    if (!config_.admin->users.any) return;
    Warn(config_.admin->position,
         "users in [admin] contains \"*\", so everyone who can connect can see all calls and stop "
         "the daemon; name the users");
  }

  // Lines about refusals, denials and shadow decisions are limited by rate_per_user and
  // bytes_per_user. Lines about allowed calls have no limit, so their users can fill the disk.
  void CheckAudit() {
    if (config_.limits.requests_per_second_per_user != 0) return;
    const std::string why =
        " lets every allowed user cause any number of audit lines; "
        "set requests_per_second_per_user in [limits]";
    if (config_.audit.calls == AuditCalls::kAll) {
      Warn({.file = config_.file}, "calls = \"all\" in [audit]" + why);
    }
    for (const RuleConfig& rule : config_.rules) {
      if (!Admits(rule) || rule.audit != AuditCalls::kAll) continue;
      Warn(rule.position, "audit = \"all\" in rule " + QuoteShort(rule.name) + why);
    }
  }

  const Config& config_;
  const OverflowIds overflow_;
  std::vector<ConfigError> warnings_;
};

}  // namespace

std::vector<ConfigError> Lint(const Config& config, OverflowIds overflow) {
  return Linter(config, overflow).Run();
}

}  // namespace proxyd
