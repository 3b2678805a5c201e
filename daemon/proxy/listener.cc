// SPDX-License-Identifier: Apache-2.0
#include "proxy/listener.h"

#include <spdlog/spdlog.h>

#include <system_error>

namespace proxyd {

void LogPause(const std::string& label, int error_number) {
  if (error_number == 0) {
    spdlog::info("{}: accepting again", label);
  } else {
    spdlog::warn("{}: cannot accept connections: {}; clients wait in the queue", label,
                 std::generic_category().message(error_number));
  }
}

Listener::Listener(ttrpc::IoLoop& loop, const ListenerCallbacks& callbacks, SocketConfig config,
                   BoundSocket socket)
    : loop_(loop),
      callbacks_(callbacks),
      config_(std::move(config)),
      socket_(std::move(socket)),
      acceptor_(std::make_unique<ttrpc::Acceptor>(loop, socket_.fd(), Callbacks())) {}

Listener::~Listener() = default;

void Listener::SetAccepting(bool accepting) {
  if (!accepting) {
    acceptor_.reset();
  } else if (!acceptor_) {
    acceptor_ = std::make_unique<ttrpc::Acceptor>(loop_, socket_.fd(), Callbacks());
  }
}

ttrpc::AcceptorCallbacks Listener::Callbacks() {
  ttrpc::AcceptorCallbacks callbacks;
  callbacks.accepted = [this](ttrpc::UniqueFd connected) {
    callbacks_.accepted(config_.index, std::move(connected));
  };
  callbacks.paused = [this](int error_number) {
    if (callbacks_.paused) callbacks_.paused(config_.label, error_number);
  };
  return callbacks;
}

}  // namespace proxyd
