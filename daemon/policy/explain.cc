// SPDX-License-Identifier: Apache-2.0
#include "policy/explain.h"

#include <algorithm>

#include "policy/match.h"
#include "text/escape.h"

namespace proxyd {

using text::OneLine;
using text::Quote;
using text::QuoteShort;

namespace {

// Returns `rule "monitoring" (c.toml:12)`.
std::string Named(const RuleConfig& rule) {
  return "rule " + Quote(rule.name) + " (" + OneLine(rule.position.file) + ":" +
         std::to_string(rule.position.line) + ")";
}

// Returns the listeners of a rule: `"shims"`, or `"shims" and "agents"`.
std::string ListenersOf(const RuleConfig& rule, const Config& config) {
  std::string names;
  for (size_t i = 0; i < rule.listeners.size(); ++i) {
    if (i > 0) names += i + 1 == rule.listeners.size() ? " and " : ", ";
    names += Quote(config.listeners[rule.listeners[i]].name);
  }
  return names;
}

// Returns `"a-*" or "b"`.
std::string AnyOf(const std::vector<NamePattern>& patterns) {
  std::string text;
  for (const NamePattern& pattern : patterns) {
    text.append(text.empty() ? "" : " or ").append(Quote(pattern.text()));
  }
  return text;
}

// Makes the sentences about one query.
class Explainer {
 public:
  // The snapshot and the query must outlive the explainer.
  Explainer(const Snapshot& snapshot, const ExplainQuery& query)
      : config_(snapshot.config),
        overflow_(snapshot.policy.overflow()),
        query_(query),
        user_("uid " + std::to_string(query.identity.uid)),
        method_("/" + std::string(query.method.service) + "/" + std::string(query.method.method)),
        listener_("listener " + Quote(config_.listeners[query.listener].name)) {}

  std::string Reason(const Explanation& found, const ttrpc::Status& metadata) const;
  std::vector<std::string> Notes(const Explanation& found) const;

 private:
  std::string Allowed(const RuleConfig& rule) const;
  std::string NearMiss(const RuleConfig& rule, const Explanation& found) const;
  std::string LacksWho(const RuleConfig& rule) const;
  std::string LacksMetadata(const RuleConfig& rule) const;
  std::string LacksWorkload(const RuleConfig& rule) const;
  NameSubject subject() const {
    return {.uid = query_.identity.uid, .gid = query_.identity.gid, .user = query_.user};
  }
  bool HasMethod(const RuleConfig& rule) const;
  bool MustBeWrittenOut(const RuleConfig& rule) const;
  bool Nobody() const;

