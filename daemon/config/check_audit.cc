// SPDX-License-Identifier: Apache-2.0
//
// CheckAudit: an audit that its users can make as large as they like. Pure; any thread.
#include <string>

#include "config/load.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

// Refusals, denials and shadow decisions are held to rate_per_user and bytes_per_user.
bool AuditsEachCall(const RuleConfig& rule) {
  return rule.action == RuleConfig::Action::kAllow && rule.enforce &&
         rule.audit == AuditCalls::kAll;
}

}  // namespace

std::vector<ConfigError> CheckAudit(const Config& config) {
  std::vector<ConfigError> warnings;
  if (config.limits.requests_per_second_per_user != 0) return warnings;
  const std::string why =
      " without [limits] requests_per_second_per_user lets whoever is allowed a call write any "
      "number of audit lines";
  if (config.audit.calls == AuditCalls::kAll) {
    warnings.push_back({{.file = config.file}, "[audit] calls = \"all\"" + why});
  }
  for (const RuleConfig& rule : config.rules) {
    if (!AuditsEachCall(rule)) continue;
    warnings.push_back(
        {rule.position, "rule " + QuoteShort(rule.name) + ": audit = \"all\"" + why});
  }
  return warnings;
}

}  // namespace proxyd
