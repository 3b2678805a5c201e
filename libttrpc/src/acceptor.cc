// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/acceptor.h"

#include <event2/event.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "io_loop_core.h"

namespace ttrpc {

namespace {

// These limits apply to all acceptors of a loop in one wake-up. Then the connected peers have their
// turn.
constexpr auto kTimePerTurn = std::chrono::milliseconds(1);
constexpr int kAcceptsPerTurn = 16;
// The pause is fixed because nothing signals that a descriptor has become free.
constexpr auto kPause = std::chrono::milliseconds(100);

}  // namespace

Acceptor::Acceptor(IoLoop& loop, int socket, AcceptorCallbacks callbacks)
    : loop_(loop),
      socket_(socket),
      callbacks_(std::move(callbacks)),
      pause_(loop, [this] { GoOn(); }) {
  if (EventPtr& accept = loop.core_->accept_event(); !accept) {
    accept.reset(event_new(
        loop.base(), -1, 0,
        [](evutil_socket_t, short, void* self) { AcceptSome(*static_cast<IoLoop*>(self)); },
        &loop));
  }
  event_.reset(event_new(
      loop.base(), socket_, EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<Acceptor*>(self)->AcceptSoon(); },
      this));
  GoOn();
}

Acceptor::~Acceptor() {
  if (destroyed_ != nullptr) *destroyed_ = true;
}

// event_active() runs the event once, after all sockets that the same wake-up found ready. An
// acceptor whose turn does not come then keeps its place, and the next wake-up finds its socket
// ready again.
void Acceptor::AcceptSoon() {
  if (alone()) loop_.core_->accepting().InsertBefore(this);
  event_active(loop_.core_->accept_event().get(), EV_TIMEOUT, 0);
}

void Acceptor::AcceptSome(IoLoop& loop) {
  RingNode& accepting = loop.core_->accepting();
  std::chrono::steady_clock::duration spent{0};
  for (int i = 0; i < kAcceptsPerTurn && spent < kTimePerTurn && !accepting.alone(); ++i) {
    auto* const acceptor = static_cast<Acceptor*>(accepting.next);
    acceptor->Leave();
    bool destroyed = false;
    acceptor->destroyed_ = &destroyed;
    const auto start = acceptor->Now();
    const bool more = acceptor->AcceptOne();
    if (destroyed) continue;
    acceptor->destroyed_ = nullptr;
    spent += acceptor->Now() - start;
    if (more) accepting.InsertBefore(acceptor);
  }
}

std::chrono::steady_clock::time_point Acceptor::Now() const {
  return callbacks_.clock ? callbacks_.clock() : std::chrono::steady_clock::now();
}

// Returns false if there is no connection to accept now. May have destroyed this acceptor.
bool Acceptor::AcceptOne() {
  UniqueFd peer(::accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!peer) {
    // ECONNABORTED concerns only one connection, which is gone.
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
  // The kernel may have no memory for the event yet.
  if (event_add(event_.get(), nullptr) != 0) pause_.Start(kPause);
}

}  // namespace ttrpc