  const Config& config_;
  const OverflowIds overflow_;
  const ExplainQuery& query_;
  const std::string user_, method_, listener_;
};

bool Explainer::Nobody() const {
  return query_.identity.uid == static_cast<uid_t>(-1) ||
         query_.identity.gid == static_cast<gid_t>(-1);
}

std::string Explainer::Reason(const Explanation& found, const ttrpc::Status& metadata) const {
  if (Nobody()) {
    return "the uid or gid is -1, which is not an identity: the connection is closed before "
           "anything is read";
  }
  if (!found.admitted) {
    return user_ + " is not admitted to " + listener_ +
           ": no enforced allow rule can match it there, so its connection is closed before "
           "anything is read";
  }
  if (!metadata.ok()) return "the request is refused: " + metadata.message();
  if (!found.rule) {
    return "no rule matches on " + listener_ + ": " + user_ + " may not call " + method_;
  }
  const RuleConfig& rule = config_.rules[*found.rule];
  if (found.allowed) return Allowed(rule);
  std::string text = Named(rule) + " denies " + method_ + " to " + user_;
  if (!rule.HasWorkloadConditions()) return text;
  if (query_.workload == nullptr) {
    text += ", since a deny rule about workloads also matches a call about none";
  } else if (MatchWorkload(rule, *query_.workload, subject()) == NameMatch::kUnknown) {
    text += ", since its conditions on the workload cannot be answered";
  }
  return text;
}

std::string Explainer::Allowed(const RuleConfig& rule) const {
  std::string text = Named(rule) + " allows " + method_ + " to " + user_;
  // Configurations in tests may have no backends.
  if (rule.backend < config_.backends.size()) {
    text += " through backend " + Quote(config_.backends[rule.backend].name);
  }
  return text;
}

std::vector<std::string> Explainer::Notes(const Explanation& found) const {
  std::vector<std::string> notes;
  if (found.allowed || Nobody()) return notes;
  for (const RuleConfig& rule : config_.rules) {
    if (rule.action != RuleConfig::Action::kAllow || !rule.enforce) continue;
    if (std::string note = NearMiss(rule, found); !note.empty()) notes.push_back(std::move(note));
  }
  return notes;
}

// Returns an empty string if the rule fails to match in more than one respect.
std::string Explainer::NearMiss(const RuleConfig& rule, const Explanation& found) const {
  const bool listener = rule.IsFor(query_.listener);
  const bool who = FitsIdentity(rule, query_.identity, overflow_);
  const bool method = HasMethod(rule);
  const bool metadata = MetadataHolds(rule, query_.metadata);
  const bool workload = FitsWorkload(rule, query_.workload, subject());
  const int lacking = int{!listener} + int{!who} + int{!method} + int{!metadata} + int{!workload};
  if (lacking > 1) return "";
  if (!who) return LacksWho(rule);
  if (!workload) return LacksWorkload(rule);
  if (!metadata) return LacksMetadata(rule);
  if (!method) return Named(rule) + " allows other methods to " + user_ + ", but not this one";
  if (!listener) {
    return Named(rule) + " allows this method to " + user_ + ", but only on " +
           (rule.listeners.size() == 1 ? "listener " : "listeners ") + ListenersOf(rule, config_);
  }
  if (!found.rule) return "";  // the metadata is refused before any rule is checked
  return Named(rule) + " would allow it, but " + Named(config_.rules[*found.rule]) +
         " matches first";
}

std::string Explainer::LacksWho(const RuleConfig& rule) const {
  RuleConfig users_alone = rule;
  users_alone.groups.reset();
  const bool user = rule.users && FitsIdentity(users_alone, query_.identity, overflow_);
  std::string text = Named(rule) + " allows this method, but not to ";
  if (!rule.groups) {
    text += user_;
  } else if (user || !rule.users) {
    text += "any group of " + user_;
  } else {
    RuleConfig groups_alone = rule;
    groups_alone.users.reset();
    const bool group = FitsIdentity(groups_alone, query_.identity, overflow_);
    text += group ? user_ : user_ + " or any of its groups";
  }
  if (MustBeWrittenOut(rule)) {
    text +=
        "; the overflow uid " + std::to_string(overflow_.uid) + " matches only if users lists it";
  }
  return text;
}

// Whether the rule would match the uid if that were not the overflow uid.
bool Explainer::MustBeWrittenOut(const RuleConfig& rule) const {
  if (query_.identity.uid != overflow_.uid || !rule.users) return false;
  RuleConfig users_alone = rule;
  users_alone.groups.reset();
  const OverflowIds none = {.uid = static_cast<uid_t>(-1), .gid = static_cast<gid_t>(-1)};
  return !FitsIdentity(users_alone, query_.identity, overflow_) &&
         FitsIdentity(users_alone, query_.identity, none);
}

std::string Explainer::LacksMetadata(const RuleConfig& rule) const {
  std::string wanted;
  for (const auto& [key, value] : rule.metadata) {
    const ttrpc::MetadataEntry entry{.key = key, .value = value};
    if (std::find(query_.metadata.begin(), query_.metadata.end(), entry) != query_.metadata.end()) {
      continue;
    }
    if (!wanted.empty()) wanted += " and ";
    wanted += OneLine(key) + " = " + Quote(value);
  }
  return Named(rule) + " allows this method to " + user_ + ", but only with metadata " + wanted;
}

// Lists the conditions on workloads that do not hold.
std::string Explainer::LacksWorkload(const RuleConfig& rule) const {
  std::string wanted;
  const auto add = [&](const RuleConfig& alone, const std::string& condition) {
    if (FitsWorkload(alone, query_.workload, subject())) return;
    wanted.append(wanted.empty() ? "" : " and ").append(condition);
  };
  if (!rule.namespaces.empty()) {
    RuleConfig alone;
    alone.namespaces = rule.namespaces;
    add(alone, "a namespace like " + AnyOf(rule.namespaces));
  }
  if (!rule.ids.empty()) {
    RuleConfig alone;
    alone.ids = rule.ids;
    add(alone, "an id like " + AnyOf(rule.ids));
  }
  for (const auto& [key, pattern] : rule.annotations) {
    RuleConfig alone;
    alone.annotations.emplace(key, pattern);
    add(alone, "an annotation " + OneLine(key) + " like " + Quote(pattern.text()));
  }
  return Named(rule) + " allows this method to " + user_ + ", but only for a workload with " +
         wanted;
}

bool Explainer::HasMethod(const RuleConfig& rule) const {
  return std::any_of(rule.methods.begin(), rule.methods.end(), [&](const MethodPattern& pattern) {
    return MatchMethod(pattern, query_.method);
  });
}

}  // namespace

Explanation Explain(const Snapshot& snapshot, const ExplainQuery& query) {
  ttrpc::RequestView request;
  request.service = query.method.service;
  request.method = query.method.method;
  request.metadata.assign(query.metadata.begin(), query.metadata.end());

  Admission admission = snapshot.policy.Admit(query.listener, query.identity);
  admission.SetUser(std::string(query.user));
  GuardedValues values;
  const ttrpc::Status metadata =
      snapshot.policy.CheckGuardedMetadata(admission, request.metadata, &values);
  Explanation found;
  found.admitted = admission.admitted();
  if (metadata.ok()) {
    Verdict verdict = snapshot.policy.Check(admission, request, values, query.workload);
    found.allowed = found.admitted && verdict.allowed;
    found.rule = verdict.rule;
    found.shadows = std::move(verdict.shadows);
  }
  const Explainer explainer(snapshot, query);
  found.reason = explainer.Reason(found, metadata);
  found.notes = explainer.Notes(found);
  return found;
}

}  // namespace proxyd
