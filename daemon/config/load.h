// SPDX-License-Identifier: Apache-2.0
//
// Reads the configuration: TOML files become a Config, or a list of every error in them, each with
// its position.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"

namespace proxyd {

// Resolves user and group names to ids. The system's resolver asks NSS and may block; tests use a
// table.
class NameResolver {
 public:
  virtual ~NameResolver() = default;
  virtual std::optional<uid_t> User(const std::string& name) = 0;
  virtual std::optional<gid_t> Group(const std::string& name) = 0;
  // Names to suggest when one does not exist. The list may be incomplete.
  virtual std::vector<std::string> Users() { return {}; }
  virtual std::vector<std::string> Groups() { return {}; }
};

NameResolver& SystemNameResolver();

// A finding about the configuration: an error or a warning.
struct ConfigError {
  enum class Kind {
    kError,           // remains until the configuration is changed
    kUnresolvedName,  // an error that may pass: the user database may have the name later
    kWarning,         // refuses nothing
  };
  SourcePosition position;  // line 0: the file as a whole
  std::string message;      // the problem and the remedy: `WHAT; WHAT TO DO`
  Kind kind = Kind::kError;

  // The one form in which every program prints a finding: `FILE:LINE:COLUMN: error: MESSAGE` or
  // `FILE:LINE:COLUMN: warning: MESSAGE`, on one line. The position may be FILE alone.
  std::string ToString() const;
};

inline ConfigError ConfigWarning(SourcePosition position, std::string message) {
  return {std::move(position), std::move(message), ConfigError::Kind::kWarning};
}

struct ConfigFile {
  std::string name;  // for messages
  std::string text;
};

struct LoadedConfig {
  std::optional<Config> config;     // present only if there are no errors
  std::vector<ConfigError> errors;  // sorted by file, then by position
};

// The exit status (sysexits.h) of a program that found these errors: EX_OK without errors,
// EX_TEMPFAIL if every error is a name that does not resolve yet, and EX_CONFIG otherwise.
int ExitStatusOf(const std::vector<ConfigError>& errors);

// Parses `files`, which are in the order in which they are read, the main file first. The function
// is pure except for `names` and geteuid(2), the default of a backend's `users`.
LoadedConfig ParseConfig(const std::vector<ConfigFile>& files, NameResolver& names);

// Reads `path` and `conf.d/*.toml` beside it, in name order. A file is an error if it
//  - cannot be read, is not a regular file, or has more than kMaxConfigFile bytes;
//  - is owned by a user other than root and our effective user;
//  - is writable by others, by a group other than root's, or by anyone else that its access control
//    list names.
// Each check is made on the descriptor that is then read. The directory of the main file and conf.d
// must pass the same checks unless they are on a read-only mount: anyone who can write there
// chooses which files are read, and can keep the daemon from starting.
inline constexpr size_t kMaxConfigFile = size_t{16} << 20;
LoadedConfig LoadConfig(const std::string& path, NameResolver& names);

// How many connections to backends all users together may have if the process may open `limit`
// descriptors (RLIMIT_NOFILE): those that clients, listeners and the daemon itself do not need.
// Pure.
uint64_t DescriptorsForBackends(const Config& config, uint64_t limit);

enum class DescriptorLimit {
  kOfTheDaemon,
  kOfThisProcessOnly,  // the daemon's limit is not known and may be different
};

// Returns a warning if the daemon may run out of descriptors before it reaches its own limits.
// `limit` is the most that it may open (RLIMIT_NOFILE). Pure.
std::vector<ConfigError> CheckDescriptors(const Config& config, uint64_t limit,
                                          DescriptorLimit whose = DescriptorLimit::kOfTheDaemon);

// The effective configuration as TOML. ParseConfig() reads it back as the same configuration.
std::string PrintConfig(const Config& config);

}  // namespace proxyd
