// SPDX-License-Identifier: Apache-2.0
//
// The functions that turn files and tables into a Config and its parts. Each one reports every
// error in its table, and its result is usable only if there was none. Pure except for the
// NameResolver; one thread.
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
#include "config/method_set_table.h"
#include "config/table_reader.h"
#include "config/toml.h"
#include "ttrpc/address.h"

namespace proxyd {

// The names of one kind of table that were read so far, in order of declaration.
class NameTable {
 public:
  // Reads the `name` of the table. It is required, may not contain control characters, and must be
  // new.
  std::string Declare(TableReader* in);
  // Returns the index in the order of declaration.
  std::optional<size_t> Find(std::string_view name) const;
  // Returns all names, sorted.
  std::vector<std::string> Names() const;

 private:
  struct Declared {
    size_t index;
    SourcePosition position;
  };
  std::map<std::string, Declared, std::less<>> declared_;
};

// A listener, as the rules need it.
struct ListenerKind {
  bool known = false;  // false after an error in it
  std::string name = {};
  std::optional<DiscoverySource> discovers = {};
  bool one_socket = false;  // it discovers, and has one socket for all workloads
};

// A directory that a listener follows.
struct FollowedDirectory {
  std::string what;  // begins the message about it: `directory is "/run/agents"`
  std::string path;
  // The directory in which the runtime makes directories of its own, so that the daemon must not.
  // Empty if each socket in `path` is a workload.
  std::string runtime;
  SourcePosition position;
};

// The state that the readers of one configuration share.
struct ReadScope {
  NameResolver& resolver;
  Diagnostics& errors;
  // False if part of a file could not be read, which may have declared a missing name.
  bool complete = true;
  NameTable listeners = {};
  NameTable backends = {};
  NameTable rules = {};
  MethodSetTable method_sets = {};
  // Maps the address of each socket of the daemon, as ToString() prints it, to its position.
  std::map<std::string, SourcePosition> own_addresses = {};
  // The kinds of the listeners, by their index in `listeners`.
  std::vector<ListenerKind> listener_kinds = {};
  // The front bases (see socket_template.h), with the positions of their addresses.
  std::map<std::string, SourcePosition> front_bases = {};
  std::vector<FollowedDirectory> followed = {};
  // The indices in `backends` of the backends with address = "discovered". The value is the
  // position of `on_disconnect`, if it is set.
  std::map<size_t, std::optional<SourcePosition>> discovered = {};
};

DaemonConfig ReadDaemon(const TomlTables& table, Diagnostics* errors);
LogConfig ReadLog(const TomlTables& table, Diagnostics* errors);
AuditConfig ReadAudit(const TomlTables& table, Diagnostics* errors);
LimitsConfig ReadLimits(const TomlTables& table, Diagnostics* errors);
TimeoutsConfig ReadTimeouts(const TomlTables& table, Diagnostics* errors);

// Reads all keys of [timeouts] from any table that may have them.
void ReadTimeoutKeys(TableReader* in, TimeoutsConfig* out);

// The largest limit on connections; no machine has more descriptors.
inline constexpr uint32_t kMaxConnections = 1'000'000;
// The default number of connections to backends for each connection that a user may have.
inline constexpr uint32_t kBackendConnectionsForEach = 4;

// These return nothing if the address is not valid.
std::optional<AdminConfig> ReadAdmin(const TomlTables& table, ReadScope* scope);
std::optional<MetricsConfig> ReadMetrics(const TomlTables& table, ReadScope* scope);

// These return nothing without a valid address. `defaults` are the values of [timeouts].
std::optional<ListenerConfig> ReadListener(const toml::table& table, const TimeoutsConfig& defaults,
                                           ReadScope* scope);
std::optional<BackendConfig> ReadBackend(const toml::table& table, ReadScope* scope);

// The part of a listener that is about discovery.
struct DiscoveryKeys {
  bool good = true;  // whether the keys have no error
  std::optional<DiscoveryConfig> discovery;
};
// Reads `discover` and the keys that belong to it.
DiscoveryKeys ReadDiscovery(TableReader* in, ReadScope* scope);
// Whether an address has one of the placeholders {namespace}, {id} and {name}.
bool HasPlaceholder(std::string_view address);
// Reads the address of a socket for each workload, a string. Returns nothing after an error.
std::optional<SocketTemplate> ReadTemplate(const toml::node& value, DiscoverySource source,
                                           ReadScope* scope);
// Reports front bases that are below each other or that contain another socket of the daemon, and
// followed directories in which the daemon would find its own sockets. Call it after all addresses
// of the daemon were read.
void CheckFrontBases(ReadScope* scope);
// Returns the position of the address of the front base at or below which the path is, if any.
std::optional<SourcePosition> FrontBaseAround(const std::string& path, const ReadScope& scope);
// Call it after all listeners, backends and sets of methods were read, since it looks up their
// names.
RuleConfig ReadRule(const toml::table& table, ReadScope* scope);

// Reads `namespaces`, `ids` and `annotations` of a rule.
void ReadWorkloadConditions(TableReader* in, RuleConfig* rule);
// Reports conditions on workloads, and a discovered backend, where a listener of the rule does not
// discover such workloads. Reports also `on_disconnect` of a discovered backend to which the rule
// leads from one socket for all workloads.
void CheckListenersOf(const RuleConfig& rule, TableReader* in, ReadScope* scope);

enum class IdKind { kUser, kGroup };

// An id, with the name that the configuration uses for it.
struct WrittenId {
  uint32_t id;
  std::string name;  // empty if the configuration has a number
};

// Reads `owner` or `group`, a string with a name or a number. Returns nothing if the key is missing
// or wrong.
std::optional<WrittenId> ReadId(std::string_view key, IdKind kind, TableReader* in,
                                ReadScope* scope);

// Reads `users` of a backend, names and numbers, into `exact` and `names`. `exact` is sorted and
// unique, and empty if the key is missing or wrong.
IdSet ReadIdList(std::string_view key, IdKind kind, TableReader* in, ReadScope* scope);

// Reads `users` or `groups` of a rule, sorted and unique. Returns nothing if the key is missing,
// and the valid part if it is wrong.
std::optional<IdSet> ReadIdSet(std::string_view key, IdKind kind, TableReader* in,
                               ReadScope* scope);

enum class AddressKind { kPath, kAbstract, kPassed, kTcp, kUnknown };

AddressKind KindOf(const ttrpc::Address& address);

// Reads `owner`, `group` and `mode` of a socket at an address of this kind. kUnknown is for a wrong
// address, with which any of them may be valid.
SocketAccess ReadAccess(AddressKind kind, TableReader* in, ReadScope* scope);

// The address of one of the daemon's own sockets, as the configuration has it or by default.
struct WrittenAddress {
  std::string text;
  SourcePosition position;
};

// Records `address`, the canonical form of `written`. Two sockets of the daemon with the same
// address are an error.
void ClaimAddress(const WrittenAddress& written, const std::string& address, ReadScope* scope);

// Does the work of ParseConfig(). If `complete` is false, some files are missing: the result has no
// Config then, and a missing name is no error.
LoadedConfig ParseFiles(const std::vector<ConfigFile>& files, bool complete, NameResolver* names);

// Sorts errors by the position of their file in `order`, then by line and column. The sort is
// stable.
void SortErrors(const std::vector<std::string>& order, std::vector<ConfigError>* errors);

}  // namespace proxyd
