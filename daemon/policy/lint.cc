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
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

bool Admits(const RuleConfig& rule) {
  return rule.action == RuleConfig::Action::kAllow && rule.enforce;
}

// By listener, the first of `rules` that is for it and has the property; null: none.
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
    break;  // nothing is left to find
  }
  return first;
}

bool IsForEverybody(const RuleConfig& rule) {
  return Admits(rule) && (!rule.users || rule.users->any) && (!rule.groups || rule.groups->any);
}

class Linter {
 public:
  Linter(const Config& config, OverflowIds overflow) : config_(config), overflow_(overflow) {}

  std::vector<ConfigError> Run() {
    if (config_.listeners.empty()) {
      Warn({.file = config_.file}, "there is no [[listener]], so that nothing is served");
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
    std::vector<ConfigError> of_pairs = LintRulePairs(config_, overflow_, unreachable);
    std::move(of_pairs.begin(), of_pairs.end(), std::back_inserter(warnings_));
    CheckAdmin();
    CheckAudit();
    return std::move(warnings_);
  }

 private:
  void Warn(SourcePosition position, std::string message) {
    warnings_.push_back({std::move(position), std::move(message)});
  }

  void WarnOfNobody(const ListenerConfig& listener) {
    Warn(listener.position, "listener " + QuoteShort(listener.name) +
                                " admits nobody: no enforced allow rule is for it");
  }

  // Neither the socket's mode nor a rule keeps anybody away.
  void CheckOpenDoor(const ListenerConfig& listener, const RuleConfig& rule) {
    const auto* address = std::get_if<ttrpc::Address>(&listener.address);
    if (address == nullptr) return;  // its mode is set elsewhere
    const bool abstract = address->kind() == ttrpc::Address::Kind::kUnixAbstract;
    if (!abstract && (listener.access.mode & 0002U) == 0) return;
    Warn(listener.position, "listener " + QuoteShort(listener.name) +
                                (abstract ? " is abstract" : " lets everybody connect") +
                                ", and rule " + QuoteShort(rule.name) + " allows everybody");
  }

  void CheckUse() {
    std::vector<bool> used(config_.backends.size());
    for (const RuleConfig& rule : config_.rules) {
      if (rule.action == RuleConfig::Action::kAllow) used[rule.backend] = true;
    }
    for (size_t i = 0; i < used.size(); ++i) {
      if (used[i]) continue;
      const BackendConfig& backend = config_.backends[i];
      Warn(backend.position, "backend " + QuoteShort(backend.name) + " is used by no rule");
    }
  }

  // Only whole rules are compared: several earlier ones that together leave nothing to a listener
  // or a pattern of this one are not seen. Returns false if the rule can never match.
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
    Warn(rule.position, "rule " + QuoteShort(rule.name) + " can never match: rule " +
                            QuoteShort(blocker.name) + " at " + blocker.position.ToString() +
                            " matches before it");
    return false;
  }

  // If earlier rules take every call to `method` that the rule would match, on each of its
  // listeners, the one that does so on the first of them.
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

  // What has a set of ids, for messages.
  struct Owner {
    SourcePosition position;
    std::string label;
  };

  // "*" is not warned about: that it leaves the overflow id out is what most users expect.
  void CheckOverflowIn(const Owner& owner, const IdSet& ids, const char* what, uint32_t overflow) {
    const std::string id = std::string(what) + " " + std::to_string(overflow);
    if (std::find(ids.exact.begin(), ids.exact.end(), overflow) != ids.exact.end()) {
      Warn(owner.position, owner.label + " allows " + id +
                               ", as which everybody without a mapping in a user namespace shows");
      return;
    }
    for (const IdRange& range : ids.ranges) {
      if (overflow < range.first || overflow > range.last) continue;
      Warn(owner.position, owner.label + ": range \"" + std::to_string(range.first) + "-" +
                               std::to_string(range.last) + "\" leaves out the overflow " + id +
                               ", which must be written out to be allowed");
      return;
    }
  }

  // A server of ttrpc's Go implementation ends when a unary method gets data. Which methods stream
  // is known to the server alone, so that a pattern cannot leave out those that do not.
  void CheckStreams(const RuleConfig& rule) {
    if (rule.action != RuleConfig::Action::kAllow || !rule.streams) return;
    for (const MethodPattern& pattern : rule.methods) {
      if (IsExact(pattern.service) && IsExact(pattern.method)) continue;
      Warn(rule.position,
           "rule " + QuoteShort(rule.name) + ": streams = true with the pattern " +
               QuoteShort("/" + FullName(pattern)) +
               " lets clients send data to methods that do not stream, which ends a server of "
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
         "[admin] users has \"*\": everybody who can connect to it sees all calls and can stop the "
         "daemon; name the users");
  }

  // Refusals, denials and shadow decisions are held to rate_per_user and bytes_per_user; allowed
  // calls are held to nothing, so that their users can make the audit as large as they like.
  void CheckAudit() {
    if (config_.limits.requests_per_second_per_user != 0) return;
    const std::string why =
        " without [limits] requests_per_second_per_user lets whoever is allowed a call write any "
        "number of audit lines";
    if (config_.audit.calls == AuditCalls::kAll) {
      Warn({.file = config_.file}, "[audit] calls = \"all\"" + why);
    }
    for (const RuleConfig& rule : config_.rules) {
      if (!Admits(rule) || rule.audit != AuditCalls::kAll) continue;
      Warn(rule.position, "rule " + QuoteShort(rule.name) + ": audit = \"all\"" + why);
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
