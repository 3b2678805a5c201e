// SPDX-License-Identifier: Apache-2.0
//
// Users and groups of this machine. The functions ask NSS and may block. They are not thread-safe.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ttrpc/status.h"

namespace proxyd::ctl {

// A user as given on the command line, by names or numbers.
struct UserWords {
  std::string user;
  std::optional<std::string> group;                // the effective group
  std::optional<std::vector<std::string>> groups;  // the supplementary groups
};

struct ResolvedUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::string assumed;  // a sentence about ids that had to be assumed, for the user; may be empty
};

// Resolves names, and completes missing groups from the user database as a login does. A uid
// without an account gets no groups and the overflow gid, which no pattern of an allow rule
// matches. INVALID_ARGUMENT: the user or a group does not exist.
ttrpc::Result<ResolvedUser> ResolveUser(const UserWords& words);

// INVALID_ARGUMENT: the user does not exist.
ttrpc::Result<uid_t> ResolveUid(std::string_view user);

// Returns the user's name, or an empty text if it has none. Each answer is cached.
std::string UserName(uid_t uid);

}  // namespace proxyd::ctl
