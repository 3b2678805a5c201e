// SPDX-License-Identifier: Apache-2.0
//
// Connections to backends, as they count for users and in all.
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
  // "" or the limit that refuses; a slot that was taken stays.
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
  // What root has is not the others'.
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

TEST(BackendLimitsTest, InAllThereAreAsManyAsTheDescriptorsLeave) {
  Config config;
  config.limits = {.connections = 400,
                   .connections_reserved = 50,
                   .connections_per_user = 100,
                   .backend_connections_per_user = 77};
  const BackendLimits limits = BackendLimitsOf(config, 1064);
  EXPECT_EQ(limits.per_user, 77U);
  EXPECT_EQ(limits.in_all, 600U);
  EXPECT_EQ(limits.reserved, 50U);
  EXPECT_EQ(BackendLimitsOf(config, 564).in_all, 250U) << "half of what there is";
  // Root's reserve is half of them at most.
  config.limits.connections_reserved = 399;
  EXPECT_EQ(BackendLimitsOf(config, 1064).reserved, 300U);
  EXPECT_EQ(BackendLimitsOf(config, UINT64_MAX).in_all, UINT32_MAX);
}

TEST(BackendLimitsTest, TheRefusalNamesTheLimit) {
  const BackendLimits limits = {.per_user = 7, .in_all = 9, .reserved = 1};
  EXPECT_EQ(BackendLimitReached(Limit::kBackendConnectionsPerUser, limits),
            ttrpc::Status(ttrpc::StatusCode::kResourceExhausted,
                          "limit backend_connections_per_user = 7 reached"));
  EXPECT_EQ(BackendLimitReached(Limit::kBackendConnections, limits).message(),
            "limit backend_connections = 9 reached");
}

}  // namespace
}  // namespace proxyd
