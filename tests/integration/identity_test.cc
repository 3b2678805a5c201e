// SPDX-License-Identifier: Apache-2.0
//
// Metadata: what the proxy adds about a peer, what a peer cannot set itself, and what passes
// unchanged.
#include <gtest/gtest.h>

#include <algorithm>

#include "harness/proxy_test.h"
#include "ttrpc/wire/request.h"

namespace integration {
namespace {

class IdentityTest : public ProxyTest {
 protected:
  // Returns the metadata of the last of `count` messages on a backend connection.
  Metadata ReachedMetadata(size_t connection, size_t count) {
    const std::vector<WireMessage> messages = backend_->WaitForMessages(connection, count);
    Metadata metadata;
    ttrpc::RequestView request;
    if (messages.size() < count) return metadata;
    const WireMessage& message = messages[count - 1];
    EXPECT_TRUE(
        ttrpc::ParseRequest(message.data, ttrpc::UnknownFieldAction::kRefuse, &request).ok());
    for (const auto& [key, value] : request.metadata) metadata.emplace_back(key, value);
    return metadata;
  }
};

Metadata Of(uid_t uid, gid_t gid) {
  return {{"ttrpc-proxy-gid", std::to_string(gid)},
          {"ttrpc-proxy-pid", std::to_string(::getpid())},
          {"ttrpc-proxy-uid", std::to_string(uid)}};
}

// The proxy's entries are next to each other, before or after the peer's own.
void ExpectOursAndOthers(Metadata metadata, const Metadata& ours, const Metadata& others) {
  const auto is_ours = [](const auto& entry) { return entry.first.starts_with("ttrpc-proxy-"); };
  Metadata found;
  std::copy_if(metadata.begin(), metadata.end(), std::back_inserter(found), is_ours);
  std::sort(found.begin(), found.end());
  std::erase_if(metadata, is_ours);
  EXPECT_EQ(found, ours);
  EXPECT_EQ(metadata, others);
}

const Metadata kForged = {{"ttrpc-proxy-uid", "0"},      {"TTRPC-PROXY-UID", "0"},
                          {"Ttrpc-Proxy-gid", "0"},      {"ttrpc-proxy-", "x"},
                          {"ttrpc-proxy-anything", "x"}, {"tTRPC-pROXY-PID", "1"}};
const Metadata kOthers = {{"z", "1"},
                          {"a", "2"},
                          {"z", "1"},
                          {"Mixed-Case", ""},
                          {"", "no key"},
                          {"ttrpc-proxyuid", "5"},
                          {"x-ttrpc-proxy-uid", "6"},
                          {"utf-8", "\xc3\xa9\xe2\x82\xac"}};

Metadata Mixed() {
  Metadata mixed;
  for (size_t i = 0; i < std::max(kForged.size(), kOthers.size()); ++i) {
    if (i < kForged.size()) mixed.push_back(kForged[i]);
    if (i < kOthers.size()) mixed.push_back(kOthers[i]);
  }
  return mixed;
}

const char kEveryone[] = R"(
[[rule]]
name = "everyone"
users = ["*"]
methods = ["/test.Unary/*"]
action = "allow"
backend = "back"
)";

TEST_F(IdentityTest, ForgedIdentityIsDroppedAndNothingAdded) {
  Start();
  RawPeer peer = Peer();
  EXPECT_EQ(peer.Exchange(Request(1, {.metadata = Mixed()})), Response(1, ""));
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{Request(1, {.metadata = kOthers})});
}

