// SPDX-License-Identifier: Apache-2.0
//
// Reads the sections [daemon], [log], [audit], [limits] and [timeouts].
#include <algorithm>
#include <string>
#include <string_view>

#include "config/quantity.h"
#include "config/readers.h"
#include "config/table_reader.h"
#include "text/escape.h"
#include "ttrpc/message_size.h"

namespace proxyd {

using text::Quote;

namespace {

// Leaves room for the longest service and method, so that a denial fits into one message.
constexpr uint32_t kMinMessageSize = 1024;
constexpr uint64_t kMostBuffered = uint64_t{1} << 40;

// Returns the path of `file:/abs/path`, or an empty string for any other target.
std::string FileTarget(std::string_view target) {
  constexpr std::string_view kPrefix = "file:";
  if (!target.starts_with(kPrefix)) return {};
  const std::string_view path = target.substr(kPrefix.size());
  const bool good =
      path.size() > 1 && path.front() == '/' && path.back() != '/' && path.find('\0') == path.npos;
  return good ? std::string(path) : std::string();
}

// The range of a size, and what to write instead of a size outside it.
struct SizeBounds {
  uint64_t least;
  uint64_t most;
  std::string advice;
};

void ReadSize(std::string_view key, const SizeBounds& bounds, TableReader* in, uint64_t* out) {
  const auto entry = in->Find(key);
  if (!entry) return;
  if (!entry->value.is_string()) {
    in->Wrong(*entry, "use a size such as \"4MiB\"");
    return;
  }
  const auto size = ParseSize(StringOf(entry->value));
  if (!size) {
    in->Wrong(*entry, size.error().message());
  } else if (*size < bounds.least || *size > bounds.most) {
    in->Wrong(*entry, bounds.advice);
  } else {
    *out = *size;
  }
}

}  // namespace

DaemonConfig ReadDaemon(const TomlTables& table, Diagnostics* errors) {
  TableReader in("[daemon]", table, errors);
  DaemonConfig daemon;
  in.ReadDuration("drain_timeout", &daemon.drain_timeout);
  in.ReadBool("sandbox", &daemon.sandbox);
  in.NotSupportedYet({"workers"});
  in.Finish();
  return daemon;
}

LogConfig ReadLog(const TomlTables& table, Diagnostics* errors) {
  TableReader in("[log]", table, errors);
  LogConfig log;
  in.ReadWord("level", kLogLevelWords, &log.level);
  in.ReadWord("format", kLogFormatWords, &log.format);
  if (const auto target = in.Find("target")) {
    const std::string& text = StringOf(target->value);
    log.path = FileTarget(text);
    if (!log.path.empty()) {
      log.target = LogConfig::Target::kFile;
    } else if (text == "journal") {
      log.target = LogConfig::Target::kJournal;
    } else if (text != "stderr") {
      in.WrongWord(*target, {"stderr", "journal"},
                   "use \"stderr\", \"journal\" or \"file:/abs/path\"");
    }
  }
  in.Finish();
  return log;
}

AuditConfig ReadAudit(const TomlTables& table, Diagnostics* errors) {
  constexpr uint32_t kMaxRate = 1'000'000;
  constexpr uint64_t kMinAuditBytes = uint64_t{1} << 10;  // one or two lines
  constexpr uint64_t kMaxAuditBytes = uint64_t{1} << 30;
  TableReader in("[audit]", table, errors);
  AuditConfig audit;
  in.ReadWord("calls", kAuditCallsWords, &audit.calls);
  if (const auto target = in.Find("target")) {
    audit.path = FileTarget(StringOf(target->value));
    if (!audit.path.empty()) {
      audit.target = AuditConfig::Target::kFile;
    } else if (StringOf(target->value) != "log") {
      in.WrongWord(*target, {"log"}, "use \"log\" or \"file:/abs/path\"");
    }
  }
  in.ReadNumber("rate_per_user", {1, kMaxRate}, &audit.rate_per_user);
  ReadSize("bytes_per_user",
           {kMinAuditBytes, kMaxAuditBytes, "use a size from \"1KiB\" to \"1GiB\""}, &in,
           &audit.bytes_per_user);
  in.ReadWord("on_error", kAuditOnErrorWords, &audit.on_error);
  in.Finish();
  return audit;
}

LimitsConfig ReadLimits(const TomlTables& table, Diagnostics* errors) {
  constexpr uint32_t kMany = 1'000'000;
  TableReader in("[limits]", table, errors);
  LimitsConfig limits;
  in.ReadNumber("connections", {1, kMaxConnections}, &limits.connections);
  // The default of the reserve gives way, so that a user can lower `connections` alone.
  limits.connections_reserved = std::min(limits.connections_reserved, limits.connections / 2);
  in.ReadNumber("connections_reserved", {0, limits.connections - 1}, &limits.connections_reserved);
  in.ReadNumber("connections_per_user", {1, kMaxConnections}, &limits.connections_per_user);
  in.ReadNumber("calls_per_connection", {1, kMany}, &limits.calls_per_connection);
  in.ReadNumber("calls_per_user", {1, kMany}, &limits.calls_per_user);
  limits.backend_connections_per_user = kBackendConnectionsForEach * limits.connections_per_user;
  in.ReadNumber("backend_connections_per_user", {1, kBackendConnectionsForEach * kMaxConnections},
                &limits.backend_connections_per_user);
  in.ReadNumber("backends_per_peer", {1, kMany}, &limits.backends_per_peer);
  in.ReadNumber("requests_per_second_per_user", {0, kMany}, &limits.requests_per_second_per_user);
  uint64_t message_size = limits.message_size;
  ReadSize("message_size",
           {kMinMessageSize, ttrpc::kMaxMessageSize,
            "use a size from \"1KiB\" to \"16777215\" (16 MiB - 1)"},
           &in, &message_size);
  limits.message_size = static_cast<uint32_t>(message_size);
  ReadSize(
      "buffered_per_user",
      {message_size, kMostBuffered,
       "use a size from " + Quote(FormatSize(message_size)) + " (message_size) to \"1024GiB\""},
      &in, &limits.buffered_per_user);
  // The default of `buffered` gives way, so that a user can raise `buffered_per_user` alone.
  limits.buffered = std::max(limits.buffered, limits.buffered_per_user);
  ReadSize("buffered",
           {limits.buffered_per_user, kMostBuffered,
            "use a size from " + Quote(FormatSize(limits.buffered_per_user)) +
                " (buffered_per_user) to \"1024GiB\""},
           &in, &limits.buffered);
  in.Finish();
  return limits;
}

void ReadTimeoutKeys(TableReader* in, TimeoutsConfig* out) {
  in->ReadDuration("first_request", &out->first_request);
  in->ReadDuration("partial_message", &out->partial_message);
  in->ReadDuration("idle", &out->idle);
  in->ReadDuration("write", &out->write);
  in->ReadDuration("call", &out->call);
  in->ReadDuration("call_max", &out->call_max);
}

TimeoutsConfig ReadTimeouts(const TomlTables& table, Diagnostics* errors) {
  TableReader in("[timeouts]", table, errors);
  TimeoutsConfig timeouts;
  ReadTimeoutKeys(&in, &timeouts);
  in.Finish();
  return timeouts;
}

}  // namespace proxyd
