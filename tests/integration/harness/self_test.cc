// SPDX-License-Identifier: Apache-2.0
//
// Tests of the harness itself, without a daemon: the assumptions of all other tests.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/io.h"
#include "harness/matchers.h"
#include "harness/raw_peer.h"
#include "harness/recording_backend.h"

namespace integration {
namespace {

class HarnessTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_ / "s.sock"; }
  const TempDir folder_;
};

TEST_F(HarnessTest, BackendRecordsAndEchoes) {
  RecordingBackend backend(path());
  RawPeer peer(path());
  const WireMessage request = Request(7, {.payload = "hello", .metadata = {{"a", "b"}}});
  EXPECT_EQ(peer.Exchange(request), Response(7, "hello"));
  EXPECT_TRUE(peer.Send(Request(9, {.method = "Hold"})));
  EXPECT_EQ(backend.WaitForMessages(0, 2), (std::vector{request, Request(9, {.method = "Hold"})}));
  EXPECT_TRUE(backend.Send(0, StatusResponse(9, 5, "gone")));
  EXPECT_THAT(peer.Receive(), IsStatus(9, StatusCode::kNotFound, "gone"));
  EXPECT_EQ(peer.Exchange(Request(9, Call())), Response(9, ""));
  peer.Close();
  EXPECT_EQ(backend.WaitForEnd(0).size(), 3U);
}

TEST_F(HarnessTest, BackendClosesAfterItsAnswer) {
  RecordingBackend backend(path(), {.script = [](const WireMessage&) {
                             return BackendReply{.bytes = Encode(Data(1, "last")), .close = true};
                           }});
  RawPeer peer(path());
  EXPECT_EQ(peer.Exchange(Request(1, Call())), Data(1, "last"));
  peer.ExpectEnd();
}

TEST_F(HarnessTest, BackendCloseEndsThePeer) {
  RecordingBackend backend("@ttrpc-proxy-harness-" + std::to_string(::getpid()));
  RawPeer peer("@ttrpc-proxy-harness-" + std::to_string(::getpid()));
  backend.WaitForConnections(1);
  backend.Close(0);
  EXPECT_EQ(peer.Receive(), std::nullopt);
}

TEST_F(HarnessTest, WhatThePeerSentIsTaken) {
  RecordingBackend backend(path());
  RawPeer peer(path());
  EXPECT_TRUE(peer.Send(EncodeHeader(3, 1, kData, 0)));
  peer.WaitUntilTaken();
  EXPECT_TRUE(peer.Send("abc"));
  EXPECT_EQ(backend.WaitForMessages(0, 1), std::vector{Data(1, "abc")});
}

TEST_F(HarnessTest, ConnectsAndListensAsOthers) {
  const ttrpc::UniqueFd listener = Bind(path());
  RunAs({.uid = 1234, .gid = 4321}, [&listener] { ::listen(listener.get(), 1); });
  ASSERT_EQ(::chmod(path().c_str(), 0666), 0);
  const RawPeer peer(path(), {.uid = 1000, .gid = 2000, .groups = {7, 8}});

  ucred credentials = {};
  socklen_t size = sizeof credentials;
  ASSERT_EQ(::getsockopt(peer.fd(), SOL_SOCKET, SO_PEERCRED, &credentials, &size), 0);
  EXPECT_EQ(credentials.uid, 1234U);
  EXPECT_EQ(credentials.gid, 4321U);

  const ttrpc::UniqueFd accepted(::accept(listener.get(), nullptr, nullptr));
  ASSERT_EQ(::getsockopt(accepted.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size), 0);
  EXPECT_EQ(credentials.uid, 1000U);
  EXPECT_EQ(credentials.gid, 2000U);
  gid_t groups[4] = {};
  size = sizeof groups;
  ASSERT_EQ(::getsockopt(accepted.get(), SOL_SOCKET, SO_PEERGROUPS, groups, &size), 0);
  EXPECT_EQ(size, 2 * sizeof(gid_t));
  EXPECT_EQ(groups[0], 7U);
  EXPECT_EQ(groups[1], 8U);
  EXPECT_EQ(::geteuid(), 0U) << "the program itself must stay root";
}

TEST_F(HarnessTest, EnvelopesAreProtobuf) {
  EXPECT_EQ(EncodeCall({.service = "s", .method = "m", .payload = "p", .timeout_nano = 300}),
            "\x0a\x01s\x12\x01m\x1a\x01p\x20\xac\x02");
  EXPECT_EQ(MetadataField("k", "v"), "\x2a\x06\x0a\x01k\x12\x01v");
  EXPECT_EQ(PaddedVarint(1, 3), std::string("\x81\x80\x00", 3));
  EXPECT_EQ(Encode(CloseStream(3)), std::string("\0\0\0\0\0\0\0\x03\x03\x05", 10));
}

}  // namespace
}  // namespace integration
