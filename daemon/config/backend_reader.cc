// SPDX-License-Identifier: Apache-2.0
//
// [[backend]].
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

constexpr std::string_view kExpectedAddress =
    "unix:///abs/path, unix-abstract:name, vsock:CID:PORT or hvsock:///abs/path:PORT";

// As `what` has it, for messages.
std::optional<ttrpc::Address> ParseAddress(const toml::node& value, const std::string& what,
                                           TableReader* in, ReadScope* scope) {
  if (StringOf(value) == "discovered") {
    in->Error(PositionOf(value), what + ", and discovered is not supported yet");
    return std::nullopt;
  }
  if (StringOf(value).starts_with("systemd:")) {
    in->Error(PositionOf(value), what + ", expected systemd: only in [[listener]]");
    return std::nullopt;
  }
  auto address = ttrpc::Address::Parse(StringOf(value));
  if (!address) {
    in->Error(PositionOf(value), what + ": " + address.error().message());
    return std::nullopt;
  }
  const bool hybrid = address->kind() == ttrpc::Address::Kind::kHybridVsock;
  const auto own =
      scope->own_addresses.find(hybrid ? "unix://" + address->name() : address->ToString());
  if (own != scope->own_addresses.end()) {
    in->Error(PositionOf(value),
              what + ", which stands at " + own->second.ToString() +
                  " as our own, expected another: calls would come back for ever");
  }
  return *std::move(address);
}

void ReadAddress(TableReader* in, ReadScope* scope, std::vector<ttrpc::Address>* out) {
  const auto entry = in->Find("address");
  if (!entry) return;
  const toml::node& value = entry->value;
  if (!value.is_string()) return in->Wrong(*entry, kExpectedAddress);
  auto address = ParseAddress(value, "address is " + QuoteShort(StringOf(value)), in, scope);
  if (address) out->push_back(*std::move(address));
}

void ReadAddresses(TableReader* in, ReadScope* scope, std::vector<ttrpc::Address>* out) {
  const auto* list = in->FindStrings("addresses", "an array of addresses");
  if (list == nullptr) return;
  for (const toml::node& value : *list) {
    const std::string what = "addresses has " + QuoteShort(StringOf(value)) + " in it";
    auto address = ParseAddress(value, what, in, scope);
    if (!address) continue;
    // In another spelling.
    if (std::find(out->begin(), out->end(), *address) != out->end())
      in->Error(PositionOf(value), what + " twice, expected each once");
    out->push_back(*std::move(address));
  }
}

// From `address` or `addresses`, one of which must be there.
std::vector<ttrpc::Address> ReadEitherAddress(TableReader* in, ReadScope* scope) {
  std::vector<ttrpc::Address> addresses;
  ReadAddress(in, scope, &addresses);
  ReadAddresses(in, scope, &addresses);
  const auto list = in->Peek("addresses");
  const bool single = in->Peek("address").has_value();
  if (single && list) {
    in->Error(PositionOf(list->key), "addresses stands with address, expected one of them");
  } else if (!single && !list) {
    in->Error(in->position(),
              "[[backend]] has neither address nor addresses, expected one of them");
  }
  return addresses;
}

BackendConfig::Balance ReadBalance(TableReader* in) {
  auto balance = BackendConfig::Balance::kFirstAvailable;
  in->ReadWord("balance", kBalanceWords, &balance);
  const auto entry = in->Peek("balance");
  if (entry && !in->Peek("addresses"))
    in->Error(PositionOf(entry->key),
              "balance stands without addresses, expected it only with them");
  return balance;
}

std::vector<uid_t> DefaultUsers() {
  std::vector<uid_t> users = {0};
  if (geteuid() != 0) users.push_back(geteuid());
  return users;
}

// A gate: whose a vsock port is cannot be known, so `users` would promise what is not checked.
IdSet ReadUsers(const std::vector<ttrpc::Address>& addresses, TableReader* in, ReadScope* scope) {
  IdSet users = ReadIdList("users", IdKind::kUser, in, scope);
  const auto entry = in->Peek("users");
  const auto vsock = std::find_if(addresses.begin(), addresses.end(),
                                  [](const ttrpc::Address& a) { return !a.is_unix(); });
  if (entry && vsock != addresses.end()) {
    in->Error(PositionOf(entry->key),
              "users stands with " + vsock->ToString() +
                  ", expected it only with Unix sockets: nobody can tell who "
                  "listens there");
  }
  if (users.empty()) users.exact = DefaultUsers();
  return users;
}

// Every wait has a deadline, and a connect(2) that is out of time at once never succeeds.
void ReadConnectTimeout(TableReader* in, Duration* out) {
  in->ReadDuration("connect_timeout", out);
  const auto entry = in->Peek("connect_timeout");
  if (entry && *out == Duration{0}) in->Wrong(*entry, "more than 0");
}

}  // namespace

std::optional<BackendConfig> ReadBackend(const toml::table& table, ReadScope* scope) {
  TableReader in("[[backend]]", {&table}, &scope->errors);
  std::string name = scope->backends.Declare(&in);
  auto addresses = ReadEitherAddress(&in, scope);
  const auto balance = ReadBalance(&in);
  IdSet users = ReadUsers(addresses, &in, scope);
  auto connections = BackendConfig::Connections::kPerPeer;
  in.ReadWord("connections", kConnectionsWords, &connections);
  Duration connect_timeout = std::chrono::seconds(1);
  ReadConnectTimeout(&in, &connect_timeout);
  Duration wait{0};
  in.ReadDuration("wait", &wait);
  // Whose calls are on a connection of all the user's peers is nobody's but theirs.
  auto on_disconnect = connections == BackendConfig::Connections::kPerPeer
                           ? BackendConfig::OnDisconnect::kClosePeers
                           : BackendConfig::OnDisconnect::kFailCalls;
  in.ReadWord("on_disconnect", kOnDisconnectWords, &on_disconnect);
  bool forward_identity = false;
  in.ReadBool("forward_identity", &forward_identity);
  in.Finish();
  if (addresses.empty()) return std::nullopt;
  return BackendConfig{.name = std::move(name),
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
