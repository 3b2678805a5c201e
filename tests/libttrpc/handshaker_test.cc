// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/handshaker.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "run_as.h"

namespace ttrpc {
namespace {

using test::RunAs;
using test::SocketpairAs;
using test::User;

// What `handshaker` says of a peer that is `user`.
Status Handshake(Handshaker& handshaker, const User& user) {
  const auto sockets = SocketpairAs(user);
  const Result<UnixCredentials> credentials = handshaker.Handshake(sockets[0].get());
  if (!credentials) return credentials.error();
  EXPECT_EQ(credentials->uid, user.uid);
  EXPECT_EQ(credentials->gid, user.gid);
  return {};
}

TEST(HandshakerTest, RequireUidGidWantsBoth) {
  const auto handshaker = RequireUidGid(1234, 2345);
  EXPECT_EQ(Handshake(*handshaker, {.uid = 1234, .gid = 2345, .groups = {}}), Status());
  EXPECT_EQ(Handshake(*handshaker, {.uid = 1234, .gid = 1, .groups = {2345}}),
            Status(StatusCode::kPermissionDenied,
                   "uid 1234 gid 1 is at the other end, expected uid 1234 gid 2345"));
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
    const Result<UnixCredentials> credentials = handshaker->Handshake(sockets[0].get());
    as_that_user = credentials ? Status() : credentials.error();
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
  const UniqueFd unconnected(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Result<UnixCredentials> credentials = handshaker->Handshake(unconnected.get());
  ASSERT_FALSE(credentials);
  EXPECT_EQ(credentials.error().code(), StatusCode::kUnauthenticated);
  EXPECT_FALSE(asked);
}

TEST(HandshakerTest, NoCheckRefuses) {
  const auto handshaker = RequireUnixCredentials(nullptr);
  EXPECT_EQ(Handshake(*handshaker, {.uid = 0, .gid = 0, .groups = {}}).code(),
            StatusCode::kPermissionDenied);
}

TEST(HandshakerTest, SocketStaysOpenWhetherRefusedOrNot) {
  const auto sockets = SocketpairAs({.uid = 1234, .gid = 2345, .groups = {}});
  EXPECT_TRUE(RequireUidGid(1234, 2345)->Handshake(sockets[0].get()).has_value());
  EXPECT_FALSE(RequireRoot()->Handshake(sockets[0].get()).has_value());
  EXPECT_EQ(::send(sockets[0].get(), "x", 1, MSG_NOSIGNAL), 1);
}

}  // namespace
}  // namespace ttrpc
