// SPDX-License-Identifier: Apache-2.0
//
// The memory that users can make the daemon hold: how much it is at most, which peers are closed
// for it, and that it is returned to the system.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "harness/admin_test.h"

namespace integration {
namespace {

constexpr size_t kMiB = 1U << 20;
constexpr std::chrono::milliseconds kBriefly{50};

size_t ResidentMemory(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  size_t total = 0;
  size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

// Returns messages of an unknown type, each of which is dropped.
std::string UnknownMessages(size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += EncodeHeader(0, 1, 9, 0);
  return bytes;
}

// Returns a request without its last byte.
std::string MostOfARequest(size_t payload) {
  std::string bytes = Encode(Request(1, {.payload = std::string(payload, 'x')}));
  bytes.pop_back();
  return bytes;
}

class MemoryOfUsersTest : public AdminTest {
 protected:
  void StartWith(const std::string& limits, BackendScript script = EchoDo) {
    StartWithAdmin({.head = "[limits]\n" + limits,
                    .rules = kOpenRules,
                    .server = {.script = std::move(script)}});
  }
  uint64_t Buffered(uid_t uid) { return UserStatus(uid).buffered(); }
  static bool Closed(const RawPeer& peer) {
    char byte = 0;
    return ::recv(peer.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
  }
  static size_t CountClosed(const std::vector<RawPeer>& peers) {
    return static_cast<size_t>(std::count_if(peers.begin(), peers.end(), Closed));
  }

  std::vector<RawPeer> peers_;

  void TearDown() override {
    peers_.clear();
    ProxyTest::TearDown();
  }
};

// Far more is sent than the daemon may hold. The rest stays in the sockets.
TEST_F(MemoryOfUsersTest, ManyConnectionsOfAUserTakeNoMoreThanItsLimitAndItGoesBack) {
  constexpr size_t kPerUser = 16 * kMiB;
  constexpr size_t kPeers = 400;
  StartWith("buffered_per_user = \"16MiB\"\nmessage_size = \"1MiB\"\n");
  RawPeer root = Peer();
  ExpectEcho(root, 1);
  const size_t idle = ResidentMemory(daemon_->pid());
  const std::string dropped = UnknownMessages(20'000);
  const std::string kept = MostOfARequest(180'000);
  size_t peak = 0;
  uint32_t id = 3;
  for (size_t i = 0; i < kPeers; ++i) {
    RawPeer& peer = peers_.emplace_back(Peer(Someone(kAlice)));
    ::send(peer.fd(), dropped.data(), dropped.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    RawPeer& other = peers_.emplace_back(Peer(Someone(kAlice)));
    ::send(other.fd(), kept.data(), kept.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (i % 20 != 0) continue;
    ExpectEcho(root, id);
    id += 2;
    peak = std::max(peak, ResidentMemory(daemon_->pid()));
  }
  if (!DaemonIsSanitized()) {
    EXPECT_LT(peak, idle + kPerUser * 3 / 2);
  }
  peers_.clear();
  EXPECT_TRUE(Await([](const auto& status) { return status.peers() == 1; }));
  if (DaemonIsSanitized()) return;
  EXPECT_TRUE(Eventually([&] { return ResidentMemory(daemon_->pid()) < idle + 10 * kMiB; }))
      << ResidentMemory(daemon_->pid()) / kMiB << " MiB, idle " << idle / kMiB;
}

TEST_F(MemoryOfUsersTest, CallsInFlightCount) {
  StartWith("", Silent);
  RawPeer peer = Peer(Someone(kAlice));
  std::string requests;
  for (uint32_t id = 1; id < 2000; id += 2) requests += Encode(Request(id, {.method = "Hold"}));
  EXPECT_TRUE(peer.Send(requests));
  EXPECT_EQ(backend_->WaitForMessages(0, 1000).size(), 1000U);
  const uint64_t held = Buffered(kAlice);
  EXPECT_GT(held, 300'000U);
  EXPECT_LT(held, 2'000'000U);
  std::string answers;
  for (uint32_t id = 1; id < 2000; id += 2) answers += Encode(Response(id, ""));
  EXPECT_TRUE(backend_->Send(0, answers));
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(peer.Receive().has_value());
  EXPECT_EQ(Buffered(kAlice), 0U);
}

// A user over its limit is not read, even on connections that hold little. Reading continues when
// there is room again.
TEST_F(MemoryOfUsersTest, WhoIsOverItsLimitIsNotRead) {
  StartWith("buffered_per_user = \"2MiB\"\nmessage_size = \"1MiB\"\n");
  const std::string most = MostOfARequest(900 << 10);
  RawPeer light = Peer(Someone(kAlice));
  RawPeer bob = Peer(Someone(kBob));
  ExpectEcho(light, 1);
  for (int i = 0; i < 3; ++i) {
    RawPeer& peer = peers_.emplace_back(Peer(Someone(kAlice)));
    SendAll(peer.fd(), most, nullptr, kBriefly);
  }
  // One of these peers is closed after a second, since none of its bytes move; the others stay.
  ExpectEcho(light, 3);
  ExpectEcho(bob, 1);
  EXPECT_EQ(CountClosed(peers_), 1U);
  EXPECT_TRUE(Closed(peers_[0])) << "this peer was stuck for longest";
}

// Many users hold a little each, which together exceeds the limit.
TEST_F(MemoryOfUsersTest, ACrowdOfLightUsersLosesWhatIsStuckAndWhoReadsKeepsItsCalls) {
  constexpr uid_t kCrowd = 200;
  StartWith("buffered_per_user = \"4MiB\"\nbuffered = \"8MiB\"\nmessage_size = \"1MiB\"\n");
  const std::string most = MostOfARequest(55 << 10);
  RawPeer bob = Peer(Someone(kBob));
  ExpectEcho(bob, 1);
  for (uid_t i = 0; i < kCrowd; ++i) {
    RawPeer& peer = peers_.emplace_back(Peer(Someone(100000 + i)));
    EXPECT_TRUE(peer.Send(most));
  }
  // The crowd must exist before the call: a later member might be closed instead.
  EXPECT_TRUE(Await([](const auto& status) { return status.buffered() > 7 * kMiB; }));
  const std::string payload(300 << 10, 'x');
  for (uint32_t id = 3; id < 20; id += 2) {
    ASSERT_EQ(bob.Exchange(Request(id, {.payload = payload})), Response(id, payload));
  }
  EXPECT_TRUE(Await([](const auto& status) { return status.buffered() <= 8 * kMiB; }));
  const size_t closed = CountClosed(peers_);
  EXPECT_GT(closed, 0U);
  EXPECT_LT(closed, kCrowd / 2) << "more peers were closed than necessary";
  for (size_t i = 0; i < closed; ++i) EXPECT_TRUE(Closed(peers_[i])) << i;
  ExpectEcho(bob, 21);
}

}  // namespace
}  // namespace integration
