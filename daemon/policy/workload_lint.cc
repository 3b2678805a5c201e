// SPDX-License-Identifier: Apache-2.0
#include "policy/workload_lint.h"

#include <algorithm>
#include <string>
#include <utility>

#include "policy/match.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

// Only the requests of these services name a workload, so only they can be led to one.
const MethodPattern kNamingServices[] = {
    {.service = "containerd.task.v2.Task", .method = "*"},
    {.service = "containerd.task.v3.Task", .method = "*"},
    {.service = "containerd.runtime.sandbox.v1.Sandbox", .method = "*"}};

class WorkloadLinter {
 public:
  explicit WorkloadLinter(const Config& config) : config_(config) {
    all_for_all_ =
        !config.listeners.empty() &&
        std::all_of(config.listeners.begin(), config.listeners.end(),
                    [](const ListenerConfig& listener) { return listener.IsOneSocketForAll(); });
  }

  std::vector<ConfigError> Run() {
    for (const RuleConfig& rule : config_.rules) {
      CheckOpenEnds(rule);
      CheckServices(rule);
    }
    return std::move(warnings_);
  }

 private:
  void CheckOpenEnds(const RuleConfig& rule) {
    const NamePattern* open = nullptr;
    const NamePattern* number = nullptr;
    const auto look = [&](const NamePattern& pattern) {
      if (open == nullptr && pattern.user_is_open_ended()) open = &pattern;
      if (number == nullptr && pattern.number_is_open_ended()) number = &pattern;
    };
    std::for_each(rule.namespaces.begin(), rule.namespaces.end(), look);
    std::for_each(rule.ids.begin(), rule.ids.end(), look);
    for (const auto& [key, pattern] : rule.annotations) look(pattern);
    if (number != nullptr)
      Warn(rule, "has the pattern " + QuoteShort(number->text()) +
                     ", which for id 100 may also match the workloads of id 1000 or 2100; put "
                     "another character between the number and the star");
    if (open == nullptr) return;
    Warn(rule, "has the pattern " + QuoteShort(open->text()) +
                   ", which for a user \"dev\" may also match the workloads of a user \"dev-ci\"; "
                   "use {uid}, or end the pattern with {user}");
  }

  void CheckServices(const RuleConfig& rule) {
    if (rule.action != RuleConfig::Action::kAllow || !IsOnlyForAll(rule)) return;
    const auto names_workloads = [](const MethodPattern& pattern) {
      return std::any_of(
          std::begin(kNamingServices), std::end(kNamingServices),
          [&pattern](const MethodPattern& service) { return PatternsMeet(pattern, service); });
    };
    if (std::any_of(rule.methods.begin(), rule.methods.end(), names_workloads)) return;
    Warn(
        rule,
        "allows no method of a Task or Sandbox service, but a socket for all workloads serves only "
        "these; use a listener with a socket for each workload");
  }

  // Whether each listener of the rule has one socket for all workloads.
  bool IsOnlyForAll(const RuleConfig& rule) const {
    if (rule.every_listener) return all_for_all_;
    return std::all_of(rule.listeners.begin(), rule.listeners.end(), [this](size_t listener) {
      return config_.listeners[listener].IsOneSocketForAll();
    });
  }

  void Warn(const RuleConfig& rule, const std::string& what) {
    warnings_.push_back(ConfigWarning(rule.position, "rule " + QuoteShort(rule.name) + " " + what));
  }

  const Config& config_;
  bool all_for_all_ = false;
  std::vector<ConfigError> warnings_;
};

}  // namespace

std::vector<ConfigError> LintWorkloads(const Config& config) {
  return WorkloadLinter(config).Run();
}

}  // namespace proxyd
