// SPDX-License-Identifier: Apache-2.0
#include "proxy/request_rules.h"

#include <gtest/gtest.h>

#include <string>

namespace proxyd {
namespace {

using namespace std::chrono_literals;

ttrpc::Status Check(std::string_view service, std::string_view method) {
  ttrpc::RequestView request;
  request.service = service;
  request.method = method;
  return CheckNames(request);
}

const ttrpc::Status kBadService(ttrpc::StatusCode::kInvalidArgument, "invalid service name");
const ttrpc::Status kBadMethod(ttrpc::StatusCode::kInvalidArgument, "invalid method name");

TEST(CheckNamesTest, TakesTheCharactersThatNamesHave) {
  EXPECT_TRUE(Check("containerd.task.v2.Task", "State").ok());
  EXPECT_TRUE(Check("AZaz09_.", "AZaz09_").ok());
  EXPECT_TRUE(Check(std::string(256, 's'), std::string(256, 'm')).ok());
}

TEST(CheckNamesTest, RefusesEveryOtherByte) {
  for (int c = 0; c < 256; ++c) {
    const std::string name = "a" + std::string(1, static_cast<char>(c));
    const bool word = isalnum(c) != 0 || c == '_';
    EXPECT_EQ(Check(name, "M").ok(), word || c == '.') << c;
    EXPECT_EQ(Check("S", name).ok(), word) << c;
  }
  EXPECT_EQ(Check("a/b", "M"), kBadService);
  EXPECT_EQ(Check("S", "M/.."), kBadMethod);
}

TEST(CheckNamesTest, RefusesEmptyAndLongNames) {
  EXPECT_EQ(Check("", "M"), kBadService);
  EXPECT_EQ(Check("S", ""), kBadMethod);
  EXPECT_EQ(Check(std::string(257, 's'), "M"), kBadService);
  EXPECT_EQ(Check("S", std::string(257, 'm')), kBadMethod);
}

TEST(ReservedMetadataTest, IsDroppedInAnyCaseAndNothingElseIs) {
  ttrpc::RequestView request;
  request.metadata = {{"a", "1"},
                      {"ttrpc-proxy-uid", "0"},
                      {"TTRPC-Proxy-Gid", "0"},
                      {"ttrpc-proxy-", "x"},
                      {"ttrpc-proxy", "2"},
                      {"xttrpc-proxy-uid", "3"},
                      {"a", "4"}};
  DropReservedMetadata(&request);
  EXPECT_EQ(request.metadata,
            (std::vector<ttrpc::MetadataEntry>{
                {"a", "1"}, {"ttrpc-proxy", "2"}, {"xttrpc-proxy-uid", "3"}, {"a", "4"}}));
}

TEST(IdentityMetadataTest, FollowsWhatThePeerSent) {
  const IdentityMetadata identity(1000, 4294967294U, 0);
  ttrpc::RequestView request;
  request.metadata = {{"a", "1"}};
  identity.AppendTo(&request);
  EXPECT_EQ(request.metadata, (std::vector<ttrpc::MetadataEntry>{{"a", "1"},
                                                                 {"ttrpc-proxy-uid", "1000"},
                                                                 {"ttrpc-proxy-gid", "4294967294"},
                                                                 {"ttrpc-proxy-pid", "0"}}));
}

TEST(EffectiveTimeoutTest, Table) {
  struct Case {
    int64_t requested;
    Duration call, call_max;
    std::optional<Duration> rule;
    int64_t expected;
  };
  for (const Case& c : {Case{0, 0ns, 0ns, {}, 0},
                        {7, 0ns, 0ns, {}, 7},
                        {0, 5ns, 0ns, {}, 5},
                        {7, 5ns, 0ns, {}, 7},
                        {7, 0ns, 5ns, {}, 5},
                        {3, 0ns, 5ns, {}, 3},
                        {0, 0ns, 5ns, {}, 5},
                        {0, 9ns, 5ns, {}, 5},
                        {7, 0ns, 6ns, 4ns, 4},
                        {7, 0ns, 6ns, 9ns, 6},
                        {7, 0ns, 0ns, 0ns, 7},
                        {-1, 5ns, 5ns, 5ns, -1}}) {
    EXPECT_EQ(EffectiveTimeout(c.requested, {.call = c.call, .call_max = c.call_max}, c.rule),
              c.expected)
        << c.requested << " " << c.call.count() << " " << c.call_max.count();
  }
}

TEST(EnforcedTimeoutTest, AClientsOwnDeadlineIsEnforced20MsLater) {
  constexpr int64_t kGrace = 20'000'000;
  EXPECT_EQ(EnforcedTimeout(7, 7), 7 + kGrace);
  EXPECT_EQ(EnforcedTimeout(INT64_MAX, INT64_MAX), INT64_MAX);
  EXPECT_EQ(EnforcedTimeout(INT64_MAX - kGrace, INT64_MAX - kGrace), INT64_MAX);
}

TEST(EnforcedTimeoutTest, OneThatTheProxySetIsEnforcedWhenItPasses) {
  EXPECT_EQ(EnforcedTimeout(7, 5), 5);
  EXPECT_EQ(EnforcedTimeout(0, 5), 5);
  EXPECT_EQ(EnforcedTimeout(0, 0), 0);
  EXPECT_EQ(EnforcedTimeout(-1, -1), -1);
}

}  // namespace
}  // namespace proxyd
