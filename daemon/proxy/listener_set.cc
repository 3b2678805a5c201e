// SPDX-License-Identifier: Apache-2.0
#include "proxy/listener_set.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
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

Result<ListenerSet::Change> ListenerSet::Prepare(const Config& after, PassedSockets* passed) {
  Change change;
  for (size_t i = 0; i < after.listeners.size(); ++i) {
    const ListenerConfig& listener = after.listeners[i];
    const size_t kept = change.kept_.size();
    if (Status status = Keep(i, listener, &change); !status.ok()) return Named(listener, status);
    if (change.kept_.size() > kept) continue;
    if (const auto* address = std::get_if<Address>(&listener.address)) {
      auto socket = ListeningSocket::Create(OptionsOf(*address, listener.access));
      if (!socket) return Named(listener, socket.error());
      change.made_.push_back({.index = i, .socket = std::move(*socket)});
    } else {
      const std::string& name = std::get<PassedSocket>(listener.address).name;
      if (Status status = TakePassed(i, name, passed, &change); !status.ok())
        return Named(listener, status);
    }
  }
  return change;
}

Status ListenerSet::Keep(size_t index, const ListenerConfig& after, Change* change) {
  for (const auto& listener : listeners_) {
    const ListenerConfig& before = listener->config();
    if (before.address != after.address) continue;
    change->kept_.push_back({.listener = listener.get(), .index = index, .undo = nullptr});
    if (before.access == after.access) continue;
    const auto access = AccessOfListener(after);
    if (!access) continue;
    change->kept_.back().undo = AccessOfListener(before);
    if (Status status = listener->SetAccess(*access); !status.ok()) return status;
  }
  return {};
}

Status ListenerSet::TakePassed(size_t index, const std::string& name, PassedSockets* passed,
                               Change* change) {
  const auto [first, last] = passed->equal_range(name);
  if (first == last)
    return {ttrpc::StatusCode::kNotFound, "no socket was passed with FileDescriptorName=" + name};
  for (auto entry = first; entry != last; ++entry) {
    auto socket = ListeningSocket::Adopt(std::move(entry->second));
    if (!socket)
      return {socket.error().code(), "systemd:" + name + ": " + socket.error().message()};
    change->made_.push_back({.index = index, .socket = std::move(*socket)});
  }
  passed->erase(first, last);
  return {};
}

void ListenerSet::Commit(Change change, const Config& after) {
  std::vector<std::unique_ptr<Listener>> next;
  for (Change::Kept& kept : change.kept_) {
    kept.undo.reset();
    kept.listener->Become(kept.index, after.listeners[kept.index]);
    const auto own = std::find_if(listeners_.begin(), listeners_.end(),
                                  [&kept](const auto& old) { return old.get() == kept.listener; });
    next.push_back(std::move(*own));
  }
  for (Change::Made& made : change.made_) {
    const ListenerConfig& config = after.listeners[made.index];
    next.push_back(
        std::make_unique<Listener>(loop_, made.index, config, std::move(made.socket), accept_));
    spdlog::info("listener \"{}\": {}", config.name, ToString(config.address));
  }
  listeners_ = std::move(next);
}

}  // namespace proxyd
