// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/acceptor.h"

#include <event2/event.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace ttrpc {

namespace {

// Then those who are connected have their turn.
constexpr int kAcceptsPerTurn = 16;
// Nothing tells when a descriptor is free, here or elsewhere in the system.
constexpr auto kPause = std::chrono::milliseconds(100);

}  // namespace

Acceptor::Acceptor(IoLoop& loop, int socket, AcceptorCallbacks callbacks)
    : socket_(socket), callbacks_(std::move(callbacks)), pause_(loop, [this] { GoOn(); }) {
  event_.reset(event_new(
      loop.base(), socket_, EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<Acceptor*>(self)->AcceptSome(); },
      this));
  GoOn();
}

Acceptor::~Acceptor() {
  if (destroyed_ != nullptr) *destroyed_ = true;
}

void Acceptor::AcceptSome() {
  bool destroyed = false;
  destroyed_ = &destroyed;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const bool more = AcceptOne();
    if (destroyed) return;
    if (!more) break;
  }
  destroyed_ = nullptr;
}

// False: there is none to be had now. May have destroyed this.
bool Acceptor::AcceptOne() {
  UniqueFd peer(::accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!peer) {
    // ECONNABORTED is about one connection, which is gone.
    if (errno == EINTR || errno == ECONNABORTED) return true;
    if (errno != EAGAIN) Pause(errno);
    return false;
  }
  const bool* const destroyed = destroyed_;
  if (std::exchange(paused_, false) && callbacks_.paused) callbacks_.paused(0);
  if (!*destroyed) callbacks_.accepted(std::move(peer));
  return true;
}

void Acceptor::Pause(int error_number) {
  event_del(event_.get());
  pause_.Start(kPause);
  if (!std::exchange(paused_, true) && callbacks_.paused) callbacks_.paused(error_number);
}

void Acceptor::GoOn() {
  // The kernel may have no memory for it yet.
  if (event_add(event_.get(), nullptr) != 0) pause_.Start(kPause);
}

}  // namespace ttrpc
