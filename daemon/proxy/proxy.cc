// SPDX-License-Identifier: Apache-2.0
#include "proxy/proxy.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "ttrpc/unix_credentials.h"

namespace proxyd {

namespace {
// After drain_timeout, for peers to take the answers that say so.
constexpr auto kLastMoment = std::chrono::seconds(1);
}  // namespace

Proxy::Proxy(event_base* base, const Config& config, Audit& audit)
    : config_(config),
      policy_(config, {.uid = ttrpc::OverflowUid(), .gid = ttrpc::OverflowGid()}),
      worker_(base,
              {.config = config, .policy = policy_, .audit = audit, .accounting = accounting_}),
      drain_timer_(worker_.loop(),
                   [this] {
                     spdlog::warn("drain timeout: what is left is answered and closed");
                     worker_.EndDrain();
                     last_moment_.Start(kLastMoment);
                   }),
      last_moment_(worker_.loop(), [this] { worker_.Close(); }) {}

Proxy::~Proxy() = default;

ttrpc::Status Proxy::Listen(PassedSockets* passed) {
  for (size_t i = 0; i < config_.listeners.size(); ++i) {
    const ListenerConfig& listener = config_.listeners[i];
    const auto* own = std::get_if<ttrpc::Address>(&listener.address);
    const ttrpc::Status status =
        own != nullptr ? ListenAt(i, *own)
                       : ListenOnPassed(i, std::get<PassedSocket>(listener.address).name, passed);
    if (!status.ok()) {
      listeners_.clear();
      return {status.code(), "listener \"" + listener.name + "\": " + status.message()};
    }
    spdlog::info("listener \"{}\": {}", listener.name, ToString(listener.address));
  }
  return {};
}

ttrpc::Status Proxy::ListenAt(size_t index, const ttrpc::Address& address) {
  const ListenerConfig& listener = config_.listeners[index];
  ttrpc::ListeningSocketOptions options(address);
  options.owner = listener.owner;
  options.group = listener.group;
  options.mode = listener.mode;
  auto socket = ttrpc::ListeningSocket::Create(options);
  if (!socket) return socket.error();
  Serve(index, std::move(*socket));
  return {};
}

ttrpc::Status Proxy::ListenOnPassed(size_t index, const std::string& name, PassedSockets* passed) {
  const auto [first, last] = passed->equal_range(name);
  if (first == last)
    return {ttrpc::StatusCode::kNotFound, "no socket was passed with FileDescriptorName=" + name};
  for (auto entry = first; entry != last; ++entry) {
    auto socket = ttrpc::ListeningSocket::Adopt(std::move(entry->second));
    if (!socket)
      return {socket.error().code(), "systemd:" + name + ": " + socket.error().message()};
    Serve(index, std::move(*socket));
  }
  passed->erase(first, last);
  return {};
}

void Proxy::Serve(size_t index, ttrpc::ListeningSocket socket) {
  listeners_.push_back(std::make_unique<Listener>(
      worker_.loop(), config_.listeners[index].name, std::move(socket),
      [this, index](ttrpc::UniqueFd peer) { worker_.Accept(index, std::move(peer)); }));
}

void Proxy::Drain(std::function<void()> done) {
  drained_ = std::move(done);
  listeners_.clear();
  drain_timer_.Start(config_.drain_timeout);
  worker_.Drain([this] { Finish(); });
}

void Proxy::Finish() {
  drain_timer_.Stop();
  last_moment_.Stop();
  if (drained_) std::exchange(drained_, nullptr)();
}

}  // namespace proxyd
