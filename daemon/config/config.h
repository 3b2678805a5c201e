// SPDX-License-Identifier: Apache-2.0
//
// Config: the effective configuration as values, with defaults filled in and names resolved. It is
// complete and consistent, since the loader (load.h) returns errors instead of a Config otherwise.
// It does no I/O, and is immutable once loaded.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/method_sets.h"
#include "config/name_pattern.h"
#include "ttrpc/address.h"
#include "ttrpc/message_size.h"

namespace proxyd {

using Duration = std::chrono::nanoseconds;  // 0 means "never" for keys that allow it

// A position in the configuration, for messages.
struct SourcePosition {
  std::string file;
  uint32_t line = 0;
  uint32_t column = 0;

  // Returns FILE:LINE:COLUMN, or FILE for the file as a whole (line 0).
  std::string ToString() const;
};

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError };
enum class LogFormat { kText, kJson };

struct DaemonConfig {
  Duration drain_timeout = std::chrono::seconds(10);
  bool sandbox = true;  // whether the daemon confines itself after the start
  friend bool operator==(const DaemonConfig&, const DaemonConfig&) = default;
};

struct LogConfig {
  enum class Target { kStderr, kJournal, kFile };
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  Target target = Target::kStderr;
  std::string path;  // kFile only
};

// The calls that get an audit line. Each value includes the calls of those before it.
enum class AuditCalls { kNone, kDenied, kAll };

struct AuditConfig {
  enum class Target { kLog, kFile };
  enum class OnError { kDrop, kRefuseCalls };
  AuditCalls calls = AuditCalls::kDenied;
  Target target = Target::kLog;
  std::string path;                              // kFile only
  uint32_t rate_per_user = 100;                  // lines per second
  uint64_t bytes_per_user = uint64_t{64} << 10;  // per second
  OnError on_error = OnError::kDrop;
};

struct LimitsConfig {
  uint32_t connections = 16384;         // for all users together
  uint32_t connections_reserved = 256;  // how many of these only uid 0 may use; always fewer
  uint32_t connections_per_user = 4096;
  uint32_t calls_per_connection = 1024;           // in flight
  uint32_t calls_per_user = 4096;                 // in flight, until the backend is done with them
  uint32_t backend_connections_per_user = 16384;  // default: 4 * connections_per_user
  uint32_t backends_per_peer = 64;  // workloads that a peer of one socket for all is connected to
  uint32_t requests_per_second_per_user = 0;        // 0: no limit
  uint64_t buffered_per_user = uint64_t{64} << 20;  // bytes; at least message_size
  uint64_t buffered = uint64_t{512} << 20;          // bytes, all users; at least buffered_per_user
  uint32_t message_size = ttrpc::kDefaultMessageSize;
};

struct TimeoutsConfig {
  Duration first_request = std::chrono::seconds(30);    // from connect to a complete request
  Duration partial_message = std::chrono::seconds(10);  // from the first byte to the last
  Duration idle{0};                                     // without calls
  Duration write = std::chrono::seconds(30);  // how long a peer or a backend may accept no bytes
  Duration call{0};                           // the deadline of calls that have none
  Duration call_max{0};                       // the longest deadline of a call
};

// `systemd:NAME`: the sockets that the service manager passes with this FileDescriptorName=.
struct PassedSocket {
  std::string name;
  friend bool operator==(const PassedSocket&, const PassedSocket&) = default;
};

// The path of a socket for each workload, as in `unix:///run/x/{namespace}/{id}.sock`.
struct SocketTemplate {
  std::string path;  // including the placeholders
  friend bool operator==(const SocketTemplate&, const SocketTemplate&) = default;
};

using ListenerAddress = std::variant<ttrpc::Address, PassedSocket, SocketTemplate>;

// Returns the address in the form of the configuration.
std::string ToString(const ListenerAddress& address);

// The permissions of a socket with a path. An owner or a group that is not set remains as bind(2)
// sets it.
struct SocketAccess {
  std::optional<uid_t> owner;
  std::optional<gid_t> group;
  mode_t mode = 0600;
  // The names in the configuration, for PrintConfig(); empty if it has a number.
  std::string owner_name = {};
  std::string group_name = {};
  // A name and its number are the same access.
  friend bool operator==(const SocketAccess& a, const SocketAccess& b) {
    return a.owner == b.owner && a.group == b.group && a.mode == b.mode;
  }
};

// Maps ids to the names of users or groups that the configuration has for them, for printing.
using WrittenNames = std::map<uint32_t, std::string>;

enum class UnknownFields { kRefuse, kDrop };

enum class DiscoverySource { kContainerd, kKata, kDirectory };

// The directories that a listener with `discover` follows.
struct DiscoveryConfig {
  DiscoverySource source = DiscoverySource::kContainerd;
  // kContainerd: the one directory `state`. kKata: those that hold a directory for each sandbox.
  // kDirectory: the one directory `directory`. Absolute paths, without a slash at the end.
  std::vector<std::string> directories;
  friend bool operator==(const DiscoveryConfig&, const DiscoveryConfig&) = default;
};

struct ListenerConfig {
  std::string name;
  // A SocketTemplate has a socket for each workload, and needs `discovery`. With `discovery`, any
  // other address is one socket for all workloads (kContainerd only).
  ListenerAddress address;
  std::optional<DiscoveryConfig> discovery = {};
  SocketAccess access;  // only for a path
  UnknownFields unknown_fields = UnknownFields::kRefuse;
  TimeoutsConfig timeouts;  // the values of [timeouts] unless this listener overrides them
  // A limit for each user on this listener. If it is set, connections to the listener do not count
  // towards connections_per_user in [limits].
  std::optional<uint32_t> connections_per_user;
  SourcePosition position;

