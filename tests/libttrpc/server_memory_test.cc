// SPDX-License-Identifier: Apache-2.0
//
// The memory that a server uses for an idle connection and for a pending call. The tests need an
// optimized build and an allocator that counts, which a sanitizer's does not.
#include <gtest/gtest.h>
#include <malloc.h>

#include <memory>
#include <string>
#include <vector>

#include "server_harness.h"

namespace ttrpc {
namespace {

using test::kOpenNoData;
using test::RawPeer;
using test::RequestBytes;

constexpr size_t kMany = 500;  // the number of objects that are measured

using ServerMemoryTest = test::ServerFixture;

TEST_F(ServerMemoryTest, AnIdleConnectionAndAPendingCallCostAKibibyteEach) {
  Start();
  std::vector<std::unique_ptr<RawPeer>> peers;
  peers.reserve(kMany);
  // The first connection allocates what all of them share.
  const auto first = Connect();
  EXPECT_EQ(Ask(*first, RequestBytes(1, "Echo", "x")), "1 OK x");
  size_t before = ::mallinfo2().uordblks;
  for (size_t i = 0; i < kMany; ++i) {
    peers.push_back(Connect());
    EXPECT_EQ(Ask(*peers.back(), RequestBytes(1, "Echo", "x")), "1 OK x");
  }
  RunReady();
  size_t each = (::mallinfo2().uordblks - before) / kMany;
  RecordProperty("bytes_of_an_idle_connection", static_cast<int>(each));
  EXPECT_LE(each, 1024U);

  const auto pending = [&](std::string_view method, uint8_t flags, std::string_view request) {
    const auto peer = Connect();
    EXPECT_EQ(Ask(*peer, RequestBytes(1, "Echo", "x")), "1 OK x");
    std::string requests;
    for (uint32_t id = 3; id < 3 + 2 * kMany; id += 2)
      requests += RequestBytes(id, method, request, flags);
    before = ::mallinfo2().uordblks;
    peer->Write(requests);
    RunUntil([this, &peer] {
      peer->Write("");
      return bench_.alive == kMany;
    });
    each = (::mallinfo2().uordblks - before) / kMany;
    RecordProperty("bytes_of_a_pending_" + std::string(method), static_cast<int>(each));
    EXPECT_LE(each, 1024U) << method;
    peer->Close();
    bench_.latch.Open();
    RunUntil([this] { return bench_.alive == 0; });
  };
  pending("Hang", 0, "");
  pending("Chat", kOpenNoData, "");
}

}  // namespace
}  // namespace ttrpc
