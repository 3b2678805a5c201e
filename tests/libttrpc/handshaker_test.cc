// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/handshaker.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "run_as.h"

namespace ttrpc {
namespace {

using test::RunAs;
using test::SocketpairAs;
using test::User;

// Runs a handshake to its end. The library's own handshakers never wait.
Task<void> Store(Task<Result<Handshaken>> task, std::optional<Result<Handshaken>>* result) {
  result->emplace(co_await std::move(task));
}

Result<Handshaken> RunHandshake(Handshaker& handshaker, UniqueFd socket) {
  const std::unique_ptr<event_base, decltype(&event_base_free)> base(event_base_new(),
                                                                     &event_base_free);
  IoLoop loop(base.get());
  std::optional<Result<Handshaken>> result;
  TaskGroup tasks;
  tasks.Spawn(Store(handshaker.Handshake(loop, std::move(socket)), &result));
  return std::move(*result);
}

Status Handshake(Handshaker& handshaker, UniqueFd socket, const User& user) {
  const Result<Handshaken> handshaken = RunHandshake(handshaker, std::move(socket));
  if (!handshaken) return handshaken.error();
  EXPECT_TRUE(handshaken->socket.valid());
  EXPECT_EQ(handshaken->credentials->uid, user.uid);
  EXPECT_EQ(handshaken->credentials->gid, user.gid);
  return {};
}

// Returns the decision of `handshaker` about a peer that is `user`.
Status Handshake(Handshaker& handshaker, const User& user) {
  const auto sockets = SocketpairAs(user);
  return Handshake(handshaker, UniqueFd(::dup(sockets[0].get())), user);
}

TEST(HandshakerTest, RequireUidGidWantsBoth) {
  const auto handshaker = RequireUidGid(1234, 2345);
  EXPECT_EQ(Handshake(*handshaker, {.uid = 1234, .gid = 2345, .groups = {}}), Status());
  EXPECT_EQ(Handshake(*handshaker, {.uid = 1234, .gid = 1, .groups = {2345}}),
            Status(StatusCode::kPermissionDenied,
                   "the peer is uid 1234 gid 1; expected uid 1234 gid 2345"));
  EXPECT_EQ(Handshake(*handshaker, {.uid = 1, .gid = 2345, .groups = {}}).code(),
            StatusCode::kPermissionDenied);
  EXPECT_EQ(Handshake(*handshaker, {.uid = 0, .gid = 0, .groups = {}}).code(),
            StatusCode::kPermissionDenied);
}

TEST(HandshakerTest, RequireRootWantsUidAndGidOfRoot) {
  const auto handshaker = RequireRoot();
  EXPECT_EQ(Handshake(*handshaker, {.uid = 0, .gid = 0, .groups = {}}), Status());
  EXPECT_EQ(Handshake(*handshaker, {.uid = 0, .gid = 1, .groups = {0}}).code(),
            StatusCode::kPermissionDenied);
  EXPECT_EQ(Handshake(*handshaker, {.uid = 1, .gid = 0, .groups = {0}}).code(),
            StatusCode::kPermissionDenied);
}

TEST(HandshakerTest, RequireSameUserComparesWithOurIdsOfTheMoment) {
  const auto handshaker = RequireSameUser();
  EXPECT_EQ(Handshake(*handshaker, {.uid = ::geteuid(), .gid = ::getegid(), .groups = {}}),
            Status());
  EXPECT_EQ(Handshake(*handshaker, {.uid = 1234, .gid = ::getegid(), .groups = {}}).code(),
            StatusCode::kPermissionDenied);
  EXPECT_EQ(Handshake(*handshaker, {.uid = ::geteuid(), .gid = 2345, .groups = {}}).code(),
            StatusCode::kPermissionDenied);

  const auto sockets = SocketpairAs({.uid = 1234, .gid = 2345, .groups = {}});
  Status as_that_user(StatusCode::kUnknown, "not run");
  RunAs({.uid = 1234, .gid = 2345, .groups = {}}, [&] {
    const Result<Handshaken> handshaken =
        RunHandshake(*handshaker, UniqueFd(::dup(sockets[0].get())));
    as_that_user = handshaken ? Status() : handshaken.error();
  });
  EXPECT_EQ(as_that_user, Status());
}

TEST(HandshakerTest, OwnCheckSeesGroupsAndItsStatusIsReturned) {
  const auto handshaker = RequireUnixCredentials([](const UnixCredentials& credentials) {
    if (credentials.groups == std::vector<gid_t>{77, 88}) return Status();
    return Status(StatusCode::kPermissionDenied, "not those groups");
  });
  EXPECT_EQ(Handshake(*handshaker, {.uid = 1, .gid = 1, .groups = {77, 88}}), Status());
  EXPECT_EQ(Handshake(*handshaker, {.uid = 1, .gid = 1, .groups = {77}}),
            Status(StatusCode::kPermissionDenied, "not those groups"));
}

TEST(HandshakerTest, WithoutCredentialsTheCheckIsNotAsked) {
  bool asked = false;
  const auto handshaker = RequireUnixCredentials([&asked](const UnixCredentials&) {
    asked = true;
    return Status();
  });
  const Result<Handshaken> handshaken =
      RunHandshake(*handshaker, UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  ASSERT_FALSE(handshaken);
  EXPECT_EQ(handshaken.error().code(), StatusCode::kUnauthenticated);
  EXPECT_FALSE(asked);
}

TEST(HandshakerTest, NoCheckRefuses) {
  const auto handshaker = RequireUnixCredentials(nullptr);
  EXPECT_EQ(Handshake(*handshaker, {.uid = 0, .gid = 0, .groups = {}}).code(),
            StatusCode::kPermissionDenied);
}

TEST(HandshakerTest, RequireGroupTakesEffectiveAndSupplementaryGroups) {
  const auto handshaker = RequireGroup(77);
  EXPECT_EQ(Handshake(*handshaker, {.uid = 1, .gid = 77, .groups = {}}), Status());
  EXPECT_EQ(Handshake(*handshaker, {.uid = 1, .gid = 1, .groups = {76, 77}}), Status());
  EXPECT_EQ(Handshake(*handshaker, {.uid = 77, .gid = 1, .groups = {78}}),
            Status(StatusCode::kPermissionDenied,
                   "the peer is uid 77 gid 1; expected a member of gid 77"));
}

// Passes the socket on, with a session that records its destruction.
class Noting final : public Handshaker {
 public:
  Noting(std::string name, std::vector<std::string>* log) : name_(std::move(name)), log_(log) {}

  Task<Result<Handshaken>> Handshake(IoLoop&, UniqueFd socket) override {
    log_->push_back(name_ + " shakes");
    Handshaken handshaken(std::move(socket));
    handshaken.session = std::make_unique<Session>(name_, log_);
    co_return std::move(handshaken);
  }

  struct Session final : HandshakeSession {
    Session(std::string n, std::vector<std::string>* l) : name(std::move(n)), log(l) {}
    ~Session() override { log->push_back(name + " ends"); }
    std::string name;
    std::vector<std::string>* log;
  };

 private:
  const std::string name_;
  std::vector<std::string>* const log_;
};

TEST(HandshakerTest, AllOfRunsEachAndKeepsTheirSessions) {
  std::vector<std::string> log;
  std::vector<std::unique_ptr<Handshaker>> parts;
  parts.push_back(std::make_unique<Noting>("one", &log));
  parts.push_back(RequireUidGid(1234, 2345));
  parts.push_back(std::make_unique<Noting>("two", &log));
  const auto all = AllOf(std::move(parts));
  const auto sockets = SocketpairAs({.uid = 1234, .gid = 2345, .groups = {}});
  {
    const Result<Handshaken> handshaken = RunHandshake(*all, UniqueFd(::dup(sockets[0].get())));
    ASSERT_TRUE(handshaken);
    EXPECT_EQ(handshaken->credentials->uid, 1234U);
    EXPECT_EQ(dynamic_cast<const Noting::Session&>(*handshaken->session->shown()).name, "two");
  }
  EXPECT_EQ(log, (std::vector<std::string>{"one shakes", "two shakes", "two ends", "one ends"}));
}

TEST(HandshakerTest, AllOfEndsWithTheFirstError) {
  std::vector<std::string> log;
  std::vector<std::unique_ptr<Handshaker>> parts;
  parts.push_back(RequireRoot());
  parts.push_back(std::make_unique<Noting>("never", &log));
  const auto all = AllOf(std::move(parts));
  EXPECT_EQ(Handshake(*all, {.uid = 1, .gid = 1, .groups = {}}).code(),
            StatusCode::kPermissionDenied);
  EXPECT_EQ(log, std::vector<std::string>());
}

}  // namespace
}  // namespace ttrpc
