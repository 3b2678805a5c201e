// SPDX-License-Identifier: Apache-2.0
//
// Reads the configuration: TOML files -> Config, or every error there is in them, each with its
// position.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace proxyd {

// User and group names to ids. The real one asks NSS and may block; tests give a table.
class NameResolver {
 public:
  virtual ~NameResolver() = default;
  virtual std::optional<uid_t> User(const std::string& name) = 0;
  virtual std::optional<gid_t> Group(const std::string& name) = 0;
};

NameResolver& SystemNameResolver();

struct ConfigError {
  enum class Kind {
    kWrong,           // only a change of the configuration helps
    kUnresolvedName,  // the user database has no such name, but it may have it later
  };
  SourcePosition position;  // line 0: the file as a whole
  std::string message;      // what is wrong, what was expected
  Kind kind = Kind::kWrong;

  // FILE:LINE:COLUMN: message, or FILE: message, on one line.
  std::string ToString() const;
};

struct ConfigFile {
  std::string name;  // as in messages
  std::string text;
};

struct LoadedConfig {
  std::optional<Config> config;     // only if there are no errors
  std::vector<ConfigError> errors;  // in order of file, then position
};

// How a program exits that found these errors (sysexits.h): EX_OK if there are none, EX_TEMPFAIL if
// all of them are names that do not resolve, yet, and EX_CONFIG otherwise.
int ExitStatusOf(const std::vector<ConfigError>& errors);

// Pure but for `names` and geteuid(2), which is the default of a backend's `users`. `files` in the
// order in which they are read, the main one first.
LoadedConfig ParseConfig(const std::vector<ConfigFile>& files, NameResolver& names);

// Reads `path` and `conf.d/*.toml` beside it in name order. A file that cannot be read, is not a
// regular file, has more than kMaxConfigFile bytes, is writable by others, by a group other than
// root's or by anybody else whom its access control list names, or is owned by a user other than
// root and our own effective user, is an error; the check is made on the descriptor that is then
// read. The folders of the main file and conf.d are held to the same, unless they are on a
// read-only mount: who can write there chooses which files count, and can keep the daemon from
// starting.
inline constexpr size_t kMaxConfigFile = size_t{16} << 20;
LoadedConfig LoadConfig(const std::string& path, NameResolver& names);

// How many connections to backends all users together may have, if there are `limit` descriptors
// (RLIMIT_NOFILE): what clients, listeners and the daemon itself leave of them. Pure.
uint64_t DescriptorsForBackends(const Config& config, uint64_t limit);

enum class DescriptorLimit {
  kOfTheDaemon,
  kOfThisProcessOnly,  // the daemon's is not known, and may be another
};

// The warning that the daemon may run out of descriptors before it runs into its own limits:
// `limit` is how many there may be, at most (RLIMIT_NOFILE). Pure.
std::vector<ConfigError> CheckDescriptors(const Config& config, uint64_t limit,
                                          DescriptorLimit whose = DescriptorLimit::kOfTheDaemon);

// The effective configuration as TOML that ParseConfig() reads back the same.
std::string PrintConfig(const Config& config);

}  // namespace proxyd
