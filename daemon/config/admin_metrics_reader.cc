// SPDX-License-Identifier: Apache-2.0
//
// [admin] and [metrics]: where the daemon itself is asked. A gate: an address at which anybody on
// a network could connect is refused here.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "config/readers.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

constexpr std::string_view kAdminAddress = "unix:///run/ttrpc-proxy/admin.sock";
constexpr std::string_view kMetricsAddress = "unix:///run/ttrpc-proxy/metrics.sock";
constexpr std::string_view kTcp = "tcp:";
// A Prometheus wants fewer series than this of one target.
constexpr uint32_t kMostMetricsUsers = 10'000;

// `address`, or the default; nothing where it is no string.
std::optional<WrittenAddress> FindAddress(std::string_view by_default, std::string_view expected,
                                          TableReader* in) {
  const auto entry = in->Find("address");
  if (!entry) return WrittenAddress{std::string(by_default), in->position()};
  if (entry->value.is_string())
    return WrittenAddress{StringOf(entry->value), PositionOf(entry->value)};
  in->Wrong(*entry, expected);
  return std::nullopt;
}

// A Unix socket by path or abstract name.
std::optional<ttrpc::Address> ParseUnix(const WrittenAddress& written, std::string_view expected,
                                        ReadScope* scope) {
  const std::string what = "address is " + QuoteShort(written.text);
  const bool unix_socket =
      written.text.starts_with("unix:") || written.text.starts_with("unix-abstract:");
  if (!unix_socket) {
    scope->errors.Add(written.position, what + ", expected " + std::string(expected));
    return std::nullopt;
  }
  auto address = ttrpc::Address::Parse(written.text);
  if (!address) {
    scope->errors.Add(written.position, what + ": " + address.error().message());
    return std::nullopt;
  }
  return *std::move(address);
}

// A number without a sign, a zero in front or anything behind it.
std::optional<uint16_t> ParsePort(std::string_view digits) {
  uint16_t port = 0;
  const char* const last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, port);
  const bool good = error == std::errc() && end == last && digits.front() != '0';
  return good ? std::optional(port) : std::nullopt;
}

// 127.0.0.0/8, written with four numbers, or ::1, which no other spelling stands for.
bool IsLoopback(const std::string& host) {
  if (host == "::1") return true;
  in_addr address{};
  return host.find('\0') == host.npos && ::inet_pton(AF_INET, host.c_str(), &address) == 1 &&
         ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
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
  const auto port = ParsePort(digits);
  if (!port) return std::nullopt;
  address.port = *port;
  return address;
}

std::optional<MetricsAddress> ParseMetricsAddress(const WrittenAddress& written, ReadScope* scope) {
  if (!written.text.starts_with(kTcp))
    return ParseUnix(written, "a Unix socket, or tcp:127.0.0.1:PORT", scope);
  auto address = ParseTcp(std::string_view(written.text).substr(kTcp.size()));
  if (address) return *std::move(address);
  scope->errors.Add(written.position, "address is " + QuoteShort(written.text) +
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

std::optional<AdminConfig> ReadAdmin(const TomlTables& tables, ReadScope* scope) {
  constexpr std::string_view kExpected = "a Unix socket: unix:///abs/path or unix-abstract:name";
  TableReader in("[admin]", tables, &scope->errors);
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

std::optional<MetricsConfig> ReadMetrics(const TomlTables& tables, ReadScope* scope) {
  TableReader in("[metrics]", tables, &scope->errors);
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
  uint32_t users = MetricsConfig::kUsers;
  in.ReadNumber("users", {0, kMostMetricsUsers}, &users);
  in.Finish();
  if (!address) return std::nullopt;
  return MetricsConfig{
      .address = *std::move(address), .access = access, .users = users, .position = in.position()};
}

}  // namespace proxyd
