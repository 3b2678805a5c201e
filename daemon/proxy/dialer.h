// SPDX-License-Identifier: Apache-2.0
//
// Dialer: brings one connection to a backend about: tries its addresses in turn, each for at most
// connect_timeout, those that have just failed not at all, and all of them again for as long as
// `wait` lets it while one of them may still appear. It hands out a socket only after its owner was
// checked. On the worker's thread.
#pragma once

#include <functional>
#include <optional>

#include "proxy/backend.h"
#include "proxy/ref.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/connector.h"

namespace proxyd {

class Dialer {
 public:
  // `loop` must outlive it. `done` is called, unless Start() has said it, with the socket, or none
  // if the backend cannot be reached; it must not destroy the dialer.
  Dialer(ttrpc::IoLoop& loop, Ref<Backend> backend, std::function<void(ttrpc::UniqueFd)> done);
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;
  // As Stop().
  ~Dialer() = default;

  // Once. What `done` would be called with, if that is known at once; most often it is.
  std::optional<ttrpc::UniqueFd> Start();
  // Gives up. `done` is not called any more.
  void Stop();

 private:
  using Outcome = ttrpc::Connector::Outcome;

  // Each goes on as far as it can. Nothing: there is something to wait for.
  std::optional<ttrpc::UniqueFd> TryAddresses();
  std::optional<ttrpc::UniqueFd> EndRound();
  // The socket, or none if it failed.
  ttrpc::UniqueFd Judge(Outcome outcome);
  void Tell(std::optional<ttrpc::UniqueFd> socket);

  Ref<Backend> backend_;
  std::function<void(ttrpc::UniqueFd)> done_;
  ttrpc::Connector connector_;
  ttrpc::Timer next_round_;
  Backend::Clock::duration delay_;  // before it
  Backend::Clock::time_point give_up_;
  size_t first_ = 0;  // the address with which each round begins
  size_t tried_ = 0;  // addresses, in this round
  Backend::Attempt attempt_ = {};
};

}  // namespace proxyd
