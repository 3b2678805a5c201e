// SPDX-License-Identifier: Apache-2.0
//
// PrintConfig: a Config as TOML, every key that counts written out, names of users and groups as
// numbers. Pure; any thread.
#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/load.h"
#include "config/quantity.h"
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

class Printer {
 public:
  std::string Take() { return std::move(text_); }

  void Header(std::string_view header) {
    if (!text_.empty()) text_ += '\n';
    text_.append(header) += '\n';
  }

  // `value` is TOML.
  void Raw(std::string_view key, std::string_view value) {
    text_.append(key).append(" = ").append(value) += '\n';
  }
  void String(std::string_view key, std::string_view value) { Raw(key, Quote(value)); }
  void Number(std::string_view key, uint32_t value) { Raw(key, std::to_string(value)); }
  void Bool(std::string_view key, bool value) { Raw(key, value ? "true" : "false"); }
  void Time(std::string_view key, Duration value) { String(key, FormatDuration(value)); }

  // `elements` are TOML.
  void Array(std::string_view key, const std::vector<std::string>& elements) {
    std::string list = "[";
    for (const std::string& element : elements) {
      if (list.size() > 1) list += ", ";
      list += element;
    }
    Raw(key, list + "]");
  }

 private:
  std::string text_;
};

std::vector<std::string> Numbers(const std::vector<uint32_t>& ids) {
  std::vector<std::string> elements;
  elements.reserve(ids.size());
  for (const uint32_t id : ids) elements.push_back(std::to_string(id));
  return elements;
}

std::vector<std::string> Elements(const IdSet& ids) {
  std::vector<std::string> elements = Numbers(ids.exact);
  for (const IdRange& range : ids.ranges) {
    elements.push_back(Quote(std::to_string(range.first) + "-" + std::to_string(range.last)));
  }
  if (ids.any) elements.push_back(Quote("*"));
  return elements;
}

