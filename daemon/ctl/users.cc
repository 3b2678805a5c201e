// SPDX-License-Identifier: Apache-2.0
#include "ctl/users.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <utility>

#include "config/load.h"
#include "text/closest.h"
#include "text/escape.h"
#include "tool/invalid.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd::ctl {

using ttrpc::tool::Invalid;

using text::QuoteShort;

namespace {

using ttrpc::Result;
using ttrpc::Status;

constexpr size_t kMostRecord = size_t{1} << 20;  // bytes of a database entry
constexpr int kMostGroups = 65536;               // the kernel's NGROUPS_MAX

struct Entry {
  std::string name;
  gid_t gid = 0;
};

// Parses an id. The kernel reserves -1, so it is never an id.
std::optional<uint32_t> ParseNumber(std::string_view text) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id == UINT32_MAX) {
    return std::nullopt;
  }
  return id;
}

std::optional<Entry> EntryOf(uid_t uid) {
  std::vector<char> buffer(1024);
  passwd record = {};
  passwd* found = nullptr;
  while (::getpwuid_r(uid, &record, buffer.data(), buffer.size(), &found) == ERANGE &&
         buffer.size() < kMostRecord) {
    buffer.resize(buffer.size() * 2);
  }
  if (found == nullptr) return std::nullopt;
  return Entry{.name = found->pw_name, .gid = found->pw_gid};
}

// Returns the error about a user or group that does not exist. `kind` is the word for it, and
// `known` has names to suggest.
Status NoSuchId(const std::string& kind, std::string_view name,
                const std::vector<std::string>& known) {
  return Invalid(kind + " " + QuoteShort(name) + " does not exist; " +
                 text::DidYouMean(name, known, "use an existing " + kind + " name or a number"));
}

Result<gid_t> ResolveGid(const std::string& group) {
  if (const auto number = ParseNumber(group)) return *number;
  if (const auto gid = SystemNameResolver().Group(group)) return *gid;
  return NoSuchId("group", group, SystemNameResolver().Groups());
}

std::vector<gid_t> GroupsOf(const std::string& name, gid_t gid) {
  std::vector<gid_t> groups(64);
  auto count = static_cast<int>(groups.size());
  while (::getgrouplist(name.c_str(), gid, groups.data(), &count) < 0 && count <= kMostGroups) {
    // The returned count may be too small again, so the size at least doubles.
    groups.resize(std::max(groups.size() * 2, static_cast<size_t>(count)));
    count = static_cast<int>(groups.size());
  }
  groups.resize(static_cast<size_t>(std::clamp(count, 0, static_cast<int>(groups.size()))));
  return groups;
}

// Describes what was assumed about a uid without an account. No note is needed with --group: a
// user who gives it knows that the database has no groups for this uid.
std::string Assumed(const UserWords& words, const ResolvedUser& resolved) {
  if (words.group) return "";
  return "uid " + std::to_string(resolved.uid) + " has no account on this machine; assuming gid " +
         std::to_string(resolved.gid) + (words.groups ? "" : " and no supplementary groups") +
         (words.groups ? " (use --group to change it)" : " (use --group and --groups to change)");
}

}  // namespace

Result<uid_t> ResolveUid(std::string_view user) {
  if (const auto number = ParseNumber(user)) return *number;
  if (const auto uid = SystemNameResolver().User(std::string(user))) return *uid;
  return NoSuchId("user", user, SystemNameResolver().Users());
}

Result<ResolvedUser> ResolveUser(const UserWords& words) {
  const Result<uid_t> uid = ResolveUid(words.user);
  if (!uid) return uid.error();
  ResolvedUser resolved;
  resolved.uid = *uid;
  const std::optional<Entry> entry = EntryOf(*uid);
  if (words.group) {
    const Result<gid_t> gid = ResolveGid(*words.group);
    if (!gid) return gid.error();
    resolved.gid = *gid;
  } else {
    resolved.gid = entry ? entry->gid : ttrpc::OverflowGid();
  }
  if (words.groups) {
    for (const std::string& group : *words.groups) {
      const Result<gid_t> gid = ResolveGid(group);
      if (!gid) return gid.error();
      resolved.groups.push_back(*gid);
    }
  } else if (entry) {
    resolved.groups = GroupsOf(entry->name, resolved.gid);
  }
  if (!entry) resolved.assumed = Assumed(words, resolved);
  return resolved;
}

std::string UserName(uid_t uid) {
  static std::map<uid_t, std::string> names;
  const auto [place, is_new] = names.try_emplace(uid);
  if (is_new) {
    if (const auto entry = EntryOf(uid)) place->second = entry->name;
  }
  return place->second;
}

}  // namespace proxyd::ctl
