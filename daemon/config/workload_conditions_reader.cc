// SPDX-License-Identifier: Apache-2.0
//
// Reads the conditions of a [[rule]] on workloads, and checks that the listeners of a rule have the
// workloads that it needs. This is a gate: a condition that could never hold, and a backend that
// could never be found, are refused rather than ignored. Pure; one thread.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/readers.h"
#include "text/escape.h"

namespace proxyd {

using text::Quote;
using text::QuoteShort;

namespace {

// Reads an array of patterns for names, which are single components of paths.
void ReadNames(std::string_view key, TableReader* in, std::vector<NamePattern>* out) {
  const auto* patterns =
      in->FindStrings(key, "use an array of patterns such as \"team-a-*\" or \"{uid}-*\"");
  if (patterns == nullptr) return;
  for (const toml::node& value : *patterns) {
    const std::string& text = StringOf(value);
    const std::string what = std::string(key) + " contains " + QuoteShort(text);
    if (text.find('/') != text.npos) {
      in->Error(PositionOf(value),
                what + ", which can never match, since no name has a slash; remove the slash");
    } else if (auto pattern = NamePattern::Parse(text)) {
      out->push_back(*std::move(pattern));
    } else {
      in->Error(PositionOf(value), what + "; " + pattern.error().message());
    }
  }
}

void ReadAnnotations(TableReader* in, RuleConfig* rule) {
  const auto entry = in->Find("annotations");
  if (!entry) return;
  const toml::table* conditions = entry->value.as_table();
  if (conditions == nullptr || conditions->empty()) {
    in->Wrong(*entry, "use a table of annotations and patterns");
    return;
  }
  for (const auto& [key, value] : *conditions) {
    const std::string what = "annotation " + QuoteShort(key);
    if (!value.is_string()) {
      // A key with dots and without quotes is a table in a table.
      in->Error(PositionOf(value),
                what + " is " + std::string(TypeNameOf(value)) +
                    (value.is_table() ? "; write the key in quotes if it has dots, and a pattern"
                                      : "; use a pattern in quotes"));
    } else if (key.empty()) {
      in->Error(PositionOf(key), what + " has no name; use the key of an annotation");
    } else if (auto pattern = NamePattern::Parse(StringOf(value))) {
      rule->annotations.insert_or_assign(std::string(key), *std::move(pattern));
    } else {
      in->Error(PositionOf(value),
                what + " is " + QuoteShort(StringOf(value)) + "; " + pattern.error().message());
    }
  }
}

// Checks one rule against the listeners on which it applies.
class ListenerCheck {
 public:
  ListenerCheck(const RuleConfig& rule, TableReader* in, ReadScope* scope)
      : rule_(rule), in_(*in), scope_(*scope) {}

  void Run() {
    for (const std::string_view key : {"namespaces", "annotations"}) {
      NeedsDiscovery(key, DiscoverySource::kContainerd);
    }
    NeedsDiscovery("ids", std::nullopt);
    CheckBackend();
  }

 private:
  // Returns the first listener of the rule with the property, or null.
  template <typename Property>
  const ListenerKind* FindListener(const Property& property) const {
    const std::vector<ListenerKind>& kinds = scope_.listener_kinds;
    const auto fits = [&property](const ListenerKind& kind) {
      return kind.known && property(kind);
    };
    if (rule_.every_listener) {
      const auto found = std::find_if(kinds.begin(), kinds.end(), fits);
      return found == kinds.end() ? nullptr : &*found;
    }
    for (const size_t index : rule_.listeners) {
      if (index < kinds.size() && fits(kinds[index])) return &kinds[index];
    }
    return nullptr;
  }

  const ListenerKind* FindWithout(std::optional<DiscoverySource> source) const {
    return FindListener([source](const ListenerKind& kind) {
      return source ? kind.discovers != source : !kind.discovers;
    });
  }

  static std::string Lacks(const ListenerKind& listener, std::optional<DiscoverySource> source) {
    return "listener " + QuoteShort(listener.name) + " has no discover" +
           (source ? " = " + Quote(WordOf(kDiscoverWords, *source)) : "");
  }

  std::string Remedy() const {
    return rule_.every_listener ? "; set listeners in the rule, or "
                                : "; name other listeners, or ";
  }

  void NeedsDiscovery(std::string_view key, std::optional<DiscoverySource> source) {
    const auto entry = in_.Peek(key);
    if (!entry) return;
    const ListenerKind* without = FindWithout(source);
    if (without == nullptr) return;
    in_.Error(PositionOf(entry->key), std::string(key) + " is set, but " + Lacks(*without, source) +
                                          Remedy() + "remove " + std::string(key));
  }

  void CheckBackend() {
    const auto entry = in_.Peek("backend");
    if (!entry) return;
    const auto backend = scope_.backends.Find(StringOf(entry->value));
    if (!backend) return;
    const auto discovered = scope_.discovered.find(*backend);
    if (discovered == scope_.discovered.end()) return;
    if (const ListenerKind* without = FindWithout(std::nullopt)) {
      in_.Error(PositionOf(entry->value),
                "backend " + QuoteShort(StringOf(entry->value)) + " is discovered, but " +
                    Lacks(*without, std::nullopt) + Remedy() + "use another backend");
    }
    if (!discovered->second) return;
    const ListenerKind* for_all =
        FindListener([](const ListenerKind& kind) { return kind.one_socket; });
    if (for_all == nullptr) return;
    in_.Error(*discovered->second,
              "on_disconnect is set, but rule " + QuoteShort(rule_.name) +
                  " leads to the backend from listener " + QuoteShort(for_all->name) +
                  ", where losing one workload never closes a peer; remove on_disconnect, or use "
                  "another backend there");
    // The other rules that lead there need no error of their own.
    discovered->second.reset();
  }

  const RuleConfig& rule_;
  TableReader& in_;
  ReadScope& scope_;
};

}  // namespace

void ReadWorkloadConditions(TableReader* in, RuleConfig* rule) {
  ReadNames("namespaces", in, &rule->namespaces);
  ReadNames("ids", in, &rule->ids);
  ReadAnnotations(in, rule);
}

void CheckListenersOf(const RuleConfig& rule, TableReader* in, ReadScope* scope) {
  ListenerCheck(rule, in, scope).Run();
}

}  // namespace proxyd
