// SPDX-License-Identifier: Apache-2.0
//
// [admin] and [metrics]: where the daemon itself is asked. A gate: an address at which anybody on
// a network could connect is refused here.
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "config/access_reader.h"
#include "config/ids.h"
#include "config/readers.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

constexpr std::string_view kAdminAddress = "unix:///run/ttrpc-proxy/admin.sock";
constexpr std::string_view kMetricsAddress = "unix:///run/ttrpc-proxy/metrics.sock";
constexpr std::string_view kTcp = "tcp:";

// The text of `address` with its place, or the default; nothing where it is no string.
std::optional<TomlValue> FindAddress(std::string_view by_default, std::string_view expected,
                                     TableReader* in) {
  const TomlEntry* entry = in->Find("address");
  if (entry == nullptr) {
    TomlValue value;
    value.kind = TomlValue::Kind::kString;
    value.position = in->position();
    value.string = by_default;
    return value;
  }
  if (entry->value.kind == TomlValue::Kind::kString) return entry->value;
  in->Wrong(*entry, expected);
  return std::nullopt;
}

// A Unix socket by path or abstract name.
std::optional<ttrpc::Address> ParseUnix(const TomlValue& value, std::string_view expected,
                                        ReadScope* scope) {
  const std::string what = "address is " + QuoteShort(value.string);
  const bool unix_socket =
      value.string.starts_with("unix:") || value.string.starts_with("unix-abstract:");
  if (!unix_socket) {
    scope->errors.Add(value.position, what + ", expected " + std::string(expected));
    return std::nullopt;
  }
  auto address = ttrpc::Address::Parse(value.string);
  if (!address) {
    scope->errors.Add(value.position, what + ": " + address.error().message());
    return std::nullopt;
  }
  return *std::move(address);
}

// A number without a sign, a zero in front or anything behind it, of at most `most`.
bool ParseDigits(std::string_view digits, unsigned most, unsigned* out) {
  const char* const last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, *out);
  return error == std::errc() && end == last && *out <= most &&
         (digits.size() == 1 || digits.front() != '0');
}

// 127.0.0.0/8, written with four numbers, or ::1.
bool IsLoopback(std::string_view host) {
  constexpr unsigned kLoopbackNet = 127;
  if (host == "::1") return true;
  for (int part = 0; part < 4; ++part) {
    const size_t dot = host.find('.');
    unsigned number = 0;
    if (!ParseDigits(host.substr(0, dot), 255, &number)) return false;
    if (part == 0 && number != kLoopbackNet) return false;
    if ((dot == host.npos) != (part == 3)) return false;
    if (dot != host.npos) host.remove_prefix(dot + 1);
  }
  return true;
}

// What follows `tcp:`; nothing: it is not a loopback address with a port.
std::optional<TcpAddress> ParseTcp(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  TcpAddress address{.host = std::string(host), .port = 0};
  // Without brackets nobody could tell where an IPv6 address ends.
  if (bracketed != (host.find(':') != host.npos) || !IsLoopback(address.host)) return std::nullopt;
  unsigned port = 0;
  if (!ParseDigits(digits, 0xffff, &port) || port == 0) return std::nullopt;
  address.port = static_cast<uint16_t>(port);
  return address;
}

std::optional<MetricsAddress> ParseMetricsAddress(const TomlValue& value, ReadScope* scope) {
  if (!value.string.starts_with(kTcp))
    return ParseUnix(value, "a Unix socket, or tcp:127.0.0.1:PORT", scope);
  auto address = ParseTcp(std::string_view(value.string).substr(kTcp.size()));
  if (address) return *std::move(address);
  scope->errors.Add(value.position, "address is " + QuoteShort(value.string) +
                                        ", expected a loopback address and a port after tcp:, as "
                                        "tcp:127.0.0.1:9464 or tcp:[::1]:9464");
  return std::nullopt;
}

}  // namespace

std::string ToString(const MetricsAddress& address) {
  if (const auto* own = std::get_if<ttrpc::Address>(&address)) return own->ToString();
  const auto& tcp = std::get<TcpAddress>(address);
  const bool v6 = tcp.host.find(':') != tcp.host.npos;
  return std::string(kTcp) + (v6 ? "[" + tcp.host + "]" : tcp.host) + ":" +
         std::to_string(tcp.port);
}

std::optional<AdminConfig> ReadAdmin(const TomlValue& table, ReadScope* scope) {
  constexpr std::string_view kExpected = "a Unix socket: unix:///abs/path or unix-abstract:name";
  TableReader in("[admin]", table, &scope->errors);
  std::optional<ttrpc::Address> address;
  if (const auto value = FindAddress(kAdminAddress, kExpected, &in)) {
    address = ParseUnix(*value, kExpected, scope);
    if (address) ClaimAddress(*value, address->ToString(), scope);
  }
  const SocketAccess access =
      ReadAccess(address ? KindOf(*address) : AddressKind::kUnknown, &in, scope);
  IdSet root;
  root.exact.push_back(0);
  IdSet users = ReadIdSet("users", IdKind::kUser, &in, scope).value_or(std::move(root));
  in.Finish();
  if (!address) return std::nullopt;
  return AdminConfig{.address = *std::move(address),
                     .access = access,
                     .users = std::move(users),
                     .position = in.position()};
}

std::optional<MetricsConfig> ReadMetrics(const TomlValue& table, ReadScope* scope) {
  TableReader in("[metrics]", table, &scope->errors);
  std::optional<MetricsAddress> address;
  if (const auto value =
          FindAddress(kMetricsAddress, "a Unix socket, or tcp:127.0.0.1:PORT", &in)) {
    address = ParseMetricsAddress(*value, scope);
    if (address) ClaimAddress(*value, ToString(*address), scope);
  }
  AddressKind kind = AddressKind::kUnknown;
  if (address) {
    const auto* own = std::get_if<ttrpc::Address>(&*address);
    kind = own != nullptr ? KindOf(*own) : AddressKind::kTcp;
  }
  const SocketAccess access = ReadAccess(kind, &in, scope);
  in.Finish();
  if (!address) return std::nullopt;
  return MetricsConfig{.address = *std::move(address), .access = access, .position = in.position()};
}

}  // namespace proxyd
