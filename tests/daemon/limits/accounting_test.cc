// SPDX-License-Identifier: Apache-2.0
//
// Accounting: what each user may hold. The tests pass the time in.
#include "limits/accounting.h"

#include <gtest/gtest.h>

#include <array>
#include <list>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace proxyd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Accounting::Clock::time_point kNow{seconds(1000)};

ListenerConfig Listener(std::string name, std::optional<uint32_t> connections_per_user = {}) {
  return {.name = std::move(name),
          .address = *ttrpc::Address::Parse("unix:///run/l.sock"),
          .access = {},
          .timeouts = {},
          .connections_per_user = connections_per_user,
          .position = {}};
}

class AccountingTest : public testing::Test {
 protected:
  // Returns "" or the name of the limit that refuses. Accepted connections are kept.
  std::string Connect(uid_t uid) { return Connect(uid, front_); }
  std::string Connect(uid_t uid, const ListenerConfig& listener) {
    auto slot = accounting_.Connect(uid, listener, limits_, now_);
    if (const Limit* limit = std::get_if<Limit>(&slot)) return std::string(NameOf(*limit));
    slots_.push_back(std::get<ConnectionSlot>(std::move(slot)));
    return "";
  }
  UserAccount& Account() { return slots_.back().account(); }

  Accounting accounting_;
  LimitsConfig limits_;
  Accounting::Clock::time_point now_ = kNow;
  const ListenerConfig front_ = Listener("front");
  std::list<ConnectionSlot> slots_;
};

TEST_F(AccountingTest, ConnectionsInAll) {
  limits_.connections = 3;
  limits_.connections_reserved = 0;
  EXPECT_EQ(Connect(1), "");
  EXPECT_EQ(Connect(2), "");
  EXPECT_EQ(Connect(3), "");
  EXPECT_EQ(Connect(4), "connections");
  EXPECT_EQ(Connect(0), "connections");
  slots_.pop_front();
  EXPECT_EQ(Connect(4), "");
  EXPECT_EQ(accounting_.connections(), 3U);
}

TEST_F(AccountingTest, UsageIsOfThoseWhoAreConnected) {
  EXPECT_EQ(Connect(7), "");
  CallSlot call;
  ASSERT_TRUE(Account().TakeCall(1, &call));
  slots_.back().SetBuffered(4096);
  EXPECT_EQ(Connect(3), "");
  EXPECT_EQ(Connect(7), "");
  const auto usage = accounting_.usage();
  ASSERT_EQ(usage.size(), 2U);
  EXPECT_EQ(usage[0].uid, 3U);
  EXPECT_EQ(usage[0].connections, 1U);
  EXPECT_EQ(usage[1].uid, 7U);
  EXPECT_EQ(usage[1].connections, 2U);
  EXPECT_EQ(usage[1].calls, 1U);
  EXPECT_EQ(usage[1].buffered, 4096U);
  EXPECT_EQ(accounting_.buffered(), 4096U);
  call.Release();
  slots_.clear();
  EXPECT_TRUE(accounting_.usage().empty());
}

TEST_F(AccountingTest, OthersCannotHaveWhatIsKeptForRoot) {
  limits_.connections = 10;
  limits_.connections_reserved = 4;
  for (uid_t uid = 100000; uid < 100006; ++uid) EXPECT_EQ(Connect(uid), "");
  EXPECT_EQ(Connect(100006), "connections");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Connect(0), "");
  EXPECT_EQ(Connect(0), "connections");
}

TEST_F(AccountingTest, WhatRootHasIsNotTheOthers) {
  limits_.connections = 10;
  limits_.connections_reserved = 4;
  for (int i = 0; i < 7; ++i) EXPECT_EQ(Connect(0), "");
  for (uid_t uid = 1; uid < 4; ++uid) EXPECT_EQ(Connect(uid), "");
  EXPECT_EQ(Connect(4), "connections");
}

TEST_F(AccountingTest, ConnectionsOfAUserOverAllListeners) {
  limits_.connections_per_user = 2;
  EXPECT_EQ(Connect(1), "");
  EXPECT_EQ(Connect(1, Listener("back")), "");
  EXPECT_EQ(Connect(1), "connections_per_user");
  EXPECT_EQ(Connect(2), "");
  slots_.pop_front();
  EXPECT_EQ(Connect(1), "");
}

TEST_F(AccountingTest, AListenerWithALimitOfItsOwnCountsApart) {
  limits_.connections_per_user = 1;
  const ListenerConfig wide = Listener("wide", 2);
  EXPECT_EQ(Connect(1), "");
  EXPECT_EQ(Connect(1, wide), "");
  EXPECT_EQ(Connect(1, wide), "");
  EXPECT_EQ(Connect(1, wide), "connections_per_user");
  EXPECT_EQ(Connect(1), "connections_per_user");
  EXPECT_EQ(Connect(2, wide), "");
  slots_.pop_front();
  EXPECT_EQ(Connect(1), "");
  EXPECT_EQ(Connect(1, wide), "connections_per_user");
}

