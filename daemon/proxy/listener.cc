// SPDX-License-Identifier: Apache-2.0
#include "proxy/listener.h"

#include <event2/event.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace proxyd {

namespace {

// Then those who are connected have their turn.
constexpr int kAcceptsPerTurn = 16;
// Nothing tells when a descriptor is free, here or elsewhere in the system.
constexpr auto kPause = std::chrono::milliseconds(100);

}  // namespace

Listener::Listener(ttrpc::IoLoop& loop, std::string name, ListeningSocket socket,
                   AcceptFunction accept)
    : name_(std::move(name)),
      socket_(std::move(socket)),
      accept_(std::move(accept)),
      pause_(loop, [this] { GoOn(); }) {
  event_.reset(event_new(
      loop.base(), socket_.fd(), EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<Listener*>(self)->AcceptSome(); },
      this));
  event_add(event_.get(), nullptr);
}

Listener::~Listener() = default;

void Listener::AcceptSome() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    ttrpc::UniqueFd peer(::accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (peer) {
      if (std::exchange(paused_, false)) spdlog::info("listener \"{}\": accepting again", name_);
      accept_(std::move(peer));
      continue;
    }
    // ECONNABORTED is about one connection, which is gone.
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EAGAIN) Pause(errno);
    return;
  }
}

void Listener::Pause(int error_number) {
  if (!std::exchange(paused_, true)) {
    spdlog::warn("listener \"{}\": cannot accept, connections wait: {}", name_,
                 std::generic_category().message(error_number));
  }
  event_del(event_.get());
  pause_.Start(kPause);
}

void Listener::GoOn() { event_add(event_.get(), nullptr); }

}  // namespace proxyd
