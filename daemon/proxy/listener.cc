// SPDX-License-Identifier: Apache-2.0
#include "proxy/listener.h"

#include <spdlog/spdlog.h>

#include <system_error>
#include <utility>

namespace proxyd {

Listener::Listener(ttrpc::IoLoop& loop, std::string name, ttrpc::ListeningSocket socket,
                   AcceptFunction accept)
    : name_(std::move(name)),
      socket_(std::move(socket)),
      acceptor_(loop, socket_.fd(), CallbacksOf(std::move(accept))) {}

Listener::~Listener() = default;

ttrpc::AcceptorCallbacks Listener::CallbacksOf(AcceptFunction accept) {
  ttrpc::AcceptorCallbacks callbacks;
  callbacks.accepted = std::move(accept);
  callbacks.paused = [this](int error_number) {
    if (error_number == 0) {
      spdlog::info("listener \"{}\": accepting again", name_);
    } else {
      spdlog::warn("listener \"{}\": cannot accept, connections wait: {}", name_,
                   std::generic_category().message(error_number));
    }
  };
  return callbacks;
}

}  // namespace proxyd
