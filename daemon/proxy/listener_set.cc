// SPDX-License-Identifier: Apache-2.0
#include "proxy/listener_set.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace proxyd {

using ttrpc::Address;
using ttrpc::ListeningSocket;
using ttrpc::ListeningSocketOptions;
using ttrpc::Result;
using ttrpc::Status;

ListeningSocketOptions OptionsOf(const Address& address, const SocketAccess& access) {
  ListeningSocketOptions options(address);
  options.owner = access.owner;
  options.group = access.group;
  options.mode = access.mode;
  return options;
}

std::unique_ptr<ListeningSocketOptions> AccessOf(const Address& address,
                                                 const SocketAccess& access) {
  if (address.kind() != Address::Kind::kUnixPath) return nullptr;
  auto options = std::make_unique<ListeningSocketOptions>(OptionsOf(address, access));
  if (!options->owner) options->owner = ::geteuid();
  if (!options->group) options->group = ::getegid();
  return options;
}

namespace {

std::unique_ptr<ListeningSocketOptions> AccessOfListener(const ListenerConfig& listener) {
  const auto* address = std::get_if<Address>(&listener.address);
  return address != nullptr ? AccessOf(*address, listener.access) : nullptr;
}

Status Named(const ListenerConfig& listener, const Status& status) {
  return {status.code(), "listener \"" + listener.name + "\": " + status.message()};
}

}  // namespace

ListenerSet::Change::~Change() {
  for (const Kept& kept : kept_) {
    if (!kept.undo) continue;
    if (const Status status = kept.listener->SetAccess(*kept.undo); !status.ok())
      spdlog::error("listener \"{}\": {}", kept.listener->config().name, status.message());
  }
}

ListenerSet::ListenerSet(ttrpc::IoLoop& loop, AcceptFunction accept)
    : loop_(loop), accept_(std::move(accept)) {}

std::vector<ListenerAddress> ListenerSet::addresses() const {
  std::vector<ListenerAddress> addresses;
  addresses.reserve(listeners_.size());
  for (const auto& listener : listeners_) addresses.push_back(listener->config().address);
  return addresses;
}

Result<ListenerSet::NewSockets> ListenerSet::Make(const std::vector<ListenerAddress>& here,
                                                  const Config& after, PassedSockets* passed) {
  std::unordered_set<std::string> kept;
  for (const ListenerAddress& address : here) kept.insert(ToString(address));
  NewSockets made;
  for (size_t i = 0; i < after.listeners.size(); ++i) {
    const ListenerConfig& listener = after.listeners[i];
    if (kept.count(ToString(listener.address)) > 0) continue;
    if (Status status = MakeOne(listener, i, passed, &made); !status.ok())
      return Named(listener, status);
  }
  return made;
}

Status ListenerSet::MakeOne(const ListenerConfig& listener, size_t index, PassedSockets* passed,
                            NewSockets* made) {
  if (const auto* address = std::get_if<Address>(&listener.address)) {
    auto socket = ListeningSocket::Create(OptionsOf(*address, listener.access));
    if (!socket) return socket.error();
    made->made_.push_back({.index = index, .socket = std::move(*socket)});
    return {};
  }
  const std::string& name = std::get<PassedSocket>(listener.address).name;
  const auto [first, last] = passed->equal_range(name);
  if (first == last)
    return {ttrpc::StatusCode::kNotFound, "no socket was passed with FileDescriptorName=" + name};
  for (auto entry = first; entry != last; ++entry) {
    auto socket = ListeningSocket::Adopt(std::move(entry->second));
    if (!socket)
      return {socket.error().code(), "systemd:" + name + ": " + socket.error().message()};
    made->made_.push_back({.index = index, .socket = std::move(*socket)});
  }
  passed->erase(first, last);
  return {};
}

Result<ListenerSet::Change> ListenerSet::Prepare(const Config& after, NewSockets made) {
  std::unordered_map<std::string, size_t> by_address;
  for (size_t i = 0; i < after.listeners.size(); ++i)
    by_address.emplace(ToString(after.listeners[i].address), i);
  Change change;
  change.made_ = std::move(made);
  for (const auto& listener : listeners_) {
    const auto found = by_address.find(ToString(listener->config().address));
    if (found == by_address.end()) continue;
    Change::Kept& kept = change.kept_.emplace_back(
        Change::Kept{.listener = listener.get(), .index = found->second, .undo = nullptr});
    const ListenerConfig& next = after.listeners[found->second];
    if (Status status = Keep(listener.get(), next, &kept); !status.ok()) return Named(next, status);
  }
  return change;
}

Status ListenerSet::Keep(Listener* listener, const ListenerConfig& after, Change::Kept* kept) {
  if (listener->config().access == after.access) return {};
  const auto access = AccessOfListener(after);
  if (!access) return {};
  kept->undo = AccessOfListener(listener->config());
  return listener->SetAccess(*access);
}

std::vector<ListeningSocket> ListenerSet::Commit(Change change, const Config& after) {
  std::unordered_map<const Listener*, std::unique_ptr<Listener>*> old;
  for (auto& listener : listeners_) old[listener.get()] = &listener;
  std::vector<std::unique_ptr<Listener>> next;
  next.reserve(change.kept_.size() + change.made_.size());
  for (Change::Kept& kept : change.kept_) {
    kept.undo.reset();
    kept.listener->Become(kept.index, after.listeners[kept.index]);
    next.push_back(std::move(*old.at(kept.listener)));
  }
  for (NewSockets::Made& made : change.made_.made_) {
    const ListenerConfig& config = after.listeners[made.index];
    next.push_back(
        std::make_unique<Listener>(loop_, made.index, config, std::move(made.socket), accept_));
    spdlog::info("listener \"{}\": {}", config.name, ToString(config.address));
  }
  std::vector<ListeningSocket> gone;
  for (const auto& listener : listeners_) {
    if (listener) gone.push_back(listener->TakeSocket());
  }
  listeners_ = std::move(next);
  return gone;
}

}  // namespace proxyd
