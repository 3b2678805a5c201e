// SPDX-License-Identifier: Apache-2.0
//
// How a status names its limit, and how many connections to backends the descriptors allow.
#include "limits/limit.h"

#include <gtest/gtest.h>

namespace proxyd {
namespace {

TEST(LimitTest, TheRefusalNamesTheLimitAsTheConfigurationDoes) {
  LimitsConfig limits;
  limits.calls_per_user = 7;
  EXPECT_EQ(
      LimitReached(Limit::kCallsPerUser, limits),
      ttrpc::Status(ttrpc::StatusCode::kResourceExhausted, "limit calls_per_user = 7 reached"));
  EXPECT_EQ(LimitReached(Limit::kBufferedPerUser, limits).message(),
            "limit buffered_per_user = 64MiB reached");
  EXPECT_EQ(LimitReached(Limit::kBuffered, limits).message(), "limit buffered = 512MiB reached");
  limits.requests_per_second_per_user = 8;
  EXPECT_EQ(LimitReached(Limit::kRequestsPerSecondPerUser, limits).message(),
            "limit requests_per_second_per_user = 8 reached");
  EXPECT_EQ(LimitReached(Limit::kCallsPerConnection, limits).message(),
            "limit calls_per_connection = 1024 reached");
  EXPECT_EQ(LimitReached(Limit::kBackendsPerPeer, limits).message(),
            "limit backends_per_peer = 64 reached");
}

TEST(LimitTest, EachHasTheValueOfItsKey) {
  LimitsConfig limits;
  limits.calls_per_user = 7;
  const BackendLimits backends = {.per_user = 77, .in_all = 600, .reserved = 1};
  EXPECT_EQ(ValueOf(Limit::kConnections, limits, backends), 16384U);
  EXPECT_EQ(ValueOf(Limit::kCallsPerUser, limits, backends), 7U);
  EXPECT_EQ(ValueOf(Limit::kBufferedPerUser, limits, backends), 64U << 20);
  EXPECT_EQ(ValueOf(Limit::kBackendConnectionsPerUser, limits, backends), 77U);
  EXPECT_EQ(ValueOf(Limit::kBackendConnections, limits, backends), 600U);
  EXPECT_EQ(ValueOf(Limit::kBackendsPerPeer, limits, backends), 64U);
  EXPECT_EQ(ValueOf(Limit::kRequestsPerSecondPerUser, limits, backends), std::nullopt);
  limits.requests_per_second_per_user = 8;
  EXPECT_EQ(ValueOf(Limit::kRequestsPerSecondPerUser, limits, backends), 8U);
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
  // Root's reserve is at most half of them.
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