TEST_F(AccountingTest, CallsOfAUserOverAllConnections) {
  ASSERT_EQ(Connect(1), "");
  UserAccount& account = Account();
  ASSERT_EQ(Connect(1), "");
  EXPECT_EQ(&account, &Account());
  CallSlot one, two, three;
  EXPECT_TRUE(account.TakeCall(2, &one));
  EXPECT_TRUE(account.TakeCall(2, &two));
  EXPECT_FALSE(account.TakeCall(2, &three));
  EXPECT_EQ(account.calls(), 2U);
  three = std::move(one);
  EXPECT_EQ(account.calls(), 2U);
  three.Release();
  three.Release();
  EXPECT_EQ(account.calls(), 1U);
  one = CallSlot();
  EXPECT_EQ(account.calls(), 1U);
  EXPECT_TRUE(account.TakeCall(2, &one));
  // The replaced slot was released.
  EXPECT_TRUE(account.TakeCall(3, &one));
  EXPECT_EQ(account.calls(), 2U);
}

// A user who reconnects at once must not find a full bucket.
TEST_F(AccountingTest, ANewConnectionDoesNotFillTheBucket) {
  ASSERT_EQ(Connect(1), "");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Account().TakeRequest(10, now_));
  slots_.clear();
  ASSERT_EQ(Connect(1), "");
  EXPECT_FALSE(Account().TakeRequest(10, now_));
}

TEST_F(AccountingTest, AccountsOfWhoIsGoneAreForgotten) {
  limits_.connections_reserved = 0;
  for (uid_t uid = 1; uid <= 1000; ++uid) {
    ASSERT_EQ(Connect(uid), "");
    EXPECT_TRUE(Account().TakeRequest(1, now_));
  }
  slots_.clear();
  EXPECT_EQ(accounting_.accounts(), 1000U);
  now_ += milliseconds(999);
  ASSERT_EQ(Connect(2000), "");
  EXPECT_EQ(accounting_.accounts(), 1001U);
  now_ += milliseconds(1);
  ASSERT_EQ(Connect(2001), "");
  EXPECT_EQ(accounting_.accounts(), 2U);
  // A user who returns in time keeps the account, which can still be deleted later.
  slots_.clear();
  ASSERT_EQ(Connect(2001), "");
  now_ += seconds(1);
  ASSERT_EQ(Connect(3000), "");
  EXPECT_EQ(accounting_.accounts(), 2U);
  slots_.clear();
  ASSERT_EQ(Connect(3001), "");
  EXPECT_EQ(accounting_.accounts(), 1U);
}

TEST_F(AccountingTest, MemoryOfAUser) {
  limits_.buffered_per_user = 100;
  ASSERT_EQ(Connect(1), "");
  ConnectionSlot& first = slots_.back();
  ASSERT_EQ(Connect(1), "");
  ConnectionSlot& second = slots_.back();
  first.SetBuffered(60);
  second.SetBuffered(40);
  EXPECT_EQ(Account().buffered(), 100U);
  EXPECT_EQ(accounting_.Buffered(Account(), limits_), std::nullopt);
  second.SetBuffered(41);
  EXPECT_EQ(accounting_.Buffered(Account(), limits_), Limit::kBufferedPerUser);
  first.SetBuffered(10);
  EXPECT_EQ(Account().buffered(), 51U);
  EXPECT_EQ(accounting_.Buffered(Account(), limits_), std::nullopt);
  // The slot of a connection is released with it, and only once.
  ConnectionSlot moved = std::move(slots_.front());
  slots_.pop_front();
  EXPECT_EQ(Account().buffered(), 51U);
  moved.SetBuffered(0);
  EXPECT_EQ(Account().buffered(), 41U);
}