  bool IsOneSocketForAll() const {
    return discovery && !std::holds_alternative<SocketTemplate>(address);
  }
};

struct BackendConfig {
  enum class Connections { kPerPeer, kPerUser };
  enum class OnDisconnect { kClosePeers, kFailCalls };
  // The address that a new connection tries first.
  enum class Balance { kFirstAvailable, kRoundRobin };
  std::string name;
  // `address = "discovered"`: each workload has its own address. Only rules whose listeners all
  // discover may lead there.
  bool discovered = false;
  std::vector<ttrpc::Address> addresses;  // without duplicates; empty only if `discovered`
  Balance balance = Balance::kFirstAvailable;
  // The users who may have called listen(2) on the backend's Unix sockets; not empty.
  std::vector<uid_t> users;
  WrittenNames user_names = {};
  Duration connect_timeout = std::chrono::seconds(1);  // for each address
  Duration wait{0};  // how long to retry while a socket is missing or refuses
  Connections connections = Connections::kPerPeer;
  // On one socket for all workloads, kFailCalls applies whatever this is.
  OnDisconnect on_disconnect = OnDisconnect::kClosePeers;
  bool forward_identity = false;
  SourcePosition position;
};

// An inclusive range of numeric ids.
struct IdRange {
  uint32_t first = 0;
  uint32_t last = 0;
  friend bool operator==(const IdRange&, const IdRange&) = default;
};

// The value of `users` or `groups` in a rule. `exact` has the ids of names and single numbers. In
// an allow rule, only these match the overflow id.
struct IdSet {
  bool any = false;  // "*"
  std::vector<uint32_t> exact;
  std::vector<IdRange> ranges;
  WrittenNames names = {};  // for ids in `exact`

  bool empty() const { return !any && exact.empty() && ranges.empty(); }
  // A name and its number are the same id.
  friend bool operator==(const IdSet& a, const IdSet& b) {
    return a.any == b.any && a.exact == b.exact && a.ranges == b.ranges;
  }
};

// `/SERVICE/METHOD`. Each part must match as a whole; `*` matches any run of characters except `/`.
struct MethodPattern {
  std::string service;
  std::string method;
  friend bool operator==(const MethodPattern&, const MethodPattern&) = default;
};

struct RuleConfig {
  enum class Action { kAllow, kDeny };
  std::string name;
  // True for a rule without `listeners`, which applies to every listener and to peers whose
  // listener was removed. `listeners` is empty then, since copies would cost rules times listeners.
  bool every_listener = false;
  std::vector<size_t> listeners;  // indices into Config::listeners, ascending
  std::optional<IdSet> users;     // without users and groups: everyone (deny only)
  std::optional<IdSet> groups;
  std::vector<MethodPattern> methods;  // empty: every method (deny only); sets are expanded
  // The patterns and names of sets that the configuration has in `methods`, for PrintConfig().
  // Empty unless it names a set.
  std::vector<std::string> written_methods = {};
  // Conditions on the workload of a call; an empty one holds always.
  std::vector<NamePattern> namespaces = {};
  std::vector<NamePattern> ids = {};
  std::map<std::string, NamePattern> annotations = {};  // all must hold
  std::map<std::string, std::string> metadata;
  Action action = Action::kAllow;
  size_t backend = 0;  // index into Config::backends; allow only
  bool streams = false;
  std::optional<Duration> call_max;
  bool enforce = true;
  std::optional<AuditCalls> audit;
  SourcePosition position;

  bool HasWorkloadConditions() const {
    return !namespaces.empty() || !ids.empty() || !annotations.empty();
  }

  bool IsFor(size_t listener) const {
    return every_listener || std::binary_search(listeners.begin(), listeners.end(), listener);
  }
};

struct AdminConfig {
  ttrpc::Address address;  // a Unix socket
  SocketAccess access;     // only for a path
  IdSet users;             // the users that may call it
  SourcePosition position;
};

// `tcp:HOST:PORT`, which is always a loopback address.
struct TcpAddress {
  std::string host;  // a numeric address: 127.0.0.1, ::1
  uint16_t port = 0;
  friend bool operator==(const TcpAddress&, const TcpAddress&) = default;
};

using MetricsAddress = std::variant<ttrpc::Address, TcpAddress>;

// Returns the address in the form of the configuration.
std::string ToString(const MetricsAddress& address);

struct MetricsConfig {
  // The default number of users that have series of their own.
  static constexpr uint32_t kUsers = 100;

  MetricsAddress address;
  SocketAccess access;  // only for a path
  uint32_t users = kUsers;
  SourcePosition position;
};

struct Config {
  std::string file;  // the main file, for messages about the whole configuration
  DaemonConfig daemon;
  LogConfig log;
  AuditConfig audit;
  LimitsConfig limits;
  TimeoutsConfig timeouts;
  std::optional<AdminConfig> admin;      // nothing: the service is off
  std::optional<MetricsConfig> metrics;  // nothing: the service is off
  std::vector<ListenerConfig> listeners;
  std::vector<BackendConfig> backends;
  std::vector<RuleConfig> rules;
  // The sets of methods that the rules name, directly or through other sets. For PrintConfig().
  MethodSets method_sets = {};
};

}  // namespace proxyd
