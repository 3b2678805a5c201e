// SPDX-License-Identifier: Apache-2.0
//
// PrintConfig: prints a Config as TOML with every key that has an effect. Users and groups appear
// by name if the configuration has names. Pure; any thread.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/load.h"
#include "config/quantity.h"
#include "config/toml_writer.h"
#include "config/words.h"
#include "text/escape.h"

namespace proxyd {

using text::Quote;

namespace {

std::string Octal(mode_t mode) {
  std::array<char, 8> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), mode, 8).ptr;
  const std::string text(digits.data(), end);
  return text.size() < 4 ? std::string(4 - text.size(), '0') + text : text;
}

void PrintTime(std::string_view key, Duration value, TomlWriter* out) {
  out->String(key, FormatDuration(value));
}

// Prints ids by name if the configuration has a name for them.
std::vector<std::string> Elements(const std::vector<uint32_t>& ids, const WrittenNames& names) {
  std::vector<std::string> elements;
  elements.reserve(ids.size());
  for (const uint32_t id : ids) {
    const auto name = names.find(id);
    elements.push_back(name != names.end() ? Quote(name->second) : std::to_string(id));
  }
  return elements;
}

std::vector<std::string> Elements(const IdSet& ids) {
  std::vector<std::string> elements = Elements(ids.exact, ids.names);
  for (const IdRange& range : ids.ranges) {
    elements.push_back(Quote(std::to_string(range.first) + "-" + std::to_string(range.last)));
  }
  if (ids.any) elements.push_back(Quote("*"));
  return elements;
}

std::vector<std::string> Elements(const std::vector<NamePattern>& patterns) {
  std::vector<std::string> elements;
  elements.reserve(patterns.size());
  for (const NamePattern& pattern : patterns) elements.push_back(Quote(pattern.text()));
  return elements;
}

// Prints an inline table, unless it is empty.
void PrintMap(std::string_view key, const std::map<std::string, std::string>& values,
              TomlWriter* out) {
  std::string text;
  for (const auto& [name, value] : values) {
    text.append(text.empty() ? "" : ", ").append(Quote(name)).append(" = ").append(Quote(value));
  }
  if (!text.empty()) out->Raw(key, "{ " + text + " }");
}

void PrintLog(const LogConfig& log, TomlWriter* out) {
  out->Table("[log]");
  out->String("level", WordOf(kLogLevelWords, log.level));
  out->String("format", WordOf(kLogFormatWords, log.format));
  switch (log.target) {
    case LogConfig::Target::kStderr:
      out->String("target", "stderr");
      break;
    case LogConfig::Target::kJournal:
      out->String("target", "journal");
      break;
    case LogConfig::Target::kFile:
      out->String("target", "file:" + log.path);
      break;
  }
}

void PrintAudit(const AuditConfig& audit, TomlWriter* out) {
  out->Table("[audit]");
  out->String("calls", WordOf(kAuditCallsWords, audit.calls));
  out->String("target", audit.target == AuditConfig::Target::kFile ? "file:" + audit.path : "log");
  out->Number("rate_per_user", audit.rate_per_user);
  out->String("bytes_per_user", FormatSize(audit.bytes_per_user));
  out->String("on_error", WordOf(kAuditOnErrorWords, audit.on_error));
}

void PrintLimits(const LimitsConfig& limits, TomlWriter* out) {
  out->Table("[limits]");
  out->Number("connections", limits.connections);
  out->Number("connections_reserved", limits.connections_reserved);
  out->Number("connections_per_user", limits.connections_per_user);
  out->Number("calls_per_connection", limits.calls_per_connection);
  out->Number("calls_per_user", limits.calls_per_user);
  out->Number("backend_connections_per_user", limits.backend_connections_per_user);
  out->Number("backends_per_peer", limits.backends_per_peer);
  out->Number("requests_per_second_per_user", limits.requests_per_second_per_user);
  out->String("buffered_per_user", FormatSize(limits.buffered_per_user));
  out->String("buffered", FormatSize(limits.buffered));
  out->String("message_size", FormatSize(limits.message_size));
}

