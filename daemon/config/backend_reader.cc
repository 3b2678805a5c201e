// SPDX-License-Identifier: Apache-2.0
//
// [[backend]].
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "config/ids.h"
#include "config/quote.h"
#include "config/readers.h"

namespace proxyd {
namespace {

std::optional<ttrpc::Address> ReadAddress(TableReader* in, ReadScope* scope) {
  constexpr std::string_view kExpected = "unix:///abs/path or unix-abstract:name";
  const TomlEntry* entry = in->Require("address", kExpected);
  if (entry == nullptr) return std::nullopt;
  const TomlValue& value = entry->value;
  if (value.kind != TomlValue::Kind::kString) {
    in->Wrong(*entry, kExpected);
    return std::nullopt;
  }
  const std::string what = "address is " + QuoteShort(value.string);
  for (const std::string_view later : {"vsock:", "hvsock:", "discovered"}) {
    if (value.string.starts_with(later)) {
      in->Error(value.position, what + ", and " + std::string(later) + " is not supported yet");
      return std::nullopt;
    }
  }
  if (value.string.starts_with("systemd:")) {
    in->Error(value.position, what + ", expected systemd: only in [[listener]]");
    return std::nullopt;
  }
  auto address = ttrpc::Address::Parse(value.string);
  if (!address) {
    in->Error(value.position, what + ": " + address.error().message());
    return std::nullopt;
  }
  const auto listener = scope->listener_addresses.find(address->ToString());
  if (listener != scope->listener_addresses.end()) {
    in->Error(value.position, what + ", which the listener at " + listener->second.ToString() +
                                  " has, expected another: calls would come back for ever");
  }
  return *std::move(address);
}

// Every wait has a deadline, and a connect(2) that is out of time at once never succeeds.
void ReadConnectTimeout(TableReader* in, Duration* out) {
  in->ReadDuration("connect_timeout", out);
  const TomlEntry* entry = in->Peek("connect_timeout");
  if (entry != nullptr && *out == Duration{0}) in->Wrong(*entry, "more than 0");
}

std::vector<uid_t> DefaultUsers() {
  std::vector<uid_t> users = {0};
  if (geteuid() != 0) users.push_back(geteuid());
  return users;
}

}  // namespace

std::optional<BackendConfig> ReadBackend(const TomlValue& table, ReadScope* scope) {
  TableReader in("[[backend]]", table, &scope->errors);
  std::string name = scope->backends.Declare(&in);
  auto address = ReadAddress(&in, scope);
  std::vector<uid_t> users = ReadIdList("users", IdKind::kUser, &in, scope);
  if (users.empty()) users = DefaultUsers();
  auto connections = BackendConfig::Connections::kPerPeer;
  in.ReadWord("connections", kConnectionsWords, &connections);
  Duration connect_timeout = std::chrono::seconds(1);
  ReadConnectTimeout(&in, &connect_timeout);
  // Whose calls are on a connection of all the user's peers is nobody's but theirs.
  auto on_disconnect = connections == BackendConfig::Connections::kPerPeer
                           ? BackendConfig::OnDisconnect::kClosePeers
                           : BackendConfig::OnDisconnect::kFailCalls;
  in.ReadWord("on_disconnect", kOnDisconnectWords, &on_disconnect);
  bool forward_identity = false;
  in.ReadBool("forward_identity", &forward_identity);
  in.NotSupportedYet({"wait", "addresses", "balance"});
  in.Finish();
  if (!address) return std::nullopt;
  return BackendConfig{.name = std::move(name),
                       .address = *std::move(address),
                       .users = std::move(users),
                       .connect_timeout = connect_timeout,
                       .connections = connections,
                       .on_disconnect = on_disconnect,
                       .forward_identity = forward_identity,
                       .position = in.position()};
}

}  // namespace proxyd