TEST_F(IdentityTest, ForwardIdentityAddsExactlyOurs) {
  Start({.backend = "forward_identity = true\n", .rules = kEveryone});
  RawPeer root = Peer();
  EXPECT_EQ(root.Exchange(Request(1, {.metadata = Mixed()})), Response(1, ""));
  ExpectOursAndOthers(ReachedMetadata(0, 1), Of(0, 0), kOthers);
  EXPECT_EQ(root.Exchange(Request(3, Call())), Response(3, ""));
  ExpectOursAndOthers(ReachedMetadata(0, 2), Of(0, 0), {});

  RawPeer user = Peer({.uid = 1234, .gid = 4321, .groups = {0}});
  EXPECT_EQ(user.Exchange(Request(1, {.metadata = Mixed()})), Response(1, ""));
  ExpectOursAndOthers(ReachedMetadata(1, 1), Of(1234, 4321), kOthers);
}

TEST_F(IdentityTest, ForwardIdentityIsAddedToStreams) {
  Start({.backend = "forward_identity = true\n"});
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.service = "test.Stream", .method = "Hold"}, kOpen)));
  ExpectOursAndOthers(ReachedMetadata(0, 1), Of(0, 0), {});
}

// These rules have conditions on metadata.
class GuardedMetadataTest : public ProxyTest {
 protected:
  void Start() {
    ProxyTest::Start({.rules = R"(
[[rule]]
name = "one namespace"
users = ["root"]
methods = ["/test.Unary/*"]
metadata = { "containerd-namespace-ttrpc" = "k8s.io" }
action = "allow"
backend = "back"

[[rule]]
name = "open"
users = ["root"]
methods = ["/test.Open/*"]
action = "allow"
backend = "back"
)"});
  }
};

constexpr char kKey[] = "containerd-namespace-ttrpc";

TEST_F(GuardedMetadataTest, ExactValueIsAllowed) {
  Start();
  RawPeer peer = Peer();
  const Call call = {.metadata = {{"other", "x"}, {kKey, "k8s.io"}}};
  EXPECT_EQ(peer.Exchange(Request(1, call)), Response(1, ""));
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{Request(1, call)});
}

TEST_F(GuardedMetadataTest, OtherValueOrNoneIsDenied) {
  Start();
  RawPeer peer = Peer();
  for (const Metadata& metadata :
       {Metadata{}, Metadata{{kKey, "moby"}}, Metadata{{kKey, "K8S.IO"}}, Metadata{{kKey, ""}},
        Metadata{{kKey, "k8s.io "}}, Metadata{{"other", "k8s.io"}}}) {
    EXPECT_THAT(peer.Exchange(Request(1, {.metadata = metadata})),
                IsStatus(1, StatusCode::kPermissionDenied, "uid 0 may not call /test.Unary/Do"));
  }
  RawPeer other = Peer();
  EXPECT_EQ(other.Exchange(Request(1, {.service = "test.Open"})), Response(1, ""));
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{Request(1, {.service = "test.Open"})});
}

// The refusal does not depend on the rule that would match: a server might read the other entry.
TEST_F(GuardedMetadataTest, RepeatedOrNotInLowerCaseIsInvalidArgument) {
  Start();
  RawPeer peer = Peer();
  for (const char* service : {"test.Unary", "test.Open", "test.Nobody"}) {
    for (const Metadata& metadata :
         {Metadata{{kKey, "k8s.io"}, {kKey, "k8s.io"}}, Metadata{{kKey, "k8s.io"}, {kKey, "moby"}},
          Metadata{{kKey, "k8s.io"}, {"Containerd-Namespace-Ttrpc", "moby"}},
          Metadata{{"CONTAINERD-NAMESPACE-TTRPC", "k8s.io"}}}) {
      EXPECT_THAT(
          peer.Exchange(Request(1, {.service = service, .metadata = metadata})),
          IsStatus(1, StatusCode::kInvalidArgument,
                   "metadata containerd-namespace-ttrpc must appear once and in lower case"));
    }
  }
  const Call call = {.service = "test.Open", .metadata = {{kKey, "moby"}}};
  EXPECT_EQ(peer.Exchange(Request(3, call)), Response(3, ""));
  EXPECT_EQ(backend_->WaitForMessages(0, 1), std::vector{Request(1, call)});
}

}  // namespace
}  // namespace integration