void PrintTimeouts(const TimeoutsConfig& timeouts, TomlWriter* out) {
  PrintTime("first_request", timeouts.first_request, out);
  PrintTime("partial_message", timeouts.partial_message, out);
  PrintTime("idle", timeouts.idle, out);
  PrintTime("write", timeouts.write, out);
  PrintTime("call", timeouts.call, out);
  PrintTime("call_max", timeouts.call_max, out);
}

// `address` is null for a socket that the daemon does not create, or that is not a Unix socket.
bool HasPath(const ttrpc::Address* address) {
  return address != nullptr && address->kind() == ttrpc::Address::Kind::kUnixPath;
}

void PrintAccess(const SocketAccess& access, TomlWriter* out) {
  const auto print_id = [out](std::string_view key, uint32_t id, const std::string& name) {
    out->String(key, name.empty() ? std::to_string(id) : name);
  };
  if (access.owner) print_id("owner", *access.owner, access.owner_name);
  if (access.group) print_id("group", *access.group, access.group_name);
  out->String("mode", Octal(access.mode));
}

void PrintDiscovery(const DiscoveryConfig& discovery, TomlWriter* out) {
  out->String("discover", WordOf(kDiscoverWords, discovery.source));
  switch (discovery.source) {
    case DiscoverySource::kContainerd:
      out->String("state", discovery.directories.front());
      break;
    case DiscoverySource::kKata:
      out->Array("directories", TomlStrings(discovery.directories));
      break;
    case DiscoverySource::kDirectory:
      out->String("directory", discovery.directories.front());
      break;
  }
}

void PrintListener(const ListenerConfig& listener, TomlWriter* out) {
  out->Table("[[listener]]");
  out->String("name", listener.name);
  out->String("address", ToString(listener.address));
  if (listener.discovery) PrintDiscovery(*listener.discovery, out);
  if (std::holds_alternative<SocketTemplate>(listener.address) ||
      HasPath(std::get_if<ttrpc::Address>(&listener.address))) {
    PrintAccess(listener.access, out);
  }
  out->String("unknown_fields", WordOf(kUnknownFieldsWords, listener.unknown_fields));
  if (listener.connections_per_user)
    out->Number("connections_per_user", *listener.connections_per_user);
  PrintTimeouts(listener.timeouts, out);
}

// Returns, for each backend, whether a rule leads to it from a listener with one socket for all
// workloads. There on_disconnect has no effect, and the loader refuses it for a discovered backend.
std::vector<bool> BackendsOfOneSocketForAll(const Config& config) {
  const bool any =
      std::any_of(config.listeners.begin(), config.listeners.end(),
                  [](const ListenerConfig& listener) { return listener.IsOneSocketForAll(); });
  std::vector<bool> backends(config.backends.size());
  for (const RuleConfig& rule : config.rules) {
    if (rule.action != RuleConfig::Action::kAllow || backends[rule.backend]) continue;
    backends[rule.backend] =
        rule.every_listener
            ? any
            : std::any_of(rule.listeners.begin(), rule.listeners.end(), [&](size_t listener) {
                return config.listeners[listener].IsOneSocketForAll();
              });
  }
  return backends;
}

void PrintBackend(const BackendConfig& backend, bool for_all, TomlWriter* out) {
  out->Table("[[backend]]");
  out->String("name", backend.name);
  if (backend.discovered) {
    out->String("address", "discovered");
  } else if (backend.addresses.size() == 1) {
    out->String("address", backend.addresses.front().ToString());
  } else {
    std::vector<std::string> addresses;
    for (const ttrpc::Address& address : backend.addresses) addresses.push_back(address.ToString());
    out->Array("addresses", TomlStrings(addresses));
    out->String("balance", WordOf(kBalanceWords, backend.balance));
  }
  // The loader refuses `users` with a vsock address.
  if (std::all_of(backend.addresses.begin(), backend.addresses.end(),
                  [](const ttrpc::Address& address) { return address.is_unix(); })) {
    out->Array("users", Elements(backend.users, backend.user_names));
  }
  out->String("connections", WordOf(kConnectionsWords, backend.connections));
  PrintTime("connect_timeout", backend.connect_timeout, out);
  PrintTime("wait", backend.wait, out);
  if (!backend.discovered || !for_all)
    out->String("on_disconnect", WordOf(kOnDisconnectWords, backend.on_disconnect));
  out->Bool("forward_identity", backend.forward_identity);
}

