// SPDX-License-Identifier: Apache-2.0
#include "run/signals.h"

#include <event2/event.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <utility>

namespace proxyd {

namespace {

sigset_t SetOf(std::span<const int> signal_numbers) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : signal_numbers) ::sigaddset(&set, number);
  return set;
}

}  // namespace

void HoldBack(std::span<const int> signal_numbers) {
  const sigset_t set = SetOf(signal_numbers);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void Release(std::span<const int> signal_numbers) {
  const sigset_t set = SetOf(signal_numbers);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void ExitOnStop() {
  struct sigaction action {};
  action.sa_handler = [](int) { ::_exit(EXIT_SUCCESS); };
  for (const int number : kStopSignals) ::sigaction(number, &action, nullptr);
}

bool WaitUnlessStopped(std::chrono::milliseconds time) {
  using std::chrono::steady_clock;
  const sigset_t stops = SetOf(kStopSignals);
  const auto end = steady_clock::now() + time;
  for (;;) {
    // Poll at least once, even if no time remains: a stop that came before counts.
    const auto left = std::max(end - steady_clock::now(), steady_clock::duration::zero());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    const timespec timeout = {.tv_sec = seconds.count(), .tv_nsec = (left - seconds).count()};
    if (::sigtimedwait(&stops, nullptr, &timeout) > 0) return false;
    if (errno != EINTR) return true;
  }
}

struct Signals::Handler {
  std::function<void()> action;
  ttrpc::EventPtr event;
};

Signals::Signals(event_base* base) : base_(base) {}

Signals::~Signals() = default;

void Signals::On(int signal_number, std::function<void()> action) {
  auto handler = std::make_unique<Handler>();
  handler->action = std::move(action);
  handler->event.reset(event_new(
      base_, signal_number, EV_SIGNAL | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<Handler*>(self)->action(); },
      handler.get()));
  if (event_add(handler->event.get(), nullptr) != 0) failed_ = true;
  handlers_.push_back(std::move(handler));
}

}  // namespace proxyd