TEST_F(AccountingTest, MemoryOfAllIsUpToWhoHoldsMost) {
  limits_.buffered_per_user = 1000;
  limits_.buffered = 1000;
  for (const auto& [uid, bytes] :
       std::vector<std::pair<uid_t, size_t>>{{1, 600}, {2, 300}, {3, 90}}) {
    ASSERT_EQ(Connect(uid), "");
    slots_.back().SetBuffered(bytes);
  }
  auto slot = slots_.begin();
  UserAccount& one = (slot++)->account();
  ConnectionSlot& second = *slot;
  UserAccount& two = (slot++)->account();
  UserAccount& three = slot->account();
  EXPECT_FALSE(accounting_.Overfull(limits_));
  EXPECT_EQ(accounting_.Buffered(one, limits_), std::nullopt);
  slot->SetBuffered(101);
  EXPECT_TRUE(accounting_.Overfull(limits_));
  EXPECT_EQ(accounting_.Buffered(one, limits_), Limit::kBuffered);
  EXPECT_EQ(accounting_.Buffered(two, limits_), Limit::kBuffered);
  EXPECT_EQ(accounting_.Buffered(three, limits_), std::nullopt);
  // FindHeaviest() has to notice that another user is now the heaviest.
  slots_.front().SetBuffered(0);
  second.SetBuffered(900);
  EXPECT_EQ(accounting_.Buffered(two, limits_), Limit::kBuffered);
  slot->SetBuffered(440);
  EXPECT_EQ(accounting_.Buffered(three, limits_), std::nullopt);
  second.SetBuffered(600);
  EXPECT_EQ(accounting_.Buffered(three, limits_), std::nullopt);
  accounting_.FindHeaviest();
  EXPECT_EQ(accounting_.Buffered(three, limits_), Limit::kBuffered);
}

// A user who holds more than any of a crowd, but little of the total, is not the cause.
TEST_F(AccountingTest, MemoryOfAllIsNotUpToABystander) {
  limits_.buffered_per_user = 1000;
  limits_.buffered = 1000;
  ASSERT_EQ(Connect(1), "");
  UserAccount& bystander = Account();
  slots_.back().SetBuffered(124);
  for (uid_t uid = 2; uid < 35; ++uid) {
    ASSERT_EQ(Connect(uid), "");
    slots_.back().SetBuffered(30);
  }
  ASSERT_TRUE(accounting_.Overfull(limits_));
  EXPECT_EQ(accounting_.Buffered(bystander, limits_), std::nullopt);
  EXPECT_EQ(accounting_.Buffered(Account(), limits_), std::nullopt);
  accounting_.FindHeaviest();
  EXPECT_EQ(accounting_.Buffered(bystander, limits_), std::nullopt);
  // A user who holds an eighth of the limit is part of the cause.
  slots_.front().SetBuffered(125);
  EXPECT_EQ(accounting_.Buffered(bystander, limits_), Limit::kBuffered);
  EXPECT_EQ(accounting_.Buffered(Account(), limits_), std::nullopt);
  // Once the total exceeds the limit by half, every user has reached it.
  slots_.front().SetBuffered(511);
  EXPECT_EQ(accounting_.Buffered(Account(), limits_), Limit::kBuffered);
}

TEST_F(AccountingTest, RootIsKeptToItsOwnLimitOfMemoryAlone) {
  limits_.buffered_per_user = 1000;
  limits_.buffered = 1000;
  ASSERT_EQ(Connect(0), "");
  UserAccount& root = Account();
  slots_.back().SetBuffered(900);
  ASSERT_EQ(Connect(1), "");
  slots_.back().SetBuffered(200);
  EXPECT_EQ(accounting_.Buffered(root, limits_), std::nullopt);
  EXPECT_EQ(accounting_.Buffered(Account(), limits_), Limit::kBuffered);
  slots_.front().SetBuffered(1001);
  EXPECT_EQ(accounting_.Buffered(root, limits_), Limit::kBufferedPerUser);
}

// The workers will use several threads. Nothing may be counted twice or lost.
TEST_F(AccountingTest, FourThreads) {
  limits_.connections = 50;
  limits_.connections_reserved = 10;
  limits_.connections_per_user = 20;
  constexpr uint32_t kCalls = 30;
  const auto work = [this] {
    for (int round = 0; round < 2000; ++round) {
      const auto uid = static_cast<uid_t>(round % 4);
      auto slot = accounting_.Connect(uid, front_, limits_, kNow + milliseconds(round));
      if (std::holds_alternative<Limit>(slot)) continue;
      UserAccount& account = std::get<ConnectionSlot>(slot).account();
      ASSERT_EQ(account.uid(), uid);
      std::vector<CallSlot> calls(12);
      for (CallSlot& call : calls) {
        account.TakeRequest(100, kNow + milliseconds(round));
        account.TakeCall(kCalls, &call);
      }
      std::get<ConnectionSlot>(slot).SetBuffered(static_cast<size_t>(round));
      accounting_.Buffered(account, limits_);
      if (round % 100 == 0) accounting_.FindHeaviest();
    }
  };
  std::array<std::thread, 4> threads;
  for (std::thread& thread : threads) thread = std::thread(work);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(accounting_.connections(), 0U);
  for (uid_t uid = 0; uid < 4; ++uid) {
    ASSERT_EQ(Connect(uid), "");
    EXPECT_EQ(Account().calls(), 0U);
    EXPECT_EQ(Account().buffered(), 0U);
  }
}

}  // namespace
}  // namespace proxyd
