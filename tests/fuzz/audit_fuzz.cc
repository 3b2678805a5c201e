// SPDX-License-Identifier: Apache-2.0
//
// Peers choose a part of the audit. From any audit ttrpc-proxyctl learns a configuration that is
// valid and allows the calls in it. The input is the audit.
#include <map>
#include <set>
#include <string>

#include "config/load.h"
#include "ctl/audit_reader.h"
#include "ctl/learn.h"
#include "fuzz.h"
#include "policy/explain.h"
#include "text/escape.h"

namespace {

constexpr size_t kMostCalls = 64;  // the search for few rules would be slow with more

class NoNames final : public proxyd::NameResolver {
 public:
  std::optional<uid_t> User(const std::string&) override { return std::nullopt; }
  std::optional<gid_t> Group(const std::string&) override { return std::nullopt; }
};

// Returns a table for each of the names. A name that no configuration can have makes the text
// invalid.
std::string Tables(const char* kind, const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += "[[" + std::string(kind) + "]]\nname = " + text::Quote(name) +
            "\naddress = \"unix:///" + kind + std::to_string(text.size()) + "\"\n";
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Script script(data, size);
  proxyd::ctl::AuditReader reader("denied");
  while (!script.done()) reader.ReadLine(script.Until('\n'));
  FUZZ_CHECK(reader.errors().size() <= proxyd::ctl::AuditReader::kMostErrors);
  if (reader.calls().empty() || reader.calls().size() > kMostCalls) return 0;

  std::set<std::string> listeners;
  std::set<std::string> backends;
  for (const auto& [call, count] : reader.calls()) {
    listeners.insert(call.listener);
    backends.insert(call.backend);
  }
  const std::string tables = Tables("listener", listeners) + Tables("backend", backends);
  NoNames names;
  if (!proxyd::ParseConfig({{"f", tables}}, names).config) return 0;

  const proxyd::ctl::Learned learned = proxyd::ctl::Learn(reader.calls());
  proxyd::LoadedConfig loaded =
      proxyd::ParseConfig({{"f", tables + proxyd::ctl::PrintRules(learned.rules, {})}}, names);
  for (const proxyd::ConfigError& error : loaded.errors)
    std::fprintf(stderr, "%s\n", error.ToString().c_str());
  FUZZ_CHECK(loaded.config.has_value());
  for (const proxyd::RuleConfig& rule : loaded.config->rules) {
    FUZZ_CHECK(rule.users && !rule.users->any && rule.users->ranges.empty());
    for (const proxyd::MethodPattern& method : rule.methods)
      FUZZ_CHECK((method.service + method.method).find('*') == std::string::npos);
  }

  std::map<std::string, size_t> index;
  for (const proxyd::ListenerConfig& listener : loaded.config->listeners)
    index.emplace(listener.name, index.size());
  // The peer has no groups, and the overflow ids are the usual ones.
  const proxyd::Snapshot snapshot(*std::move(loaded.config), {.uid = 65534, .gid = 65534});
  for (const auto& [call, count] : reader.calls()) {
    const proxyd::Explanation explanation =
        proxyd::Explain(snapshot, {.listener = index.at(call.listener),
                                   .identity = {.uid = call.uid, .gid = 0, .groups = {}},
                                   .method = {.service = call.service, .method = call.method},
                                   .metadata = {}});
    FUZZ_CHECK(explanation.allowed);
  }
  return 0;
}
