// SPDX-License-Identifier: Apache-2.0
//
// From tables to the parts of a Config. Each reader reports all that is wrong with its table; what
// it then returns is only good if there was nothing. Pure but for the NameResolver; one thread.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "config/load.h"
#include "config/table_reader.h"
#include "config/toml.h"

namespace proxyd {

// The names that one kind of table has given itself so far, in order.
class NameTable {
 public:
  // Reads the table's `name`, which must be there, be a single line, and be new.
  std::string Declare(TableReader* in);
  // The position in the order of declaration.
  std::optional<size_t> Find(std::string_view name) const;
  size_t size() const { return declared_.size(); }

 private:
  struct Declared {
    size_t index;
    SourcePosition position;
  };
  std::map<std::string, Declared, std::less<>> declared_;
};

// What the readers share while one configuration is read.
struct ReadScope {
  NameResolver& resolver;
  Diagnostics& errors;
  // Whether a name that is not declared may be blamed: not if part of a file could not be read.
  bool complete = true;
  NameTable listeners = {};
  NameTable backends = {};
  NameTable rules = {};
  // Address, as ToString() has it, to where a socket of ours claims it.
  std::map<std::string, SourcePosition> own_addresses = {};
};

DaemonConfig ReadDaemon(const TomlValue& table, Diagnostics* errors);
LogConfig ReadLog(const TomlValue& table, Diagnostics* errors);
AuditConfig ReadAudit(const TomlValue& table, Diagnostics* errors);
LimitsConfig ReadLimits(const TomlValue& table, Diagnostics* errors);
TimeoutsConfig ReadTimeouts(const TomlValue& table, Diagnostics* errors);

// All of [timeouts], in whatever table they may stand.
void ReadTimeoutKeys(TableReader* in, TimeoutsConfig* out);

// More than a machine has descriptors for.
inline constexpr uint32_t kMaxConnections = 1'000'000;
// Of a user's connections to backends, for each of its own, unless that is configured.
inline constexpr uint32_t kBackendConnectionsForEach = 4;

// Nothing where the address is not good.
std::optional<AdminConfig> ReadAdmin(const TomlValue& table, ReadScope* scope);
std::optional<MetricsConfig> ReadMetrics(const TomlValue& table, ReadScope* scope);

// Nothing where there is no good address. `defaults` are those of [timeouts].
std::optional<ListenerConfig> ReadListener(const TomlValue& table, const TimeoutsConfig& defaults,
                                           ReadScope* scope);
std::optional<BackendConfig> ReadBackend(const TomlValue& table, ReadScope* scope);
// After all listeners and backends, whose names it looks up.
RuleConfig ReadRule(const TomlValue& table, ReadScope* scope);

}  // namespace proxyd
