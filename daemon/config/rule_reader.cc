// SPDX-License-Identifier: Apache-2.0
//
// Reads [[rule]] tables. This is a gate: an allow rule must name users or groups, methods and a
// backend, and a condition that could never hold is refused rather than ignored.
#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/known_names.h"
#include "config/readers.h"
#include "config/rpc_names.h"
#include "text/escape.h"
#include "ttrpc/metadata.h"

namespace proxyd {

using text::QuoteShort;

namespace {

class RuleReader {
 public:
  RuleReader(const toml::table& table, ReadScope* scope)
      : in_("[[rule]]", {&table}, &scope->errors), scope_(scope) {}

  RuleConfig Read() {
    rule_.position = in_.position();
    rule_.name = scope_->rules.Declare(&in_);
    ReadListeners();
    rule_.users = ReadIdSet("users", IdKind::kUser, &in_, scope_);
    rule_.groups = ReadIdSet("groups", IdKind::kGroup, &in_, scope_);
    ReadMethods();
    ReadWorkloadConditions(&in_, &rule_);
    ReadMetadata();
    in_.Require("action", "use " + TableReader::ListWords(kActionWords));
    const bool has_action = in_.ReadWord("action", kActionWords, &rule_.action);
    ReadBackendName();
    in_.ReadBool("streams", &rule_.streams);
    ReadCallMax();
    in_.ReadBool("enforce", &rule_.enforce);
    AuditCalls audit{};
    if (in_.ReadWord("audit", kAuditCallsWords, &audit)) rule_.audit = audit;
    in_.Finish();
    CheckListenersOf(rule_, &in_, scope_);
    if (has_action && rule_.action == RuleConfig::Action::kAllow) CheckAllow();
    if (has_action && rule_.action == RuleConfig::Action::kDeny) CheckDeny();
    return std::move(rule_);
  }

 private:
  void ReadListeners() {
    const auto* names =
        in_.FindStrings("listeners", "use an array with the names of one or more listeners");
    rule_.every_listener = !in_.Peek("listeners");
    if (names == nullptr) return;
    for (const toml::node& name : *names) {
      if (const auto index = scope_->listeners.Find(StringOf(name))) {
        rule_.listeners.push_back(*index);
      } else {
        Missing("listener", name, scope_->listeners);
      }
    }
    std::sort(rule_.listeners.begin(), rule_.listeners.end());
  }

  void ReadMethods() {
    const auto* written =
        in_.FindStrings("methods", "use an array of patterns such as \"/package.Service/Method\"");
    if (written == nullptr) return;
    bool has_sets = false;
    for (const toml::node& element : *written) {
      const std::string& text = StringOf(element);
      if (const auto set = MethodSetOf(text)) {
        has_sets = true;
        ExpandMethodSet(*set, element);
      } else if (auto pattern = ParseMethodPattern(text)) {
        rule_.methods.push_back(*std::move(pattern));
      } else {
        in_.Error(PositionOf(element), scope_->method_sets.NotAPattern(text));
      }
    }
    if (!has_sets) return;
    for (const toml::node& element : *written) rule_.written_methods.push_back(StringOf(element));
    RemoveRepeatedMethods();
  }

  void ExpandMethodSet(std::string_view set, const toml::node& element) {
    MethodSetTable& sets = scope_->method_sets;
    if (sets.Expand(set, &rule_.methods) || !scope_->complete) return;
    in_.Error(PositionOf(element), sets.Missing(StringOf(element), &scope_->errors));
  }

  // Sets overlap, and each pattern of a rule has a cost.
  void RemoveRepeatedMethods() {
    std::set<std::pair<std::string_view, std::string_view>> seen;
    std::vector<MethodPattern> unique;
    unique.reserve(rule_.methods.size());
    for (const MethodPattern& pattern : rule_.methods) {
      if (seen.emplace(pattern.service, pattern.method).second) unique.push_back(pattern);
    }
    rule_.methods = std::move(unique);
  }

  void ReadMetadata() {
    const auto entry = in_.Find("metadata");
    if (!entry) return;
    const toml::table* conditions = entry->value.as_table();
    if (conditions == nullptr || conditions->empty()) {
      in_.Wrong(*entry, "use a table of keys and exact values");
      return;
    }
    for (const auto& [key, value] : *conditions) {
      if (!value.is_string()) {
        in_.Error(PositionOf(value), "metadata " + QuoteShort(key) + " is " +
                                         std::string(TypeNameOf(value)) + "; use a string");
      }
      CheckMetadataKey(key);
      rule_.metadata[std::string(key)] = StringOf(value);
    }
  }

  void CheckMetadataKey(const toml::key& key) {
    const bool good = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
      return c > 0x20 && c < 0x7f && ttrpc::ToLowerAscii(c) == c;
    });
    if (!good) {
      in_.Error(PositionOf(key), "metadata key " + QuoteShort(key) +
                                     " can never match; use visible ASCII in lower case");
    } else if (IsReservedMetadata(key)) {
      in_.Error(PositionOf(key), "metadata key " + QuoteShort(key) +
                                     " can never match, since ttrpc-proxy- keys are dropped "
                                     "from every request; remove it");
    }
  }

  void ReadBackendName() {
    const auto entry = in_.Find("backend");
    if (!entry) return;
    if (!entry->value.is_string()) {
      in_.Wrong(*entry, "use the name of a backend");
      return;
    }
    if (const auto index = scope_->backends.Find(StringOf(entry->value))) {
      rule_.backend = *index;
    } else {
      Missing("backend", entry->value, scope_->backends);
    }
  }

  // Reports a name that no table of this kind has, with the one that was probably meant.
  void Missing(const std::string& kind, const toml::node& value, const NameTable& table) {
    if (!scope_->complete) return;
    const std::string& name = StringOf(value);
    std::string advice = "use the name of a [[" + kind + "]]";
    if (scope_->errors.suggests()) {
      const std::vector<std::string> names = table.Names();
      advice = scope_->errors.DidYouMean(name, names, UseOneOf(names));
    }
    in_.Error(PositionOf(value), kind + " " + QuoteShort(name) + " does not exist; " + advice);
  }

  void ReadCallMax() {
    Duration call_max{};
    in_.ReadDuration("call_max", &call_max);
    if (in_.Peek("call_max")) rule_.call_max = call_max;
  }

  void CheckAllow() {
    if (!in_.Peek("users") && !in_.Peek("groups")) {
      in_.Error(in_.position(),
                "[[rule]] with action = \"allow\" has neither users nor groups; add one of them");
    }
    if (!in_.Peek("methods")) {
      in_.Error(in_.position(), "[[rule]] with action = \"allow\" has no methods; add methods");
    }
    if (!in_.Peek("backend")) {
      in_.Error(in_.position(), "[[rule]] with action = \"allow\" has no backend; add one");
    }
  }

  void CheckDeny() {
    for (const std::string_view key : {"backend", "streams", "call_max"}) {
      if (const auto entry = in_.Peek(key)) {
        in_.Error(PositionOf(entry->key),
                  std::string(key) + " is set in a [[rule]] with action = \"deny\"; remove it");
      }
    }
  }

  TableReader in_;
  ReadScope* scope_;
  RuleConfig rule_;
};

}  // namespace

RuleConfig ReadRule(const toml::table& table, ReadScope* scope) {
  return RuleReader(table, scope).Read();
}

}  // namespace proxyd
