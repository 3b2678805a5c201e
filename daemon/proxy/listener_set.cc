// SPDX-License-Identifier: Apache-2.0
#include "proxy/listener_set.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace proxyd {

using ttrpc::ListeningSocket;
using ttrpc::Result;
using ttrpc::Status;

namespace {

Status Named(const SocketConfig& config, const Status& status) {
  return {status.code(), config.label + ": " + status.message()};
}

}  // namespace

ListenerSet::Change::~Change() {
  for (const Kept& kept : kept_) {
    if (!kept.undo) continue;
    if (const Status status = kept.listener->SetAccess(*kept.undo); !status.ok())
      spdlog::error("{}: cannot restore its owner and mode: {}", kept.listener->config().label,
                    status.message());
  }
}

ListenerSet::ListenerSet(ttrpc::IoLoop& loop, ListenerCallbacks callbacks)
    : loop_(loop), callbacks_(std::move(callbacks)) {}

std::vector<std::string> ListenerSet::addresses() const {
  std::vector<std::string> addresses;
  addresses.reserve(listeners_.size());
  for (const auto& listener : listeners_) addresses.push_back(AddressOf(listener->config()));
  return addresses;
}

std::vector<ListenerSet::Here> ListenerSet::here() const {
  std::vector<Here> here;
  here.reserve(listeners_.size() + idle_.size());
  for (const auto& listener : listeners_)
    here.push_back({.address = AddressOf(listener->config()), .files = listener->files()});
  for (const auto& [address, socket] : idle_)
    here.push_back({.address = address, .files = std::nullopt});
  return here;
}

Result<ListenerSet::NewSockets> ListenerSet::Make(const std::vector<Here>& here,
                                                  const std::vector<SocketConfig>& after,
                                                  PassedSockets* passed) {
  std::unordered_map<std::string_view, const Here*> by_address;
  for (const Here& socket : here) by_address.emplace(socket.address, &socket);
  NewSockets made;
  for (const SocketConfig& config : after) {
    const auto found = by_address.find(AddressOf(config));
    Status status = found == by_address.end() ? MakeOne(config, passed, &made)
                                              : RemakeIfGone(config, *found->second, &made);
    if (!status.ok()) return Named(config, status);
  }
  return made;
}

Status ListenerSet::RemakeIfGone(const SocketConfig& config, const Here& here, NewSockets* made) {
  if (!here.files) return {};
  auto socket = BoundSocket::Remake(config, *here.files);
  if (!socket) return socket.error();
  if (*socket) made->made_.push_back({.config = config, .socket = **std::move(socket)});
  return {};
}

Status ListenerSet::MakeOne(const SocketConfig& config, PassedSockets* passed, NewSockets* made) {
  const auto* from_manager = std::get_if<PassedSocket>(&config.address);
  if (from_manager == nullptr) {
    auto socket = BoundSocket::Make(config);
    if (!socket) return socket.error();
    made->made_.push_back({.config = config, .socket = *std::move(socket)});
    return {};
  }
  const std::string& name = from_manager->name;
  const auto [first, last] = passed->equal_range(name);
  if (first == last)
    return {ttrpc::StatusCode::kNotFound,
            "no socket was passed with FileDescriptorName=" + name +
                "; set it in the .socket unit, then restart that unit and the service"};
  for (auto entry = first; entry != last; ++entry) {
    auto socket = ListeningSocket::Adopt(std::move(entry->second));
    if (!socket)
      return {socket.error().code(), "systemd:" + name + ": " + socket.error().message()};
    made->made_.push_back({.config = config, .socket = BoundSocket(*std::move(socket))});
  }
  passed->erase(first, last);
  return {};
}

Result<ListenerSet::Change> ListenerSet::Prepare(const std::vector<SocketConfig>& after,
                                                 NewSockets made) {
  std::unordered_map<std::string, const SocketConfig*> by_address;
  for (const SocketConfig& config : after) by_address.emplace(AddressOf(config), &config);
  std::unordered_set<std::string> remade;
  for (const NewSockets::Made& socket : made.made_) remade.insert(AddressOf(socket.config));
  Change change;
  change.made_ = std::move(made);
  for (const SocketConfig& config : after) {
    if (idle_.count(AddressOf(config)) > 0) change.resumed_.push_back(config);
  }
  for (const auto& listener : listeners_) {
    const SocketConfig& before = listener->config();
    const auto found = by_address.find(AddressOf(before));
    if (found == by_address.end() || remade.count(found->first) > 0) continue;
    const SocketConfig& next = *found->second;
    Change::Kept& kept = change.kept_.emplace_back(
        Change::Kept{.listener = listener.get(), .next = next, .undo = nullptr});
    const auto access = before.access == next.access ? nullptr : AccessOf(next);
    if (!access) continue;
    kept.undo = AccessOf(before);
    if (Status status = listener->SetAccess(*access); !status.ok()) return Named(next, status);
  }
  return change;
}

Result<ListenerSet::Change> ListenerSet::Prepare(const std::vector<SocketConfig>& after) {
  PassedSockets none;
  auto made = Make(here(), after, &none);
  if (!made) return made.error();
  return Prepare(after, *std::move(made));
}

std::vector<BoundSocket> ListenerSet::Commit(Change change) {
  std::unordered_map<const Listener*, std::unique_ptr<Listener>*> old;
  for (auto& listener : listeners_) old[listener.get()] = &listener;
  std::vector<std::unique_ptr<Listener>> next;
  next.reserve(change.kept_.size() + change.made_.size() + idle_.size());
  for (Change::Kept& kept : change.kept_) {
    kept.undo.reset();
    kept.listener->Become(std::move(kept.next));
    next.push_back(std::move(*old.at(kept.listener)));
  }
  for (NewSockets::Made& made : change.made_.made_)
    Listen(&next, std::move(made.config), std::move(made.socket));
  for (const SocketConfig& config : change.resumed_) {
    const auto [first, last] = idle_.equal_range(AddressOf(config));
    for (auto idle = first; idle != last; ++idle) Listen(&next, config, std::move(idle->second));
    idle_.erase(first, last);
  }
  std::vector<BoundSocket> gone;
  for (const auto& listener : listeners_) {
    if (!listener) continue;
    if (std::holds_alternative<PassedSocket>(listener->config().address)) {
      idle_.emplace(AddressOf(listener->config()), listener->TakeSocket());
    } else {
      gone.push_back(listener->TakeSocket());
    }
  }
  listeners_ = std::move(next);
  return gone;
}

void ListenerSet::Listen(std::vector<std::unique_ptr<Listener>>* listeners, SocketConfig config,
                         BoundSocket socket) {
  spdlog::info("{}: listening on {}", config.label, AddressOf(config));
  listeners->push_back(
      std::make_unique<Listener>(loop_, callbacks_, std::move(config), std::move(socket)));
  listeners->back()->SetAccepting(accepting_);
}

void ListenerSet::Clear() {
  listeners_.clear();
  idle_.clear();
}

std::vector<BoundSocket> ListenerSet::CommitAndLog(Change change) {
  std::vector<std::string> labels;
  for (const auto& listener : listeners_) labels.push_back(listener->config().label);
  std::vector<BoundSocket> gone = Commit(std::move(change));
  for (const auto& listener : listeners_) std::erase(labels, listener->config().label);
  for (const std::string& label : labels) spdlog::info("{}: removed", label);
  return gone;
}

void ListenerSet::SetAccepting(bool accepting) {
  accepting_ = accepting;
  for (const auto& listener : listeners_) listener->SetAccepting(accepting);
}

}  // namespace proxyd