// Built-in sets are printed as well, since another version may have other ones.
void PrintMethodSets(const MethodSets& sets, TomlWriter* out) {
  if (sets.empty()) return;
  out->Table("[method_sets]");
  for (const auto& [name, methods] : sets) out->ArrayOfLines(name, TomlStrings(methods));
}

void PrintConditions(const Config& config, const RuleConfig& rule, TomlWriter* out) {
  std::vector<std::string> listeners;
  for (const size_t index : rule.listeners) {
    listeners.push_back(config.listeners[index].name);
  }
  // A rule without `listeners` must not list all of them: it also applies to peers whose listener
  // was removed.
  if (!rule.every_listener) out->Array("listeners", TomlStrings(listeners));
  if (rule.users) out->Array("users", Elements(*rule.users));
  if (rule.groups) out->Array("groups", Elements(*rule.groups));
  std::vector<std::string> methods = rule.written_methods;
  if (methods.empty()) {
    for (const MethodPattern& pattern : rule.methods)
      methods.push_back("/" + pattern.service + "/" + pattern.method);
  }
  if (!methods.empty()) out->Array("methods", TomlStrings(methods));
  if (!rule.namespaces.empty()) out->Array("namespaces", Elements(rule.namespaces));
  if (!rule.ids.empty()) out->Array("ids", Elements(rule.ids));
  std::map<std::string, std::string> annotations;
  for (const auto& [key, pattern] : rule.annotations) annotations.emplace(key, pattern.text());
  PrintMap("annotations", annotations, out);
  PrintMap("metadata", rule.metadata, out);
}

void PrintRule(const Config& config, const RuleConfig& rule, TomlWriter* out) {
  out->Table("[[rule]]");
  out->String("name", rule.name);
  PrintConditions(config, rule, out);
  out->String("action", WordOf(kActionWords, rule.action));
  if (rule.action == RuleConfig::Action::kAllow) {
    out->String("backend", config.backends[rule.backend].name);
    out->Bool("streams", rule.streams);
    if (rule.call_max) PrintTime("call_max", *rule.call_max, out);
  }
  out->Bool("enforce", rule.enforce);
  if (rule.audit) out->String("audit", WordOf(kAuditCallsWords, *rule.audit));
}

}  // namespace

std::string PrintConfig(const Config& config) {
  TomlWriter out;
  out.Table("[daemon]");
  PrintTime("drain_timeout", config.daemon.drain_timeout, &out);
  out.Bool("sandbox", config.daemon.sandbox);
  PrintLog(config.log, &out);
  PrintAudit(config.audit, &out);
  PrintLimits(config.limits, &out);
  out.Table("[timeouts]");
  PrintTimeouts(config.timeouts, &out);
  if (config.admin) {
    out.Table("[admin]");
    out.String("address", config.admin->address.ToString());
    if (HasPath(&config.admin->address)) PrintAccess(config.admin->access, &out);
    out.Array("users", Elements(config.admin->users));
  }
  if (config.metrics) {
    out.Table("[metrics]");
    out.String("address", ToString(config.metrics->address));
    if (HasPath(std::get_if<ttrpc::Address>(&config.metrics->address)))
      PrintAccess(config.metrics->access, &out);
    out.Number("users", config.metrics->users);
  }
  PrintMethodSets(config.method_sets, &out);
  for (const ListenerConfig& listener : config.listeners) PrintListener(listener, &out);
  const std::vector<bool> for_all = BackendsOfOneSocketForAll(config);
  for (size_t i = 0; i < config.backends.size(); ++i) {
    PrintBackend(config.backends[i], for_all[i], &out);
  }
  for (const RuleConfig& rule : config.rules) PrintRule(config, rule, &out);
  return out.Take();
}

}  // namespace proxyd
