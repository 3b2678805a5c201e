// SPDX-License-Identifier: Apache-2.0
//
// Reads [[backend]] tables.
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/readers.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

constexpr std::string_view kAddressAdvice =
    "use unix:///abs/path, unix-abstract:name, vsock:CID:PORT or hvsock:///abs/path:PORT";
constexpr std::string_view kDiscovered = "discovered";

// Returns the position of the address of our own socket to which a connection would lead, if any.
std::optional<SourcePosition> OwnSocketAt(const ttrpc::Address& address, const ReadScope& scope) {
  using Kind = ttrpc::Address::Kind;
  const bool hybrid = address.kind() == Kind::kHybridVsock;
  const auto own =
      scope.own_addresses.find(hybrid ? "unix://" + address.name() : address.ToString());
  if (own != scope.own_addresses.end()) return own->second;
  if (!hybrid && address.kind() != Kind::kUnixPath) return std::nullopt;
  return FrontBaseAround(address.name(), scope);
}

// Parses one address. `what` begins the error messages: `address is "unix:x"`.
std::optional<ttrpc::Address> ParseAddress(const toml::node& value, const std::string& what,
                                           TableReader* in, ReadScope* scope) {
  if (StringOf(value) == kDiscovered) {
    in->Error(PositionOf(value),
              what + ", which has no fixed address; use address = \"discovered\"");
    return std::nullopt;
  }
  if (StringOf(value).starts_with("systemd:")) {
    in->Error(PositionOf(value),
              what + ", which only a [[listener]] can use; " + std::string(kAddressAdvice));
    return std::nullopt;
  }
  auto address = ttrpc::Address::Parse(StringOf(value));
  if (!address) {
    in->Error(PositionOf(value), what + ", which is not valid: " + address.error().message());
    return std::nullopt;
  }
  if (const auto own = OwnSocketAt(*address, *scope)) {
    in->Error(PositionOf(value), what + ", where the daemon itself listens (" + own->ToString() +
                                     "); use the address of another server");
  }
  return *std::move(address);
}

bool IsDiscovered(const TableReader& in) {
  const auto entry = in.Peek("address");
  return entry && StringOf(entry->value) == kDiscovered;
}

void ReadAddress(TableReader* in, ReadScope* scope, std::vector<ttrpc::Address>* out) {
  const auto entry = in->Find("address");
  if (!entry || IsDiscovered(*in)) return;
  const toml::node& value = entry->value;
  if (!value.is_string()) return in->Wrong(*entry, kAddressAdvice);
  auto address = ParseAddress(value, "address is " + QuoteShort(StringOf(value)), in, scope);
  if (address) out->push_back(*std::move(address));
}

void ReadAddresses(TableReader* in, ReadScope* scope, std::vector<ttrpc::Address>* out) {
  const auto* list = in->FindStrings("addresses", "use an array of one or more addresses");
  if (list == nullptr) return;
  for (const toml::node& value : *list) {
    const std::string what = "addresses contains " + QuoteShort(StringOf(value));
    auto address = ParseAddress(value, what, in, scope);
    if (!address) continue;
    // The same address may have been listed in another spelling.
    if (std::find(out->begin(), out->end(), *address) != out->end())
      in->Error(PositionOf(value), what + " twice; remove one of the two");
    out->push_back(*std::move(address));
  }
}

// Reads `address` or `addresses`. A backend must have exactly one of them.
std::vector<ttrpc::Address> ReadEitherAddress(TableReader* in, ReadScope* scope) {
  std::vector<ttrpc::Address> addresses;
  ReadAddress(in, scope, &addresses);
  ReadAddresses(in, scope, &addresses);
  const auto list = in->Peek("addresses");
  const bool single = in->Peek("address").has_value();
  if (single && list) {
    in->Error(PositionOf(list->key), "address and addresses are both set; remove one of them");
  } else if (!single && !list) {
    in->Error(in->position(), "[[backend]] has neither address nor addresses; add one of them");
  }
  return addresses;
}

BackendConfig::Balance ReadBalance(TableReader* in) {
  auto balance = BackendConfig::Balance::kFirstAvailable;
  in->ReadWord("balance", kBalanceWords, &balance);
  const auto entry = in->Peek("balance");
  if (entry && !in->Peek("addresses"))
    in->Error(PositionOf(entry->key),
              "balance is set without addresses; remove it, or use addresses");
  return balance;
}

