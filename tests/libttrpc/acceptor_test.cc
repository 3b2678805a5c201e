// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/acceptor.h"

#include <event2/event.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ttrpc/event_loop.h"

namespace ttrpc {
namespace {

class AcceptorTest : public testing::Test {
 protected:
  AcceptorTest() {
    MakeListening();
    callbacks_.accepted = [this](UniqueFd socket) { accepted_.push_back(std::move(socket)); };
    callbacks_.paused = [this](int error_number) { paused_.push_back(error_number); };
  }

  // Makes another listening socket. The previous one stays open.
  void MakeListening() {
    if (listening_) others_.push_back(std::move(listening_));
    listening_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    // The kernel chooses an abstract name.
    const sockaddr_un any{.sun_family = AF_UNIX, .sun_path = {}};
    EXPECT_EQ(
        ::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(sa_family_t)), 0);
    EXPECT_EQ(::listen(listening_.get(), 100), 0);
    length_ = sizeof where_;
    EXPECT_EQ(::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&where_), &length_), 0);
  }

  UniqueFd Dial() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&where_), length_), 0);
    return socket;
  }
  void RunReady() { event_base_loop(loop_.base(), EVLOOP_NONBLOCK); }
  int EventsWaitedFor() { return event_base_get_num_events(loop_.base(), EVENT_BASE_COUNT_ADDED); }

  EventLoop loop_;
  UniqueFd listening_;
  std::vector<UniqueFd> others_;
  sockaddr_un where_{};
  socklen_t length_ = 0;
  AcceptorCallbacks callbacks_;
  std::vector<UniqueFd> accepted_;
  std::vector<int> paused_;
};

