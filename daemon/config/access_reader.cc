// SPDX-License-Identifier: Apache-2.0
//
// Reads what all of the daemon's sockets have in common: an address that no other socket has, and
// who may connect. It is a gate: an owner, a group or a mode that could not be set is an error.
// Everything but the NameResolver is pure. One thread.
#include <string>
#include <string_view>
#include <utility>

#include "config/readers.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

constexpr mode_t kMaxMode = 0777;

std::optional<mode_t> ParseMode(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  mode_t mode = 0;
  for (const char c : text) {
    if (c < '0' || c > '7') return std::nullopt;
    mode = mode * 8 + static_cast<mode_t>(c - '0');
  }
  return mode <= kMaxMode ? std::optional(mode) : std::nullopt;
}

void ReadMode(TableReader* in, mode_t* out) {
  const auto entry = in->Find("mode");
  if (!entry) return;
  const auto mode = entry->value.is_string() ? ParseMode(StringOf(entry->value)) : std::nullopt;
  if (mode) {
    *out = *mode;
  } else {
    in->Wrong(*entry, "octal digits in quotes, at most \"0777\"");
  }
}

// owner, group and mode would promise what nobody does.
void RefuseWithoutPath(AddressKind kind, TableReader* in) {
  std::string_view which;
  std::string_view why;
  switch (kind) {
    case AddressKind::kPath:
    case AddressKind::kUnknown:
      return;
    case AddressKind::kAbstract:
      which = "an abstract";
      why = "an abstract socket has none";
      break;
    case AddressKind::kPassed:
      which = "a systemd:";
      why = "its .socket unit sets SocketUser=, SocketGroup= and SocketMode=";
      break;
    case AddressKind::kTcp:
      which = "a tcp:";
      why = "whoever is on this machine can connect to it";
      break;
  }
  for (const std::string_view key : {"owner", "group", "mode"}) {
    if (const auto entry = in->Peek(key)) {
      in->Error(PositionOf(entry->key),
                std::string(key)
                    .append(" stands with ")
                    .append(which)
                    .append(" address, expected it only with unix:///abs/path: ")
                    .append(why));
    }
  }
}

}  // namespace

AddressKind KindOf(const ttrpc::Address& address) {
  return address.kind() == ttrpc::Address::Kind::kUnixPath ? AddressKind::kPath
                                                           : AddressKind::kAbstract;
}

SocketAccess ReadAccess(AddressKind kind, TableReader* in, ReadScope* scope) {
  SocketAccess access;
  if (auto owner = ReadId("owner", IdKind::kUser, in, scope)) {
    access.owner = owner->id;
    access.owner_name = std::move(owner->name);
  }
  if (auto group = ReadId("group", IdKind::kGroup, in, scope)) {
    access.group = group->id;
    access.group_name = std::move(group->name);
  }
  ReadMode(in, &access.mode);
  RefuseWithoutPath(kind, in);
  return access;
}

void ClaimAddress(const WrittenAddress& written, const std::string& address, ReadScope* scope) {
  const auto [claim, is_new] = scope->own_addresses.emplace(address, written.position);
  if (is_new) return;
  scope->errors.Add(written.position, "address is " + QuoteShort(written.text) +
                                          ", which stands at " + claim->second.ToString() +
                                          " already, expected one of its own");
}

}  // namespace proxyd