std::vector<uid_t> DefaultUsers() {
  std::vector<uid_t> users = {0};
  if (geteuid() != 0) users.push_back(geteuid());
  return users;
}

// Refuses `users` with a vsock address. The owner of a vsock port is unknown, so the key would
// promise a check that is never made.
IdSet ReadUsers(const std::vector<ttrpc::Address>& addresses, TableReader* in, ReadScope* scope) {
  IdSet users = ReadIdList("users", IdKind::kUser, in, scope);
  const auto entry = in->Peek("users");
  const auto vsock = std::find_if(addresses.begin(), addresses.end(),
                                  [](const ttrpc::Address& a) { return !a.is_unix(); });
  if (entry && vsock != addresses.end()) {
    in->Error(PositionOf(entry->key),
              "users is set, but the owner of " + vsock->ToString() +
                  " cannot be checked; remove users, or use only Unix sockets");
  }
  if (users.empty()) users.exact = DefaultUsers();
  return users;
}

BackendConfig::Connections ReadConnections(TableReader* in) {
  auto connections = BackendConfig::Connections::kPerPeer;
  in->ReadWord("connections", kConnectionsWords, &connections);
  const auto entry = in->Peek("connections");
  if (entry && IsDiscovered(*in) && connections == BackendConfig::Connections::kPerUser) {
    in->Wrong(*entry, "a discovered backend has a connection for each peer, so remove it");
  }
  return connections;
}

// Records a backend with address = "discovered" for the rules that lead to it.
void RecordDiscovered(const std::string& name, const TableReader& in, ReadScope* scope) {
  const auto index = scope->backends.Find(name);
  if (!index || !IsDiscovered(in)) return;
  std::optional<SourcePosition> on_disconnect;
  if (const auto entry = in.Peek("on_disconnect")) on_disconnect = PositionOf(entry->key);
  scope->discovered.emplace(*index, std::move(on_disconnect));
}

// Refuses 0, which would end every connect(2) before it succeeds. "0" does not mean "never" here,
// since every wait has a deadline.
void ReadConnectTimeout(TableReader* in, Duration* out) {
  in->ReadDuration("connect_timeout", out);
  const auto entry = in->Peek("connect_timeout");
  if (entry && *out == Duration{0}) in->Wrong(*entry, "use a duration longer than 0");
}

}  // namespace

std::optional<BackendConfig> ReadBackend(const toml::table& table, ReadScope* scope) {
  TableReader in("[[backend]]", {&table}, &scope->errors);
  std::string name = scope->backends.Declare(&in);
  auto addresses = ReadEitherAddress(&in, scope);
  const auto balance = ReadBalance(&in);
  IdSet users = ReadUsers(addresses, &in, scope);
  const auto connections = ReadConnections(&in);
  Duration connect_timeout = std::chrono::seconds(1);
  ReadConnectTimeout(&in, &connect_timeout);
  Duration wait{0};
  in.ReadDuration("wait", &wait);
  // Losing a shared connection fails only the calls on it; the peers stay connected.
  auto on_disconnect = connections == BackendConfig::Connections::kPerPeer
                           ? BackendConfig::OnDisconnect::kClosePeers
                           : BackendConfig::OnDisconnect::kFailCalls;
  in.ReadWord("on_disconnect", kOnDisconnectWords, &on_disconnect);
  bool forward_identity = false;
  in.ReadBool("forward_identity", &forward_identity);
  in.Finish();
  RecordDiscovered(name, in, scope);
  const bool discovered = IsDiscovered(in);
  if (addresses.empty() && !discovered) return std::nullopt;
  return BackendConfig{.name = std::move(name),
                       .discovered = discovered,
                       .addresses = std::move(addresses),
                       .balance = balance,
                       .users = std::move(users.exact),
                       .user_names = std::move(users.names),
                       .connect_timeout = connect_timeout,
                       .wait = wait,
                       .connections = connections,
                       .on_disconnect = on_disconnect,
                       .forward_identity = forward_identity,
                       .position = in.position()};
}

}  // namespace proxyd
