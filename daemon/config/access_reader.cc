// SPDX-License-Identifier: Apache-2.0
//
// Reads the keys that all sockets of the daemon share: an address, which no other socket may have,
// and owner, group and mode. This is a gate: an owner, a group or a mode that could not be applied
// is an error. Pure except for the NameResolver; one thread.
#include <array>
#include <charconv>
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

// The digits that the author of `mode = 660` or `mode = 0o660` means; empty for any other value.
std::string DigitsOf(const toml::node& value) {
  const auto* integer = value.as_integer();
  if (integer == nullptr) return {};
  const bool octal = integer->flags() == toml::value_flags::format_as_octal;
  std::array<char, 32> digits{};
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), integer->get(), octal ? 8 : 10)
          .ptr;
  return (octal ? "0" : "") + std::string(digits.data(), end);
}

void ReadMode(TableReader* in, mode_t* out) {
  const auto entry = in->Find("mode");
  if (!entry) return;
  const auto mode = entry->value.is_string() ? ParseMode(StringOf(entry->value)) : std::nullopt;
  if (mode) {
    *out = *mode;
    return;
  }
  const std::string digits = DigitsOf(entry->value);
  in->Wrong(*entry, ParseMode(digits) ? "write it in quotes: mode = \"" + digits + "\""
                                      : "use octal digits in quotes, at most \"0777\"");
}

// Refuses keys that would be silently ignored, because the socket has no file to apply them to.
void RefuseWithoutPath(AddressKind kind, TableReader* in) {
  std::string_view why;
  switch (kind) {
    case AddressKind::kPath:
    case AddressKind::kUnknown:
      return;
    case AddressKind::kAbstract:
      why = "on an abstract socket; remove it, or use unix:///abs/path";
      break;
    case AddressKind::kPassed:
      why =
          "on a systemd: socket; use SocketUser=, SocketGroup= and SocketMode= in its .socket unit";
      break;
    case AddressKind::kTcp:
      why =
          "on a tcp: address, to which every local user can connect; remove it, or use "
          "unix:///abs/path";
      break;
  }
  for (const std::string_view key : {"owner", "group", "mode"}) {
    if (const auto entry = in->Peek(key)) {
      in->Error(PositionOf(entry->key), std::string(key).append(" cannot be set ").append(why));
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
  scope->errors.Add(written.position, "address " + QuoteShort(written.text) +
                                          " is already used at " + claim->second.ToString() +
                                          "; use another address");
}

}  // namespace proxyd