TEST_F(AcceptorTest, HandsOnWhatIsReadyToUse) {
  const Acceptor acceptor(loop_.io(), listening_.get(), std::move(callbacks_));
  const UniqueFd one = Dial();
  const UniqueFd two = Dial();
  RunReady();
  ASSERT_EQ(accepted_.size(), 2U);
  ASSERT_EQ(::send(two.get(), "2", 1, 0), 1);
  char got = 0;
  EXPECT_EQ(::recv(accepted_[1].get(), &got, 1, 0), 1);
  EXPECT_EQ(got, '2');
  EXPECT_NE(::fcntl(accepted_[0].get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(accepted_[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(paused_, std::vector<int>());
}

TEST_F(AcceptorTest, OthersHaveTheirTurnInAFlood) {
  const Acceptor acceptor(loop_.io(), listening_.get(), std::move(callbacks_));
  std::vector<UniqueFd> peers;
  peers.reserve(40);
  for (int i = 0; i < 40; ++i) peers.push_back(Dial());
  event_base_loop(loop_.base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  EXPECT_EQ(accepted_.size(), 16U);
  RunReady();
  EXPECT_EQ(accepted_.size(), 40U);
}

// A client can influence what accepting its connection costs.
TEST_F(AcceptorTest, AWakeUpEndsWithItsTimeHoweverFewItHasAccepted) {
  std::chrono::steady_clock::time_point now;
  callbacks_.clock = [&now] { return now; };
  callbacks_.accepted = [&](UniqueFd socket) {
    accepted_.push_back(std::move(socket));
    now += std::chrono::microseconds(400);
  };
  const Acceptor acceptor(loop_.io(), listening_.get(), std::move(callbacks_));
  std::vector<UniqueFd> peers;
  peers.reserve(8);
  for (int i = 0; i < 8; ++i) peers.push_back(Dial());
  event_base_loop(loop_.base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  EXPECT_EQ(accepted_.size(), 3U);
  RunReady();
  EXPECT_EQ(accepted_.size(), 8U);
}

// Acceptors share one budget however many sockets are flooded, and each gets its share.
TEST_F(AcceptorTest, AcceptorsOfALoopShareItsTimeAndTakeTurns) {
  std::chrono::steady_clock::time_point now;
  std::string order;
  const auto callbacks = [&](char name) {
    AcceptorCallbacks made;
    made.clock = [&now] { return now; };
    made.accepted = [&, name](UniqueFd socket) {
      accepted_.push_back(std::move(socket));
      order += name;
      now += std::chrono::microseconds(600);
    };
    return made;
  };
  const Acceptor one(loop_.io(), listening_.get(), callbacks('1'));
  std::vector<UniqueFd> peers;
  peers.reserve(6);
  for (int i = 0; i < 3; ++i) peers.push_back(Dial());
  MakeListening();
  const Acceptor two(loop_.io(), listening_.get(), callbacks('2'));
  for (int i = 0; i < 3; ++i) peers.push_back(Dial());
  event_base_loop(loop_.base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  EXPECT_EQ(order.size(), 2U);
  RunReady();
  EXPECT_EQ(std::count(order.begin(), order.end(), '1'), 3);
  EXPECT_NE(order.substr(0, 4).find("12"), std::string::npos) << order;
  EXPECT_NE(order.substr(0, 4).find("21"), std::string::npos) << order;
}

TEST_F(AcceptorTest, OutOfDescriptorsItPausesSaysSoOnceAndGoesOn) {
  const Acceptor acceptor(loop_.io(), listening_.get(), std::move(callbacks_));
  const int events = EventsWaitedFor();
  const UniqueFd one = Dial();
  const UniqueFd two = Dial();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  RunReady();
  // It waits for its timer instead of the socket, twice, and reports the pause once.
  EXPECT_EQ(paused_, std::vector<int>{EMFILE});
  EXPECT_EQ(EventsWaitedFor(), events);
  event_base_loop(loop_.base(), EVLOOP_ONCE);
  event_base_loop(loop_.base(), EVLOOP_ONCE);
  EXPECT_EQ(paused_, std::vector<int>{EMFILE});
  EXPECT_EQ(accepted_.size(), 0U);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  while (accepted_.empty()) event_base_loop(loop_.base(), EVLOOP_ONCE);
  EXPECT_EQ(accepted_.size(), 2U);
  EXPECT_EQ(paused_, (std::vector<int>{EMFILE, 0}));
}

TEST_F(AcceptorTest, NeedsNoCallbackForPauses) {
  callbacks_.paused = nullptr;
  const Acceptor acceptor(loop_.io(), listening_.get(), std::move(callbacks_));
  const UniqueFd peer = Dial();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  RunReady();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  while (accepted_.empty()) event_base_loop(loop_.base(), EVLOOP_ONCE);
}

TEST_F(AcceptorTest, ItsCallbacksMayDestroyIt) {
  std::optional<Acceptor> acceptor;
  callbacks_.accepted = [&](UniqueFd socket) {
    accepted_.push_back(std::move(socket));
    acceptor.reset();
  };
  acceptor.emplace(loop_.io(), listening_.get(), std::move(callbacks_));
  const UniqueFd one = Dial();
  const UniqueFd two = Dial();
  RunReady();
  EXPECT_EQ(accepted_.size(), 1U);
  // Connections that were not accepted stay in the queue for the next acceptor.
  AcceptorCallbacks next;
  next.accepted = [this](UniqueFd socket) { accepted_.push_back(std::move(socket)); };
  acceptor.emplace(loop_.io(), listening_.get(), std::move(next));
  RunReady();
  EXPECT_EQ(accepted_.size(), 2U);
}

TEST_F(AcceptorTest, EvenTheOneForPauses) {
  std::optional<Acceptor> acceptor;
  callbacks_.paused = [&](int error_number) {
    paused_.push_back(error_number);
    acceptor.reset();
  };
  acceptor.emplace(loop_.io(), listening_.get(), std::move(callbacks_));
  const UniqueFd peer = Dial();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  RunReady();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(paused_, std::vector<int>{EMFILE});
  EXPECT_FALSE(acceptor.has_value());
}

}  // namespace
}  // namespace ttrpc
