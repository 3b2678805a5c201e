// SPDX-License-Identifier: Apache-2.0
//
// [[listener]]. A gate: an address whose peers the kernel cannot name, or a socket whose mode or
// owner would silently not be set, is refused here.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "config/ids.h"
#include "config/quote.h"
#include "config/readers.h"

namespace proxyd {
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

// As systemd takes it for FileDescriptorName=.
std::optional<PassedSocket> ParsePassedSocket(std::string_view name) {
  constexpr size_t kMaxName = 255;
  const bool good = !name.empty() && name.size() <= kMaxName &&
                    std::all_of(name.begin(), name.end(),
                                [](char c) { return c > 0x20 && c < 0x7f && c != ':'; });
  return good ? std::optional(PassedSocket{std::string(name)}) : std::nullopt;
}

std::optional<ListenerAddress> ReadAddress(TableReader* in, ReadScope* scope) {
  constexpr std::string_view kExpected =
      "a Unix socket: unix:///abs/path, unix-abstract:name or systemd:NAME";
  constexpr std::string_view kPassed = "systemd:";
  const TomlEntry* entry = in->Require("address", kExpected);
  if (entry == nullptr) return std::nullopt;
  const TomlValue& value = entry->value;
  if (value.kind != TomlValue::Kind::kString) {
    in->Wrong(*entry, kExpected);
    return std::nullopt;
  }
  const std::string what = "address is " + QuoteShort(value.string);
  if (value.string.starts_with("vsock:") || value.string.starts_with("hvsock:")) {
    in->Error(value.position, what + ", expected a Unix socket, whose peers can be authenticated");
    return std::nullopt;
  }
  std::optional<ListenerAddress> address;
  if (value.string.starts_with(kPassed)) {
    address = ParsePassedSocket(std::string_view(value.string).substr(kPassed.size()));
    if (!address) {
      in->Error(value.position, what +
                                    ", expected a FileDescriptorName= after systemd:, of 1 to 255 "
                                    "printable characters but space and colon");
      return std::nullopt;
    }
  } else if (auto parsed = ttrpc::Address::Parse(value.string)) {
    address = *std::move(parsed);
  } else {
    in->Error(value.position, what + ": " + parsed.error().message());
    return std::nullopt;
  }
  const auto [claim, is_new] =
      scope->listener_addresses.emplace(ToString(*address), value.position);
  if (!is_new) {
    in->Error(value.position, what + ", which the listener at " + claim->second.ToString() +
                                  " has, expected one of its own");
  }
  return *address;
}

void ReadMode(TableReader* in, mode_t* out) {
  const TomlEntry* entry = in->Find("mode");
  if (entry == nullptr) return;
  const auto mode =
      entry->value.kind == TomlValue::Kind::kString ? ParseMode(entry->value.string) : std::nullopt;
  if (mode) {
    *out = *mode;
  } else {
    in->Wrong(*entry, "octal digits in quotes, at most \"0777\"");
  }
}

// owner, group and mode would promise what the kernel does not do for an abstract socket, and what
// the service manager has done for its own.
void RefuseWithoutPath(const ListenerAddress& address, TableReader* in) {
  const auto* own = std::get_if<ttrpc::Address>(&address);
  if (own != nullptr && own->kind() == ttrpc::Address::Kind::kUnixPath) return;
  const std::string_view which = own != nullptr ? "an abstract" : "a systemd:";
  const std::string_view why = own != nullptr
                                   ? "an abstract socket has none"
                                   : "its .socket unit sets SocketUser=, SocketGroup= and "
                                     "SocketMode=";
  for (const std::string_view key : {"owner", "group", "mode"}) {
    if (const TomlEntry* entry = in->Peek(key)) {
      in->Error(entry->position, std::string(key)
                                     .append(" stands with ")
                                     .append(which)
                                     .append(" address, expected it only with unix:///abs/path: ")
                                     .append(why));
    }
  }
}

}  // namespace

std::optional<ListenerConfig> ReadListener(const TomlValue& table, const TimeoutsConfig& defaults,
                                           ReadScope* scope) {
  TableReader in("[[listener]]", table, &scope->errors);
  std::string name = scope->listeners.Declare(&in);
  auto address = ReadAddress(&in, scope);
  const auto owner = ReadId("owner", IdKind::kUser, &in, scope);
  const auto group = ReadId("group", IdKind::kGroup, &in, scope);
  mode_t mode = 0600;
  ReadMode(&in, &mode);
  if (address) RefuseWithoutPath(*address, &in);
  UnknownFields unknown_fields = UnknownFields::kRefuse;
  in.ReadWord("unknown_fields", kUnknownFieldsWords, &unknown_fields);
  TimeoutsConfig timeouts = defaults;
  ReadTimeoutKeys(&in, &timeouts);
  uint32_t connections_per_user = 0;  // not given
  in.ReadNumber("connections_per_user", {1, kMaxConnections}, &connections_per_user);
  in.NotSupportedYet({"discover", "state", "directory"});
  in.Finish();
  if (!address) return std::nullopt;
  return ListenerConfig{.name = std::move(name),
                        .address = *std::move(address),
                        .owner = owner,
                        .group = group,
                        .mode = mode,
                        .unknown_fields = unknown_fields,
                        .timeouts = timeouts,
                        .connections_per_user = connections_per_user != 0
                                                    ? std::optional(connections_per_user)
                                                    : std::nullopt,
                        .position = in.position()};
}

}  // namespace proxyd
