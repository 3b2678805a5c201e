// SPDX-License-Identifier: Apache-2.0
//
// [[listener]]. A gate: an address whose peers the kernel cannot name, or a socket whose mode or
// owner would silently not be set, is refused here.
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

std::optional<ttrpc::Address> ReadAddress(TableReader* in, ReadScope* scope) {
  constexpr std::string_view kExpected = "a Unix socket: unix:///abs/path or unix-abstract:name";
  const TomlEntry* entry = in->Require("address", kExpected);
  if (entry == nullptr) return std::nullopt;
  const TomlValue& value = entry->value;
  if (value.kind != TomlValue::Kind::kString) {
    in->Wrong(*entry, kExpected);
    return std::nullopt;
  }
  const std::string what = "address is " + QuoteShort(value.string);
  if (value.string.starts_with("systemd:")) {
    in->Error(value.position, what + ", and systemd: is not supported yet");
    return std::nullopt;
  }
  if (value.string.starts_with("vsock:") || value.string.starts_with("hvsock:")) {
    in->Error(value.position, what + ", expected a Unix socket, whose peers can be authenticated");
    return std::nullopt;
  }
  auto address = ttrpc::Address::Parse(value.string);
  if (!address) {
    in->Error(value.position, what + ": " + address.error().message());
    return std::nullopt;
  }
  const auto [claim, is_new] =
      scope->listener_addresses.emplace(address->ToString(), value.position);
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

// owner, group and mode of an abstract socket would promise what the kernel does not do.
void RefuseOnAbstract(TableReader* in) {
  for (const std::string_view key : {"owner", "group", "mode"}) {
    if (const TomlEntry* entry = in->Peek(key)) {
      in->Error(entry->position, std::string(key) +
                                     " stands with an abstract address, expected it only with "
                                     "unix:///abs/path: an abstract socket has none");
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
  if (address && address->kind() == ttrpc::Address::Kind::kUnixAbstract) RefuseOnAbstract(&in);
  UnknownFields unknown_fields = UnknownFields::kRefuse;
  in.ReadWord("unknown_fields", kUnknownFieldsWords, &unknown_fields);
  TimeoutsConfig timeouts = defaults;
  ReadTimeoutKeys(&in, &timeouts);
  std::optional<uint32_t> connections_per_user;
  if (in.Peek("connections_per_user") != nullptr) {
    connections_per_user.emplace();
    in.ReadNumber("connections_per_user", {1, kMaxConnections}, &*connections_per_user);
  }
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
                        .connections_per_user = connections_per_user,
                        .position = in.position()};
}

}  // namespace proxyd
