// SPDX-License-Identifier: Apache-2.0
//
// The daemon ends even if peers do not read what it sends.
#include <gtest/gtest.h>

#include <csignal>

#include "harness/proxy_test.h"

namespace integration {
namespace {

using ::testing::HasSubstr;

class EndingsTest : public ProxyTest {};

TEST_F(EndingsTest, PeerThatReadsNothingIsClosedWithItsLineAfterTheDrainTimeout) {
  Start({.head = "[daemon]\ndrain_timeout = \"10ms\"\n[audit]\ncalls = \"all\"\n"});
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.service = "test.Stream", .method = "Hold"}, kClosed)));
  backend_->WaitForMessages(0, 1);
  EXPECT_TRUE(backend_->Send(0, Data(1, std::string(3 << 20, 'x'))));
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  EXPECT_THAT(daemon_->log(), HasSubstr("\"code\":\"UNAVAILABLE\""));
  EXPECT_THAT(daemon_->log(), HasSubstr("\"event\":\"disconnect\""));
}

}  // namespace
}  // namespace integration
