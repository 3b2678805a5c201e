// SPDX-License-Identifier: Apache-2.0
#include "proxy/listener.h"

#include <spdlog/spdlog.h>

#include <system_error>
#include <utility>

namespace proxyd {

Listener::Listener(ttrpc::IoLoop& loop, size_t index, const ListenerConfig& config,
                   ttrpc::ListeningSocket socket, AcceptFunction accept)
    : index_(index),
      config_(config),
      accept_(std::move(accept)),
      socket_(std::move(socket)),
      acceptor_(loop, socket_.fd(), Callbacks()) {}

Listener::~Listener() = default;

void Listener::Become(size_t index, const ListenerConfig& config) {
  index_ = index;
  config_ = config;
}

ttrpc::AcceptorCallbacks Listener::Callbacks() {
  ttrpc::AcceptorCallbacks callbacks;
  callbacks.accepted = [this](ttrpc::UniqueFd socket) { accept_(index_, std::move(socket)); };
  callbacks.paused = [this](int error_number) {
    if (error_number == 0) {
      spdlog::info("listener \"{}\": accepting again", config_.name);
    } else {
      spdlog::warn("listener \"{}\": cannot accept, connections wait: {}", config_.name,
                   std::generic_category().message(error_number));
    }
  };
  return callbacks;
}

}  // namespace proxyd
