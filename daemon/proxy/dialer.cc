// SPDX-License-Identifier: Apache-2.0
#include "proxy/dialer.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace proxyd {

using ttrpc::UniqueFd;

namespace {

// The delay between two rounds. Many peers may wait for one backend that never appears.
constexpr auto kFirstDelay = std::chrono::milliseconds(10);
constexpr auto kLongestDelay = std::chrono::milliseconds(250);

DialResult Connected(UniqueFd socket) {
  return {.state = DialResult::State::kConnected, .socket = std::move(socket)};
}

}  // namespace

Dialer::Dialer(ttrpc::IoLoop& loop, Ref<Backend> backend, std::function<void(DialResult)> done)
    : backend_(std::move(backend)),
      done_(std::move(done)),
      connector_(loop,
                 [this](Outcome outcome) {
                   UniqueFd socket = Judge(std::move(outcome));
                   Report(socket ? Connected(std::move(socket)) : TryAddresses());
                 }),
      next_round_(loop,
                  [this] {
                    tried_ = 0;
                    Report(TryAddresses());
                  }),
      delay_(kFirstDelay) {}

DialResult Dialer::Start() {
  give_up_ = Backend::Clock::now() + backend_->config().wait;
  first_ = backend_->NextAddress();
  return TryAddresses();
}

void Dialer::Stop() {
  connector_.Stop();
  next_round_.Stop();
}

DialResult Dialer::TryAddresses() {
  const std::vector<ttrpc::Address>& addresses = backend_->addresses();
  while (tried_ < addresses.size()) {
    const size_t address = (first_ + tried_++) % addresses.size();
    const auto now = Backend::Clock::now();
    if (!backend_->MayTry(address, now)) continue;
    attempt_ = {.address = address, .begun = now};
    auto outcome = connector_.Start(
        addresses[address],
        {.timeout = backend_->config().connect_timeout,
         .check = [backend = backend_.get()](int socket) { return backend->CheckOwner(socket); }});
    if (!outcome) return {.state = DialResult::State::kPending};
    if (UniqueFd socket = Judge(*std::move(outcome))) return Connected(std::move(socket));
  }
  return EndRound();
}

DialResult Dialer::EndRound() {
  const Duration left = give_up_ - Backend::Clock::now();
  if (left.count() <= 0 || !backend_->MayAppear())
    return {.state = DialResult::State::kUnreachable};
  next_round_.Start(std::min<Duration>(delay_, left));
  delay_ = std::min<Duration>(delay_ * 2, kLongestDelay);
  return {.state = DialResult::State::kPending};
}

UniqueFd Dialer::Judge(Outcome outcome) {
  if (!outcome) {
    backend_->Failed(attempt_, outcome.error(), Backend::Clock::now());
    return {};
  }
  backend_->Succeeded(attempt_.address);
  return *std::move(outcome);
}

void Dialer::Report(DialResult result) {
  if (result.state != DialResult::State::kPending) done_(std::move(result));
}

}  // namespace proxyd
