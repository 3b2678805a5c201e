// SPDX-License-Identifier: Apache-2.0
//
// Connections to backends, as they count for each user and in all.
#include <gtest/gtest.h>

#include <list>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "limits/accounting.h"

namespace proxyd {
namespace {

class BackendSlotsTest : public testing::Test {
 protected:
  ConnectionSlot& User(uid_t uid) {
    const ListenerConfig listener = {.name = "front",
                                     .address = *ttrpc::Address::Parse("unix:///run/l.sock"),
                                     .access = {},
                                     .timeouts = {},
                                     .connections_per_user = {},
                                     .position = {}};
    return users_.emplace_back(
        std::get<ConnectionSlot>(accounting_.Connect(uid, listener, LimitsConfig(), {})));
  }
  // Returns "" or the name of the limit that refuses. Slots that were taken are kept.
  std::string Take(const ConnectionSlot& user) {
    BackendSlot slot;
    if (const auto limit = user.TakeBackend(limits_, &slot)) return std::string(NameOf(*limit));
    slots_.push_back(std::move(slot));
    return "";
  }

  Accounting accounting_;
  BackendLimits limits_ = {.per_user = 100, .in_all = 1000, .reserved = 0};
  std::list<ConnectionSlot> users_;
  std::list<BackendSlot> slots_;
};

TEST_F(BackendSlotsTest, OfAUserOverAllItsConnections) {
  limits_.per_user = 2;
  const ConnectionSlot& one = User(1);
  const ConnectionSlot& two = User(1);
  EXPECT_EQ(Take(one), "");
  EXPECT_EQ(Take(two), "");
  EXPECT_EQ(Take(one), "backend_connections_per_user");
  EXPECT_EQ(Take(User(2)), "");
  EXPECT_EQ(accounting_.backend_connections(), 3U);
  slots_.pop_front();
  EXPECT_EQ(accounting_.backend_connections(), 2U);
  EXPECT_EQ(Take(two), "");
  EXPECT_EQ(Take(one), "backend_connections_per_user");
}

TEST_F(BackendSlotsTest, OthersCannotHaveWhatIsKeptForRoot) {
  limits_.in_all = 5;
  limits_.reserved = 2;
  const ConnectionSlot& root = User(0);
  EXPECT_EQ(Take(User(1)), "");
  EXPECT_EQ(Take(User(2)), "");
  EXPECT_EQ(Take(User(3)), "");
  EXPECT_EQ(Take(User(4)), "backend_connections");
  EXPECT_EQ(Take(root), "");
  EXPECT_EQ(Take(root), "");
  EXPECT_EQ(Take(root), "backend_connections");
  slots_.clear();
  EXPECT_EQ(accounting_.backend_connections(), 0U);
  // Root's connections do not count for the other users.
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Take(root), "");
  EXPECT_EQ(Take(User(1)), "");
  EXPECT_EQ(Take(User(1)), "backend_connections");
}

TEST_F(BackendSlotsTest, ASlotIsGivenBackOnce) {
  const ConnectionSlot& user = User(1);
  EXPECT_EQ(Take(user), "");
  EXPECT_EQ(Take(user), "");
  BackendSlot slot = std::move(slots_.front());
  slots_.pop_front();
  EXPECT_EQ(accounting_.backend_connections(), 2U);
  slot.Release();
  slot.Release();
  EXPECT_EQ(accounting_.backend_connections(), 1U);
  slot = std::move(slots_.front());
  EXPECT_EQ(accounting_.backend_connections(), 1U);
  slot = BackendSlot();
  EXPECT_EQ(accounting_.backend_connections(), 0U);
}

}  // namespace
}  // namespace proxyd
