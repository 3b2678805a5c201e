// SPDX-License-Identifier: Apache-2.0
//
// Dialer: brings one connection to a backend about: tries its addresses in turn, each for at most
// connect_timeout, those that have just failed not at all, and all of them again for as long as
// `wait` lets it while one of them may still appear. It hands out a socket only after its owner was
// checked. On the worker's thread.
#pragma once

#include <functional>

#include "proxy/backend.h"
#include "proxy/ref.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/connector.h"

namespace proxyd {

// What is known of a connection that is being dialled.
struct DialResult {
  enum class State {
    kPending,      // an address, or the next round, is waited for
    kConnected,    // and the socket's owner was checked
    kUnreachable,  // no address could be connected to
  };
  State state;
  ttrpc::UniqueFd socket = {};  // valid if, and only if, connected
};

class Dialer {
 public:
  // `loop` must outlive it. `done` is called once if Start() returns kPending, with one of the two
  // other states; it must not destroy the dialer.
  Dialer(ttrpc::IoLoop& loop, Ref<Backend> backend, std::function<void(DialResult)> done);
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;
  // As Stop().
  ~Dialer() = default;

  // To be called once. Most often the result is known at once.
  DialResult Start();
  // Gives up. `done` is not called any more.
  void Stop();

 private:
  using Outcome = ttrpc::Connector::Outcome;

  // Each goes on as far as it can without waiting.
  DialResult TryAddresses();
  DialResult EndRound();
  // Records how the attempt ended. Returns its socket, or an invalid one if it failed.
  ttrpc::UniqueFd Judge(Outcome outcome);
  void Report(DialResult result);

  Ref<Backend> backend_;
  std::function<void(DialResult)> done_;
  ttrpc::Connector connector_;
  ttrpc::Timer next_round_;
  Backend::Clock::duration delay_;  // before it
  Backend::Clock::time_point give_up_;
  size_t first_ = 0;  // the address with which each round begins
  size_t tried_ = 0;  // addresses, in this round
  Backend::Attempt attempt_ = {};
};

}  // namespace proxyd
