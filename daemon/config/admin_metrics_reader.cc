// SPDX-License-Identifier: Apache-2.0
//
// Reads [admin] and [metrics], the services of the daemon itself. This is a gate: it refuses an
// address to which anyone on a network could connect.
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
constexpr std::string_view kAdminAdvice = "use unix:///abs/path or unix-abstract:name";
constexpr std::string_view kMetricsAdvice =
    "use unix:///abs/path, unix-abstract:name or tcp:127.0.0.1:PORT";
constexpr std::string_view kTcp = "tcp:";
// More series than this from one target would be too many for Prometheus.
constexpr uint32_t kMostMetricsUsers = 10'000;

// Returns `address` or its default, and nothing if it is not a string.
std::optional<WrittenAddress> FindAddress(std::string_view by_default, std::string_view advice,
                                          TableReader* in) {
  const auto entry = in->Find("address");
  if (!entry) return WrittenAddress{std::string(by_default), in->position()};
  if (entry->value.is_string())
    return WrittenAddress{StringOf(entry->value), PositionOf(entry->value)};
  in->Wrong(*entry, advice);
  return std::nullopt;
}

// Parses the address of a Unix socket with a path or an abstract name.
std::optional<ttrpc::Address> ParseUnix(const WrittenAddress& written, std::string_view advice,
                                        ReadScope* scope) {
  const std::string what = "address is " + QuoteShort(written.text);
  const bool unix_socket = written.text.starts_with("unix:") ||
                           written.text.starts_with("unix-abstract:") ||
                           written.text.starts_with("ttrpc+unix:");
  if (!unix_socket) {
    scope->errors.Add(written.position, what + "; " + std::string(advice));
    return std::nullopt;
  }
  auto address = ttrpc::Address::Parse(written.text);
  if (!address) {
    scope->errors.Add(written.position,
                      what + ", which is not valid: " + address.error().message());
    return std::nullopt;
  }
  return *std::move(address);
}

// Parses a port without a sign, leading zeros or trailing characters.
std::optional<uint16_t> ParsePort(std::string_view digits) {
  uint16_t port = 0;
  const char* const last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, port);
  const bool good = error == std::errc() && end == last && digits.front() != '0';
  return good ? std::optional(port) : std::nullopt;
}

// Accepts an address of 127.0.0.0/8 written as four numbers, and ::1 in this spelling only.
bool IsLoopback(const std::string& host) {
  if (host == "::1") return true;
  in_addr address{};
  return host.find('\0') == host.npos && ::inet_pton(AF_INET, host.c_str(), &address) == 1 &&
         ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
}

// Parses the text after `tcp:`. Returns nothing unless it is a loopback address with a port.
std::optional<TcpAddress> ParseTcp(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  TcpAddress address{.host = std::string(host), .port = 0};
  // Without brackets, the end of an IPv6 address would be ambiguous.
  if (bracketed != (host.find(':') != host.npos) || !IsLoopback(address.host)) return std::nullopt;
  const auto port = ParsePort(digits);
  if (!port) return std::nullopt;
  address.port = *port;
  return address;
}

std::optional<MetricsAddress> ParseMetricsAddress(const WrittenAddress& written, ReadScope* scope) {
  if (!written.text.starts_with(kTcp)) return ParseUnix(written, kMetricsAdvice, scope);
  auto address = ParseTcp(std::string_view(written.text).substr(kTcp.size()));
  if (address) return *std::move(address);
  scope->errors.Add(written.position, "address is " + QuoteShort(written.text) +
                                          "; use a loopback address and a port, such as "
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
  TableReader in("[admin]", tables, &scope->errors);
  std::optional<ttrpc::Address> address;
  if (const auto value = FindAddress(kAdminAddress, kAdminAdvice, &in)) {
    address = ParseUnix(*value, kAdminAdvice, scope);
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
  if (const auto value = FindAddress(kMetricsAddress, kMetricsAdvice, &in)) {
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
