// SPDX-License-Identifier: Apache-2.0
//
// Reads the configuration: TOML files -> Config, or every error there is in them, each with its
// position.
#pragma once

#include <sys/types.h>

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
  SourcePosition position;  // line 0: the file as a whole
  std::string message;      // what is wrong, what was expected

  // FILE:LINE:COLUMN: message, or FILE: message.
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

// Pure but for `names`: `files` in the order in which they are read, the main one first.
LoadedConfig ParseConfig(const std::vector<ConfigFile>& files, NameResolver& names);

// Reads `path` and `conf.d/*.toml` beside it in name order. A file that cannot be read, is not a
// regular file, is writable by others or by a group other than root's, or is owned by a user other
// than root and our own effective user, is an error; the check is made on the descriptor that is
// then read.
LoadedConfig LoadConfig(const std::string& path, NameResolver& names);

// The warnings of --check about a configuration that is correct: a rule that can never match since
// others before it always do, a backend no rule uses, a listener no allow rule admits anyone on,
// "*" and ranges that leave out the overflow id, …
std::vector<ConfigError> CheckConfig(const Config& config);

// The effective configuration as TOML that ParseConfig() reads back the same.
std::string PrintConfig(const Config& config);

}  // namespace proxyd
