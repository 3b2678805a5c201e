// SPDX-License-Identifier: Apache-2.0
#include "proxy/backend.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace proxyd {
namespace {

using namespace std::chrono_literals;
using ttrpc::Status;
using ttrpc::StatusCode;

BackendConfig ConfigOf(BackendConfig::Balance balance) {
  BackendConfig config = {.name = "back", .addresses = {}, .users = {0}, .position = {}};
  for (const char* path : {"unix:///a", "unix:///b", "unix:///c"})
    config.addresses.push_back(*ttrpc::Address::Parse(path));
  config.balance = balance;
  return config;
}

class BackendTest : public ::testing::Test {
 protected:
  // An attempt begins and fails now.
  void Fail(StatusCode code, size_t address = 0) {
    backend_.Failed({.address = address, .begun = now_}, Status(code, "broken"), now_);
  }

  BackendCounters counters_;
  Backend backend_{ConfigOf(BackendConfig::Balance::kFirstAvailable), counters_};
  Backend::Clock::time_point now_ = Backend::Clock::now();
};

TEST_F(BackendTest, CostlyFailuresDoubleTheWaitUpToASecond) {
  EXPECT_TRUE(backend_.MayTry(0, now_));
  for (const auto wait : {50ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    Fail(StatusCode::kUnknown);
    EXPECT_FALSE(backend_.MayTry(0, now_ + wait - 1ms)) << wait.count();
    now_ += wait;
    EXPECT_TRUE(backend_.MayTry(0, now_)) << wait.count();
  }
  backend_.Succeeded(0);
  now_ += 1ms;
  Fail(StatusCode::kUnknown);
  EXPECT_TRUE(backend_.MayTry(0, now_ + 50ms));
}

// Otherwise all callers that arrive during an attempt would wait for it too.
TEST_F(BackendTest, OneThatFailsIsTriedByOneAtATime) {
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(backend_.MayTry(0, now_));
  Fail(StatusCode::kUnknown);
  now_ += 50ms;
  EXPECT_TRUE(backend_.MayTry(0, now_));
  EXPECT_FALSE(backend_.MayTry(0, now_));
  EXPECT_FALSE(backend_.MayTry(0, now_ + 49ms));
  EXPECT_TRUE(backend_.MayTry(0, now_ + 50ms)) << "the first attempt may never end";
  backend_.Succeeded(0);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(backend_.MayTry(0, now_));
}

TEST_F(BackendTest, CheapFailuresAreTriedByEachCall) {
  for (const StatusCode cheap : {StatusCode::kNotFound, StatusCode::kResourceExhausted}) {
    Fail(cheap);
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(backend_.MayTry(0, now_));
  }
}

// A socket that belonged to another user is gone.
TEST_F(BackendTest, OneThatIsGoneIsTriedByEachCallAgain) {
  Fail(StatusCode::kPermissionDenied);
  EXPECT_FALSE(backend_.MayTry(0, now_));
  Fail(StatusCode::kNotFound);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(backend_.MayTry(0, now_));
}

// Many peers wait for room in one accept queue, and give up one after another.
TEST_F(BackendTest, AttemptsBegunTogetherThatFailAreOneFailure) {
  const Backend::Attempt attempt = {.address = 0, .begun = now_};
  for (int i = 0; i < 100; ++i)
    backend_.Failed(attempt, Status(StatusCode::kDeadlineExceeded, "late"), now_ + 1s + i * 1ms);
  EXPECT_FALSE(backend_.MayTry(0, now_ + 1049ms));
  EXPECT_TRUE(backend_.MayTry(0, now_ + 1050ms));
}

TEST_F(BackendTest, EachAddressHasABackOffOfItsOwn) {
  Fail(StatusCode::kUnknown, 1);
  EXPECT_TRUE(backend_.MayTry(0, now_));
  EXPECT_FALSE(backend_.MayTry(1, now_));
  EXPECT_TRUE(backend_.MayTry(2, now_));
  backend_.Succeeded(0);
  EXPECT_FALSE(backend_.MayTry(1, now_));
}

TEST_F(BackendTest, MayAppearWhileAnyIsMissingOrRefuses) {
  EXPECT_FALSE(backend_.MayAppear()) << "there was no attempt";
  for (const StatusCode code : {StatusCode::kPermissionDenied, StatusCode::kFailedPrecondition,
                                StatusCode::kUnknown, StatusCode::kDeadlineExceeded}) {
    Fail(code, 1);
    EXPECT_FALSE(backend_.MayAppear()) << ttrpc::StatusCodeName(code);
  }
  for (const StatusCode code : {StatusCode::kNotFound, StatusCode::kUnavailable}) {
    Fail(code, 1);
    EXPECT_TRUE(backend_.MayAppear());
    backend_.Succeeded(1);
    EXPECT_FALSE(backend_.MayAppear());
  }
}

// The operator has to know where to look.
TEST_F(BackendTest, SaysWhyAndWhereItCouldNotBeReached) {
  EXPECT_EQ(backend_.detail(), "") << "there was no attempt";
  for (const StatusCode code : {StatusCode::kNotFound, StatusCode::kUnavailable,
                                StatusCode::kPermissionDenied, StatusCode::kUnknown}) {
    Fail(code, 1);
    EXPECT_EQ(backend_.reason(), AuditReason::kBackendUnreachable);
    EXPECT_EQ(backend_.detail(), "unix:///b: broken");
  }
  Fail(StatusCode::kUnauthenticated, 2);
  EXPECT_EQ(backend_.reason(), AuditReason::kBackendOwner);
  EXPECT_EQ(backend_.detail(), "unix:///c: broken");
  backend_.Succeeded(2);
  EXPECT_EQ(backend_.detail(), "");
}

// Before the first attempt, nobody knows whether a backend is up. The same holds after a reload
// that replaces it.
TEST_F(BackendTest, IsNeitherUpNorDownBeforeItWasTried) {
  EXPECT_FALSE(counters_.tried);
  Fail(StatusCode::kNotFound);
  EXPECT_TRUE(counters_.tried);
  EXPECT_FALSE(counters_.up);
  EXPECT_EQ(counters_.last_error, "broken");
  const Backend after_reload{ConfigOf(BackendConfig::Balance::kRoundRobin), counters_};
  EXPECT_FALSE(counters_.tried);
  EXPECT_EQ(counters_.last_error, "");
  EXPECT_EQ(counters_.connects_failed, 1U) << "counters never go back";
}

std::vector<size_t> NextFive(BackendConfig::Balance balance) {
  BackendCounters counters;
  Backend backend(ConfigOf(balance), counters);
  std::vector<size_t> addresses;
  addresses.reserve(5);
  for (int i = 0; i < 5; ++i) addresses.push_back(backend.NextAddress());
  return addresses;
}

TEST_F(BackendTest, Balance) {
  EXPECT_EQ(NextFive(BackendConfig::Balance::kFirstAvailable),
            std::vector<size_t>({0, 0, 0, 0, 0}));
  EXPECT_EQ(NextFive(BackendConfig::Balance::kRoundRobin), std::vector<size_t>({0, 1, 2, 0, 1}));
}

// Collects what the daemon logs during the test.
class LoggedBackendTest : public BackendTest {
 protected:
  LoggedBackendTest() {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_st>(text_)));
  }
  ~LoggedBackendTest() override { spdlog::set_default_logger(before_); }
  size_t Lines() const {
    const std::string text = text_.str();
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }

