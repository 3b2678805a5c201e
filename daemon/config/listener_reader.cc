// SPDX-License-Identifier: Apache-2.0
//
// Reads [[listener]] tables. This is a gate: it refuses an address whose peers the kernel cannot
// identify.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "config/readers.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

// Accepts what systemd accepts as FileDescriptorName=.
std::optional<PassedSocket> ParsePassedSocket(std::string_view name) {
  constexpr size_t kMaxName = 255;
  const bool good = !name.empty() && name.size() <= kMaxName &&
                    std::all_of(name.begin(), name.end(),
                                [](char c) { return c > 0x20 && c < 0x7f && c != ':'; });
  return good ? std::optional(PassedSocket{std::string(name)}) : std::nullopt;
}

bool IsPortOfAMachine(std::string_view address) {
  return address.starts_with("vsock:") || address.starts_with("hvsock:") ||
         address.starts_with("ttrpc+vsock:");
}

// Whether the address is that of a socket for each workload, or is meant as one.
bool IsTemplate(const DiscoveryConfig& discovery, const std::string& address) {
  return discovery.source != DiscoverySource::kContainerd ||
         address.find_first_of("{}") != address.npos;
}

std::optional<ListenerAddress> ReadAddress(const DiscoveryKeys& keys, TableReader* in,
                                           ReadScope* scope) {
  constexpr std::string_view kAdvice = "use unix:///abs/path, unix-abstract:name or systemd:NAME";
  constexpr std::string_view kPassed = "systemd:";
  const auto entry = in->Require("address", kAdvice);
  if (!entry) return std::nullopt;
  const toml::node& value = entry->value;
  if (!value.is_string()) {
    in->Wrong(*entry, kAdvice);
    return std::nullopt;
  }
  if (keys.discovery && IsTemplate(*keys.discovery, StringOf(value))) {
    auto front = ReadTemplate(value, keys.discovery->source, scope);
    return front ? std::optional<ListenerAddress>(*std::move(front)) : std::nullopt;
  }
  const std::string what = "address is " + QuoteShort(StringOf(value));
  if (HasPlaceholder(StringOf(value))) {
    // If `discover` is wrong, it has an error of its own.
    if (keys.good) {
      in->Error(PositionOf(value), what +
                                       ", which has a placeholder for the names of workloads; add "
                                       "discover, or remove the placeholder");
    }
    return std::nullopt;
  }
  if (IsPortOfAMachine(StringOf(value))) {
    in->Error(PositionOf(value),
              what + ", whose clients cannot be authenticated; " + std::string(kAdvice));
    return std::nullopt;
  }
  std::optional<ListenerAddress> address;
  if (StringOf(value).starts_with(kPassed)) {
    address = ParsePassedSocket(std::string_view(StringOf(value)).substr(kPassed.size()));
    if (!address) {
      in->Error(PositionOf(value),
                what +
                    ", which has no valid FileDescriptorName= after systemd:; use 1 to 255 "
                    "printable characters without spaces and colons");
      return std::nullopt;
    }
  } else if (auto parsed = ttrpc::Address::Parse(StringOf(value))) {
    address = *std::move(parsed);
  } else {
    in->Error(PositionOf(value), what + ", which is not valid: " + parsed.error().message());
    return std::nullopt;
  }
  ClaimAddress({StringOf(value), PositionOf(value)}, ToString(*address), scope);
  return *address;
}

AddressKind KindOfListener(const std::optional<ListenerAddress>& address) {
  if (!address) return AddressKind::kUnknown;
  if (std::holds_alternative<SocketTemplate>(*address)) return AddressKind::kPath;
  const auto* own = std::get_if<ttrpc::Address>(&*address);
  return own != nullptr ? KindOf(*own) : AddressKind::kPassed;
}

// Records the listener for the rules that name it. They report nothing about one with an error.
void RecordKind(const std::string& name, const DiscoveryKeys& keys,
                const std::optional<ListenerAddress>& address, ReadScope* scope) {
  const auto index = scope->listeners.Find(name);
  if (!index) return;
  if (scope->listener_kinds.size() <= *index) scope->listener_kinds.resize(*index + 1);
  ListenerKind& kind = scope->listener_kinds[*index];
  kind = {.known = keys.good && address, .name = name};
  if (!kind.known || !keys.discovery) return;
  kind.discovers = keys.discovery->source;
  kind.one_socket = !std::holds_alternative<SocketTemplate>(*address);
}

}  // namespace

std::optional<ListenerConfig> ReadListener(const toml::table& table, const TimeoutsConfig& defaults,
                                           ReadScope* scope) {
  TableReader in("[[listener]]", {&table}, &scope->errors);
  std::string name = scope->listeners.Declare(&in);
  DiscoveryKeys keys = ReadDiscovery(&in, scope);
  auto address = ReadAddress(keys, &in, scope);
  RecordKind(name, keys, address, scope);
  SocketAccess access = ReadAccess(KindOfListener(address), &in, scope);
  UnknownFields unknown_fields = UnknownFields::kRefuse;
  in.ReadWord("unknown_fields", kUnknownFieldsWords, &unknown_fields);
  TimeoutsConfig timeouts = defaults;
  ReadTimeoutKeys(&in, &timeouts);
  uint32_t connections_per_user = 0;  // 0: not set
  in.ReadNumber("connections_per_user", {1, kMaxConnections}, &connections_per_user);
  in.Finish();
  if (!address) return std::nullopt;
  return ListenerConfig{.name = std::move(name),
                        .address = *std::move(address),
                        .discovery = std::move(keys.discovery),
                        .access = access,
                        .unknown_fields = unknown_fields,
                        .timeouts = timeouts,
                        .connections_per_user = connections_per_user != 0
                                                    ? std::optional(connections_per_user)
                                                    : std::nullopt,
                        .position = in.position()};
}

}  // namespace proxyd
