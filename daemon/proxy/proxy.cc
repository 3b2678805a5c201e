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

ttrpc::Status Proxy::Listen() {
  for (size_t i = 0; i < config_.listeners.size(); ++i) {
    const ListenerConfig& listener = config_.listeners[i];
    ttrpc::ListeningSocketOptions options(listener.address);
    options.owner = listener.owner;
    options.group = listener.group;
    options.mode = listener.mode;
    auto socket = ttrpc::ListeningSocket::Create(options);
    if (!socket) {
      listeners_.clear();
      return {socket.error().code(),
              "listener \"" + listener.name + "\": " + socket.error().message()};
    }
    listeners_.push_back(std::make_unique<Listener>(
        worker_.loop(), listener.name, std::move(*socket),
        [this, i](ttrpc::UniqueFd peer) { worker_.Accept(i, std::move(peer)); }));
    spdlog::info("listener \"{}\": {}", listener.name, listener.address.ToString());
  }
  return {};
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
