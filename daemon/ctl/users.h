// SPDX-License-Identifier: Apache-2.0
//
// Users and groups of this machine. Asks NSS, and may block; one thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ttrpc/status.h"

namespace proxyd::ctl {

// Who somebody is said to be: names or numbers.
struct UserWords {
  std::string user;
  std::optional<std::string> group;                // the effective one
  std::optional<std::vector<std::string>> groups;  // supplementary
};

struct ResolvedUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::string assumed;  // what nobody has given and no account has, in a sentence; empty: nothing
};

// What is not given is as a login of that user would have it. A uid without an account has no
// groups, and the overflow gid, which the patterns of an allow rule do not match. INVALID_ARGUMENT:
// there is no such user or group.
ttrpc::Result<ResolvedUser> ResolveUser(const UserWords& words);

// INVALID_ARGUMENT: there is none.
ttrpc::Result<uid_t> ResolveUid(std::string_view user);

// Empty: it has none. Each is asked for once.
std::string UserName(uid_t uid);

}  // namespace proxyd::ctl
