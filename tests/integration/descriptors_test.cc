// SPDX-License-Identifier: Apache-2.0
//
// A daemon without free descriptors: new clients wait, connected peers continue, and a backend that
// cannot be dialled is unavailable. Everything works again once a descriptor is free.
#include <gtest/gtest.h>

#include <deque>

#include "harness/proc.h"
#include "harness/proxy_test.h"

namespace integration {
namespace {

using std::chrono::milliseconds;

bool SaysThatItCannotAccept(const std::string& line) {
  return line.find("cannot accept connections: Too many open files; clients wait") !=
         std::string::npos;
}
bool SaysThatItAcceptsAgain(const std::string& line) {
  return line.find("accepting again") != std::string::npos;
}

class DescriptorsTest : public ProxyTest {
 protected:
  void StartWith(const rlimit& limit) {
    WriteConfig({});
    StartBackend();
    daemon_ = std::make_unique<DaemonProcess>(std::vector<std::string>{"--config", config_path()},
                                              DaemonSurroundings{.descriptors = limit});
    ASSERT_TRUE(daemon_->WaitUntilReady());
  }

  // Connects idle peers until the daemon cannot accept one.
  void Exhaust() {
    const size_t said = Said();
    while (Said() == said) {
      ASSERT_LT(idle_.size(), kLimit);
      const size_t before = SocketsOf(daemon_->pid());
      idle_.push_back(Peer());
      EXPECT_TRUE(Eventually([&] { return SocketsOf(daemon_->pid()) > before || Said() > said; }));
    }
  }
  size_t Said() const { return daemon_->WaitForLines(0, SaysThatItCannotAccept).size(); }

  // Expects an answer once the daemon has noticed that others are gone.
  static void ExpectServedSoon(RawPeer& peer) {
    std::optional<WireMessage> answer;
    EXPECT_TRUE(Eventually([&peer, &answer] {
      answer = peer.Exchange(Echo(1));
      return answer == Response(1, "echo") || !answer.has_value();
    }));
    EXPECT_EQ(answer, Response(1, "echo"));
  }

  static constexpr rlim_t kLimit = 64;
  std::deque<RawPeer> idle_;
};

TEST_F(DescriptorsTest, SoftLimitIsRaisedToTheHardOne) {
  StartWith({.rlim_cur = 100, .rlim_max = 200});
  const ProcessLimit limit = DescriptorLimitOf(daemon_->pid());
  EXPECT_EQ(limit.soft, "200");
  EXPECT_EQ(limit.hard, "200");
}

TEST_F(DescriptorsTest, WithoutAnyPeersWaitAndTheProcessorRests) {
  StartWith({.rlim_cur = kLimit, .rlim_max = kLimit});
  RawPeer served = Peer();
  ExpectEcho(served, 1);
  Exhaust();
  std::vector<RawPeer> waiting;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(waiting.emplace_back(Peer()).Send(Echo(1)));
  }
  ExpectEcho(served, 3);

  // Nothing may arrive during this time.
  constexpr milliseconds kWhile{1000};
  constexpr milliseconds kTriesOnly{200};  // a busy loop would use all of it
  const milliseconds before = ProcessorTimeOf(daemon_->pid());
  bool timed_out = false;
  EXPECT_EQ(ReadUpTo(waiting[0].fd(), 1, &timed_out, kWhile), "");
  EXPECT_TRUE(timed_out) << "it was closed";
  EXPECT_LT(ProcessorTimeOf(daemon_->pid()) - before, kTriesOnly);
  EXPECT_EQ(Said(), 1U);
  EXPECT_TRUE(daemon_->WaitForLines(0, SaysThatItAcceptsAgain).empty());

  // These peers connected earlier, so the daemon accepts them now, in that order.
  idle_.clear();
  daemon_->WaitForLines(1, SaysThatItAcceptsAgain);
  for (RawPeer& peer : waiting) {
    // This call may have failed if no descriptor was free for its backend.
    EXPECT_TRUE(peer.Receive().has_value());
    ExpectServedSoon(peer);
  }
  ExpectEcho(served, 5);
}

TEST_F(DescriptorsTest, WithoutOneABackendIsUnavailable) {
  StartWith({.rlim_cur = kLimit, .rlim_max = kLimit});
  Exhaust();
  RawPeer& peer = idle_.front();
  for (const uint32_t id : {1U, 3U}) {
    EXPECT_THAT(peer.Exchange(Echo(id)),
                IsStatus(id, StatusCode::kUnavailable, "backend \"back\" cannot be reached"));
  }
  EXPECT_EQ(backend_->connections(), 0U);
  while (idle_.size() > 1) idle_.pop_back();
  ExpectServedSoon(peer);
}

// The daemon reserves the descriptors that a reload needs.
TEST_F(DescriptorsTest, WithoutAnyItReloads) {
  StartWith({.rlim_cur = kLimit, .rlim_max = kLimit});
  RawPeer served = Peer();
  ExpectEcho(served, 1);
  Exhaust();
  const size_t before = DescriptorsOf(daemon_->pid());
  const std::string other = folder_ / "other.sock";
  WriteConfig({.rules = std::string(kDefaultRules) +
                        "[[listener]]\nname = \"other\"\naddress = "
                        "\"unix://" +
                        other + "\"\n"});
  daemon_->Signal(SIGHUP);
  daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find("reloaded: 2 listeners") != std::string::npos;
  });
  EXPECT_LE(DescriptorsOf(daemon_->pid()), before) << "the reload kept descriptors";
  ExpectEcho(served, 3);
  idle_.clear();
  RawPeer peer(other);
  ExpectServedSoon(peer);
}

TEST_F(DescriptorsTest, WithoutAnyItDrains) {
  StartWith({.rlim_cur = kLimit, .rlim_max = kLimit});
  RawPeer served = Peer();
  ExpectEcho(served, 1);
  Exhaust();
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  served.ExpectEnd();
}

}  // namespace
}  // namespace integration
