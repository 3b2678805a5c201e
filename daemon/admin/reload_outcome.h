// SPDX-License-Identifier: Apache-2.0
//
// ReloadOutcome: how a reload ended. A value.
#pragma once

#include <string>
#include <vector>

namespace proxyd {

struct ReloadOutcome {
  // One a line, as the log has them; none: the configuration was taken.
  std::vector<std::string> errors;
  std::vector<std::string> warnings;  // as --check has them
};

}  // namespace proxyd
