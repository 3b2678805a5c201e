// SPDX-License-Identifier: Apache-2.0
#include "policy/task_twins.h"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "config/method_sets.h"
#include "config/rpc_names.h"
#include "policy/match.h"
#include "text/escape.h"

namespace proxyd {
namespace {

struct TaskVersion {
  std::string_view service;
  std::string_view users;  // for the message about a rule without it
};

constexpr std::array<TaskVersion, 2> kTaskVersions = {
    {{"containerd.task.v2.Task", "which containerd 1.x uses"},
     {"containerd.task.v3.Task", "which the shim of containerd 2.x uses"}}};

// The methods that something names in each version, by their number.
using NamedMethods = std::array<std::vector<bool>, kTaskVersions.size()>;

class TaskTwinLinter {
 public:
  explicit TaskTwinLinter(const Config& config) : config_(config) {
    for (const auto& [name, patterns] : TaskMethodSets()) {
      const auto method = ParseMethodName(patterns.front());
      if (method) methods_.push_back(method->method);
    }
  }

  std::vector<ConfigError> Run() {
    NamedMethods in_all = NoMethods();
    for (const RuleConfig& rule : config_.rules) Add(rule, &in_all);
    for (const RuleConfig& rule : config_.rules) {
      NamedMethods in_rule = NoMethods();
      if (Add(rule, &in_rule)) Check(rule, in_rule, in_all);
    }
    return std::move(warnings_);
  }

 private:
  NamedMethods NoMethods() const {
    NamedMethods none;
    none.fill(std::vector<bool>(methods_.size()));
    return none;
  }

  // Marks what the rule names. Returns whether it is about a Task service at all.
  bool Add(const RuleConfig& rule, NamedMethods* named) const {
    bool found = false;
    for (const MethodPattern& pattern : rule.methods) {
      if (MatchesAll(pattern.service)) continue;
      for (size_t version = 0; version < kTaskVersions.size(); ++version) {
        if (!MatchPattern(pattern.service, kTaskVersions[version].service)) continue;
        found = true;
        for (size_t i = 0; i < methods_.size(); ++i) {
          if (MatchPattern(pattern.method, methods_[i])) (*named)[version][i] = true;
        }
      }
    }
    return found;
  }

  void Check(const RuleConfig& rule, const NamedMethods& in_rule, const NamedMethods& in_all) {
    for (size_t version = 0; version < kTaskVersions.size(); ++version) {
      const size_t other = 1 - version;
      size_t count = 0;
      std::string_view first;
      for (size_t i = 0; i < methods_.size(); ++i) {
        if (!in_rule[version][i] || in_all[other][i]) continue;
        if (count == 0) first = methods_[i];
        ++count;
      }
      if (count > 0) Warn(rule, version, {.count = count, .first = first});
    }
  }

  struct Alone {
    size_t count;
    std::string_view first;
  };

  void Warn(const RuleConfig& rule, size_t version, const Alone& alone) {
    std::string what = "rule " + text::QuoteShort(rule.name) + " names ";
    what += alone.first;
    if (alone.count > 1) what += " and " + std::to_string(alone.count - 1) + " more methods";
    what.append(" of ").append(kTaskVersions[version].service);
    what.append(alone.count > 1 ? ", but no rule names them in " : ", but no rule names it in ");
    what.append(kTaskVersions[1 - version].service).append(", ");
    what.append(kTaskVersions[1 - version].users).append("; use \"@containerd/");
    what.append(alone.first).append("\", which is that method of both");
    warnings_.push_back(ConfigWarning(rule.position, std::move(what)));
  }

  const Config& config_;
  std::vector<std::string_view> methods_;  // views of TaskMethodSets()
  std::vector<ConfigError> warnings_;
};

}  // namespace

std::vector<ConfigError> LintTaskTwins(const Config& config) {
  return TaskTwinLinter(config).Run();
}

}  // namespace proxyd