void PrintLog(const LogConfig& log, Printer* out) {
  out->Header("[log]");
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

void PrintAudit(const AuditConfig& audit, Printer* out) {
  out->Header("[audit]");
  out->String("calls", WordOf(kAuditCallsWords, audit.calls));
  out->String("target", audit.target == AuditConfig::Target::kFile ? "file:" + audit.path : "log");
  out->Number("rate_per_user", audit.rate_per_user);
  out->String("bytes_per_user", FormatSize(audit.bytes_per_user));
  out->String("on_error", WordOf(kAuditOnErrorWords, audit.on_error));
}

void PrintLimits(const LimitsConfig& limits, Printer* out) {
  out->Header("[limits]");
  out->Number("connections", limits.connections);
  out->Number("connections_reserved", limits.connections_reserved);
  out->Number("connections_per_user", limits.connections_per_user);
  out->Number("calls_per_connection", limits.calls_per_connection);
  out->Number("calls_per_user", limits.calls_per_user);
  out->Number("backend_connections_per_user", limits.backend_connections_per_user);
  out->Number("requests_per_second_per_user", limits.requests_per_second_per_user);
  out->String("buffered_per_user", FormatSize(limits.buffered_per_user));
  out->String("buffered", FormatSize(limits.buffered));
  out->String("message_size", FormatSize(limits.message_size));
}

void PrintTimeouts(const TimeoutsConfig& timeouts, Printer* out) {
  out->Time("first_request", timeouts.first_request);
  out->Time("partial_message", timeouts.partial_message);
  out->Time("idle", timeouts.idle);
  out->Time("write", timeouts.write);
  out->Time("call", timeouts.call);
  out->Time("call_max", timeouts.call_max);
}

// `address`: null if it is none of a Unix socket that is ours.
void PrintAccess(const ttrpc::Address* address, const SocketAccess& access, Printer* out) {
  if (address == nullptr || address->kind() != ttrpc::Address::Kind::kUnixPath) return;
  if (access.owner) out->String("owner", std::to_string(*access.owner));
  if (access.group) out->String("group", std::to_string(*access.group));
  out->String("mode", Octal(access.mode));
}

void PrintListener(const ListenerConfig& listener, Printer* out) {
  out->Header("[[listener]]");
  out->String("name", listener.name);
  out->String("address", ToString(listener.address));
  PrintAccess(std::get_if<ttrpc::Address>(&listener.address), listener.access, out);
  out->String("unknown_fields", WordOf(kUnknownFieldsWords, listener.unknown_fields));
  if (listener.connections_per_user)
    out->Number("connections_per_user", *listener.connections_per_user);
  PrintTimeouts(listener.timeouts, out);
}

void PrintBackend(const BackendConfig& backend, Printer* out) {
  out->Header("[[backend]]");
  out->String("name", backend.name);
  if (backend.addresses.size() == 1) {
    out->String("address", backend.addresses.front().ToString());
  } else {
    std::vector<std::string> addresses;
    for (const ttrpc::Address& address : backend.addresses)
      addresses.push_back(Quote(address.ToString()));
    out->Array("addresses", addresses);
    out->String("balance", WordOf(kBalanceWords, backend.balance));
  }
  // With vsock: it would be refused.
  if (std::all_of(backend.addresses.begin(), backend.addresses.end(),
                  [](const ttrpc::Address& address) { return address.is_unix(); })) {
    out->Array("users", Numbers(backend.users));
  }
  out->String("connections", WordOf(kConnectionsWords, backend.connections));
  out->Time("connect_timeout", backend.connect_timeout);
  out->Time("wait", backend.wait);
  out->String("on_disconnect", WordOf(kOnDisconnectWords, backend.on_disconnect));
  out->Bool("forward_identity", backend.forward_identity);
}

void PrintConditions(const Config& config, const RuleConfig& rule, Printer* out) {
  std::vector<std::string> listeners;
  for (const size_t index : rule.listeners) {
    listeners.push_back(Quote(config.listeners[index].name));
  }
  // Not given is more than all of them: such a rule is also for peers whose listener is gone.
  if (!rule.every_listener) out->Array("listeners", listeners);
  if (rule.users) out->Array("users", Elements(*rule.users));
  if (rule.groups) out->Array("groups", Elements(*rule.groups));
  std::vector<std::string> methods;
  for (const MethodPattern& pattern : rule.methods) {
    methods.push_back(Quote("/" + pattern.service + "/" + pattern.method));
  }
  if (!methods.empty()) out->Array("methods", methods);
  std::string metadata;
  for (const auto& [key, value] : rule.metadata) {
    metadata.append(metadata.empty() ? "" : ", ").append(Quote(key)).append(" = ");
    metadata.append(Quote(value));
  }
  if (!metadata.empty()) out->Raw("metadata", "{ " + metadata + " }");
}

void PrintRule(const Config& config, const RuleConfig& rule, Printer* out) {
  out->Header("[[rule]]");
  out->String("name", rule.name);
  PrintConditions(config, rule, out);
  out->String("action", WordOf(kActionWords, rule.action));
  if (rule.action == RuleConfig::Action::kAllow) {
    out->String("backend", config.backends[rule.backend].name);
    out->Bool("streams", rule.streams);
    if (rule.call_max) out->Time("call_max", *rule.call_max);
  }
  out->Bool("enforce", rule.enforce);
  if (rule.audit) out->String("audit", WordOf(kAuditCallsWords, *rule.audit));
}

}  // namespace

std::string PrintConfig(const Config& config) {
  Printer out;
  out.Header("[daemon]");
  out.Time("drain_timeout", config.daemon.drain_timeout);
  out.Bool("sandbox", config.daemon.sandbox);
  PrintLog(config.log, &out);
  PrintAudit(config.audit, &out);
  PrintLimits(config.limits, &out);
  out.Header("[timeouts]");
  PrintTimeouts(config.timeouts, &out);
  if (config.admin) {
    out.Header("[admin]");
    out.String("address", config.admin->address.ToString());
    PrintAccess(&config.admin->address, config.admin->access, &out);
    out.Array("users", Elements(config.admin->users));
  }
  if (config.metrics) {
    out.Header("[metrics]");
    out.String("address", ToString(config.metrics->address));
    PrintAccess(std::get_if<ttrpc::Address>(&config.metrics->address), config.metrics->access,
                &out);
  }
  for (const ListenerConfig& listener : config.listeners) PrintListener(listener, &out);
  for (const BackendConfig& backend : config.backends) PrintBackend(backend, &out);
  for (const RuleConfig& rule : config.rules) PrintRule(config, rule, &out);
  return out.Take();
}

}  // namespace proxyd