 private:
  const std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  std::ostringstream text_;
};

// A client can cause this by filling the backlog of a backend again and again.
TEST_F(LoggedBackendTest, AttemptsThatFailAndSucceedInTurnAreLoggedOnceASecond) {
  for (int i = 0; i < 3000; ++i) {
    Fail(StatusCode::kResourceExhausted);
    backend_.Succeeded(0);
    now_ += 1ms;
  }
  EXPECT_EQ(Lines(), 2 * 3U);
}

TEST_F(LoggedBackendTest, AFailureThatLastsIsLoggedOnceThoughItCameSoonAfterAnother) {
  Fail(StatusCode::kResourceExhausted);
  backend_.Succeeded(0);
  for (int i = 0; i < 100; ++i) {
    now_ += 100ms;
    Fail(StatusCode::kUnavailable);
  }
  EXPECT_EQ(Lines(), 3U);
  backend_.Succeeded(0);
  EXPECT_EQ(Lines(), 4U);
}

// A workload has its own address and state, and shares all else with the configured backend.
TEST(DiscoveredBackendTest, AWorkloadHasAnAddressOfItsOwn) {
  BackendCounters counters;
  const auto configured = MakeRef<Backend>(
      BackendConfig{
          .name = "shim", .discovered = true, .addresses = {}, .users = {0}, .position = {}},
      counters);
  const auto one = MakeRef<Backend>(
      configured, DiscoveredAddress{.address = *ttrpc::Address::Parse("unix:///one")});
  const auto two = MakeRef<Backend>(
      configured, DiscoveredAddress{.address = *ttrpc::Address::Parse("unix:///two"),
                                    .at_shared_socket = true});
  EXPECT_EQ(&one->configured(), configured.get());
  EXPECT_EQ(&configured->configured(), configured.get());
  EXPECT_EQ(one->addresses(), std::vector{*ttrpc::Address::Parse("unix:///one")});
  EXPECT_EQ(one->config().name, "shim");
  EXPECT_EQ(&one->counters(), &counters);

  const auto now = Backend::Clock::now();
  one->Failed({.address = 0, .begun = now}, Status(StatusCode::kUnknown, "broken"), now);
  EXPECT_FALSE(one->MayTry(0, now));
  EXPECT_TRUE(two->MayTry(0, now)) << "the failure is that of another workload";
  EXPECT_EQ(one->detail(), "unix:///one: broken");
  EXPECT_EQ(counters.connects_failed, 1U);

  EXPECT_FALSE(one->fails_calls());
  EXPECT_TRUE(two->fails_calls());
  BackendConfig next = configured->config();
  next.on_disconnect = BackendConfig::OnDisconnect::kFailCalls;
  configured->SetConfig(next);
  EXPECT_TRUE(one->fails_calls()) << "it follows a reload";
}

TEST(DiscoveredBackendTest, ItIsRetiredWithTheConfiguredOne) {
  BackendCounters counters;
  const auto configured = MakeRef<Backend>(
      BackendConfig{
          .name = "shim", .discovered = true, .addresses = {}, .users = {0}, .position = {}},
      counters);
  const DiscoveredAddress where = {.address = *ttrpc::Address::Parse("unix:///one")};
  const auto one = MakeRef<Backend>(configured, where);
  const auto two = MakeRef<Backend>(configured, where);
  one->Retire();
  EXPECT_TRUE(one->retired());
  EXPECT_FALSE(two->retired());
  configured->Retire();
  EXPECT_TRUE(two->retired());
}

}  // namespace
}  // namespace proxyd
