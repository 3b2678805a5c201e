// SPDX-License-Identifier: Apache-2.0
//
// Clients of shims that differ: containerd 2.x calls version 3 of the Task service, and goes back
// to version 2 only if UNIMPLEMENTED is the answer; ttrpc-rust can encrypt its messages, which the
// daemon must refuse with a clear message.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "harness/proxy_test.h"

namespace integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kTaskV2[] = "containerd.task.v2.Task";
constexpr char kTaskV3[] = "containerd.task.v3.Task";

// Both versions are allowed, by the set for them.
const std::string kTaskRules = R"(
[[rule]]
name = "tasks"
users = ["root"]
methods = ["@containerd/Connect"]
action = "allow"
backend = "back"
)";

// UNIMPLEMENTED as Go's server answers it, with a detail, a payload and a field that is newer than
// us: none of it may be lost.
WireMessage Unimplemented(uint32_t stream_id) {
  const std::string detail = BytesField(1, "type.example/T") + BytesField(2, "d");
  const std::string status =
      VarintField(1, 12) + BytesField(2, std::string("service ") + kTaskV3) + BytesField(3, detail);
  return {stream_id, kResponse, 0,
          BytesField(1, status) + BytesField(2, "payload") + BytesField(9, "new")};
}

// A shim that serves version 2 alone.
BackendReply ServeV2(const WireMessage& message) {
  if (message.data.find(kTaskV3) != std::string::npos)
    return {.bytes = Encode(Unimplemented(message.stream_id))};
  return {.bytes = Encode(Response(message.stream_id, "connected"))};
}

class ShimVersionsTest : public ProxyTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(ShimVersionsTest, UnimplementedStaysUnimplementedAndTheClientGoesBackToV2) {
  Start({.backend = GetParam(), .rules = kTaskRules, .server = {.script = ServeV2}});
  RawPeer containerd = Peer();
  for (uint32_t id = 1; id < 9; id += 4) {
    EXPECT_EQ(containerd.Exchange(Request(id, {.service = kTaskV3, .method = "Connect"})),
              Unimplemented(id));
    EXPECT_EQ(containerd.Exchange(Request(id + 2, {.service = kTaskV2, .method = "Connect"})),
              Response(id + 2, "connected"));
  }
  EXPECT_EQ(backend_->connections(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Connections, ShimVersionsTest,
                         ::testing::Values("connections = \"per-peer\"\n",
                                           "connections = \"per-user\"\n",
                                           "forward_identity = true\n"));

class PayloadTransformTest : public ProxyTest, public ::testing::WithParamInterface<const char*> {};

// Returns a request as a client with a transform sends it: the header is as always, and the whole
// envelope is transformed.
WireMessage Encrypted(uint32_t stream_id, uint8_t key) {
  std::string data = EncodeCall({.payload = "plain"});
  for (char& c : data) c = static_cast<char>(c ^ static_cast<char>(key));
  return RawRequest(stream_id, std::string(12, static_cast<char>(key)) + data);
}

TEST_P(PayloadTransformTest, IsRefusedByNameAndReachesNoBackend) {
  Start({.listener = GetParam()});
  RawPeer peer = Peer();
  uint32_t id = 1;
  for (const uint8_t key : {uint8_t{0x00}, uint8_t{0x5a}, uint8_t{0x80}, uint8_t{0xff}}) {
    EXPECT_THAT(
        peer.Exchange(Encrypted(id, key)),
        IsStatus(id, StatusCode::kInvalidArgument,
                 AllOf(HasSubstr("a payload transform of ttrpc-rust"), Not(HasSubstr("plain")))));
    id += 2;
  }
  ExpectEcho(peer, id);  // the connection works for requests that can be read
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{Echo(1)});
}

// A malformed request of a client without a transform gets no such advice.
TEST_P(PayloadTransformTest, IsNotNamedWhereARequestCouldBeRead) {
  Start({.listener = GetParam()});
  RawPeer peer = Peer();
  EXPECT_THAT(
      peer.Exchange(RawRequest(1, EncodeCall({}) + Tag(3, 2) + "\x20short")),
      IsStatus(1, StatusCode::kInvalidArgument, "unmarshal request error: truncated field"));
  ExpectEcho(peer, 3);
}

INSTANTIATE_TEST_SUITE_P(UnknownFields, PayloadTransformTest,
                         ::testing::Values("unknown_fields = \"refuse\"\n",
                                           "unknown_fields = \"drop\"\n"));

}  // namespace
}  // namespace integration
