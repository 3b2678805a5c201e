// SPDX-License-Identifier: Apache-2.0
//
// Dialer: connects once to a backend. It tries the backend's addresses in turn, each for at most
// connect_timeout, and skips those that have just failed. While an address may still appear, it
// repeats this for as long as `wait` allows. A socket is returned only after its owner was checked.
// It runs on the worker's thread.
#pragma once

#include <functional>

#include "proxy/backend.h"
#include "proxy/ref.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/connector.h"

namespace proxyd {

// The state of a connection that is being dialled.
struct DialResult {
  enum class State {
    kPending,      // waiting for an address, or for the next round
    kConnected,    // connected, and the socket's owner was checked
    kUnreachable,  // no address could be connected to
  };
  State state;
  ttrpc::UniqueFd socket = {};  // valid if, and only if, the state is kConnected
};

class Dialer {
 public:
  // `loop` must outlive the dialer. If Start() returns kPending, `done` is called once with one of
  // the other two states. It must not destroy the dialer.
  Dialer(ttrpc::IoLoop& loop, Ref<Backend> backend, std::function<void(DialResult)> done);
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;
  // Stops dialling, as Stop() does.
  ~Dialer() = default;

  // Must be called once. Usually the result is known at once.
  DialResult Start();
  // Stops dialling. `done` is not called any more.
  void Stop();

 private:
  using Outcome = ttrpc::Connector::Outcome;

  // These go on as far as they can without waiting.
  DialResult TryAddresses();
  DialResult EndRound();
  // Records the end of the attempt. Returns its socket, or an invalid one if the attempt failed.
  ttrpc::UniqueFd Judge(Outcome outcome);
  void Report(DialResult result);

  Ref<Backend> backend_;
  std::function<void(DialResult)> done_;
  ttrpc::Connector connector_;
  ttrpc::Timer next_round_;
  Backend::Clock::duration delay_;  // before the next round
  Backend::Clock::time_point give_up_;
  size_t first_ = 0;  // the address that each round begins with
  size_t tried_ = 0;  // addresses tried in this round
  Backend::Attempt attempt_ = {};
};

}  // namespace proxyd
