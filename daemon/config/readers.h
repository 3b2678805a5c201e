// SPDX-License-Identifier: Apache-2.0
//
// From files and tables to a Config and its parts. Each reader reports all that is wrong with its
// table; what it returns is good only if there was nothing. Pure but for the NameResolver; one
// thread.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/ids.h"
#include "config/load.h"
#include "config/table_reader.h"
#include "config/toml.h"
#include "ttrpc/address.h"

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

DaemonConfig ReadDaemon(const TomlTables& table, Diagnostics* errors);
LogConfig ReadLog(const TomlTables& table, Diagnostics* errors);
AuditConfig ReadAudit(const TomlTables& table, Diagnostics* errors);
LimitsConfig ReadLimits(const TomlTables& table, Diagnostics* errors);
TimeoutsConfig ReadTimeouts(const TomlTables& table, Diagnostics* errors);

// All of [timeouts], in whatever table they may stand.
void ReadTimeoutKeys(TableReader* in, TimeoutsConfig* out);

// More than a machine has descriptors for.
inline constexpr uint32_t kMaxConnections = 1'000'000;
// Of a user's connections to backends, for each of its own, unless that is configured.
inline constexpr uint32_t kBackendConnectionsForEach = 4;

// Nothing where the address is not good.
std::optional<AdminConfig> ReadAdmin(const TomlTables& table, ReadScope* scope);
std::optional<MetricsConfig> ReadMetrics(const TomlTables& table, ReadScope* scope);

// Nothing where there is no good address. `defaults` are those of [timeouts].
std::optional<ListenerConfig> ReadListener(const toml::table& table, const TimeoutsConfig& defaults,
                                           ReadScope* scope);
std::optional<BackendConfig> ReadBackend(const toml::table& table, ReadScope* scope);
// After all listeners and backends, whose names it looks up.
RuleConfig ReadRule(const toml::table& table, ReadScope* scope);

enum class IdKind { kUser, kGroup };

// An id as it was written.
struct WrittenId {
  uint32_t id;
  std::string name;  // empty: a number was written
};

// `owner` and `group`: a string, a name or a number. Nothing where it is not there or is wrong.
std::optional<WrittenId> ReadId(std::string_view key, IdKind kind, TableReader* in,
                                ReadScope* scope);

// `users` of a backend: names and numbers, sorted, each once, in `exact` and `names`. Empty where
// it is not there or is wrong.
IdSet ReadIdList(std::string_view key, IdKind kind, TableReader* in, ReadScope* scope);

// `users` and `groups` of a rule: all of it, sorted, each once. Nothing where it is not there;
// where it is wrong, what could be read.
std::optional<IdSet> ReadIdSet(std::string_view key, IdKind kind, TableReader* in,
                               ReadScope* scope);

enum class AddressKind { kPath, kAbstract, kPassed, kTcp, kUnknown };

AddressKind KindOf(const ttrpc::Address& address);

// `owner`, `group` and `mode` of a socket at an address of this kind; kUnknown: the address is
// wrong, and they are not to blame.
SocketAccess ReadAccess(AddressKind kind, TableReader* in, ReadScope* scope);

// An address of a socket of ours, as it was written, or as it is by default.
struct WrittenAddress {
  std::string text;
  SourcePosition position;
};

// No two sockets of ours may have the same `address`, which is `written` in its usual form.
void ClaimAddress(const WrittenAddress& written, const std::string& address, ReadScope* scope);

// ParseConfig(); with `complete` false some files are missing, so that there will be no Config, and
// names that nothing has are not errors.
LoadedConfig ParseFiles(const std::vector<ConfigFile>& files, bool complete, NameResolver* names);

// Sorts errors by their file's position in `order`, then by line and column. The sort is stable.
void SortErrors(const std::vector<std::string>& order, std::vector<ConfigError>* errors);

}  // namespace proxyd
