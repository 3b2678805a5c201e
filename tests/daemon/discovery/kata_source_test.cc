// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <functional>
#include <thread>

#include "discovery/agent_query.h"
#include "harness.h"

namespace proxyd {
namespace {

using test::FollowerTest;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Key;

std::string AnswerWith(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// A shim that listens on shim-monitor.sock in a directory, and gives one answer to each request,
// one byte at a time. Its destructor ends it, and leaves the socket.
class FakeMonitor {
 public:
  FakeMonitor(const std::string& directory, std::string answer) : answer_(std::move(answer)) {
    test::MakeDirectories(directory);
    const std::string path = directory + "/" + kShimMonitor;
    socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const ttrpc::SocketAddress raw = test::AddressAt(path).ToSocketAddress();
    EXPECT_EQ(::bind(socket_.get(), raw.get(), raw.length), 0) << path;
    EXPECT_EQ(::listen(socket_.get(), 16), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~FakeMonitor() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }
  FakeMonitor(const FakeMonitor&) = delete;
  FakeMonitor& operator=(const FakeMonitor&) = delete;

 private:
  void Serve() {
    while (true) {
      const ttrpc::UniqueFd peer(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) return;
      std::string request;
      char byte = 0;
      while (!request.ends_with("\r\n\r\n") && ::recv(peer.get(), &byte, 1, 0) == 1) {
        request += byte;
      }
      EXPECT_TRUE(request.starts_with("GET /agent-url HTTP/1.1\r\n"));
      for (const char& next : answer_) {
        if (::send(peer.get(), &next, 1, MSG_NOSIGNAL) != 1) break;
      }
      // Without an answer, the connection stays until the other side gives up.
      if (answer_.empty()) static_cast<void>(::recv(peer.get(), &byte, 1, 0));
    }
  }

  const std::string answer_;
  ttrpc::UniqueFd socket_;
  std::thread thread_;
};

class KataSourceTest : public FollowerTest {
 protected:
  FollowedListener Kata() const {
    FollowedListener listener = Listener(DiscoverySource::kKata, rust_, base_ + "/{id}.sock");
    listener.source.directories.push_back(go_);
    return listener;
  }

  const std::string rust_ = folder_ / "kata";
  const std::string go_ = folder_ / "vc/sbs";
};

TEST_F(KataSourceTest, TheShimsAnswerIsTheAddress) {
  const FakeMonitor first(rust_ + "/one", AnswerWith("hvsock:///run/kata/one.hvsock:1024"));
  const FakeMonitor second(go_ + "/two", AnswerWith("vsock://7:1024\n"));
  Follow({Kata()});
  ASSERT_THAT(sink_.here, ElementsAre(Key("one"), Key("two")));
  EXPECT_EQ(sink_.here.at("one").address->ToString(), "hvsock:///run/kata/one.hvsock:1024");
  EXPECT_EQ(sink_.here.at("two").address->ToString(), "vsock:7:1024");
  EXPECT_TRUE(test::Connects(base_ + "/one.sock"));
}

TEST_F(KataSourceTest, TheMonitorMayComeLaterAndGo) {
  test::MakeDirectories(go_ + "/two");
  Follow({Kata()});
  EXPECT_THAT(sink_.here, IsEmpty());
  const FakeMonitor monitor(go_ + "/two", AnswerWith("vsock://7:1024"));
  RunUntil([&] { return sink_.Has("two") && sink_.here.at("two").address.has_value(); });
  std::filesystem::remove_all(go_ + "/two");
  RunUntil([&] { return sink_.here.empty(); });
  EXPECT_FALSE(std::filesystem::exists(base_ + "/two.sock"));
}

TEST_F(KataSourceTest, BadAnswersAreReported) {
  const FakeMonitor status(rust_ + "/status", "HTTP/1.1 500 Oops\r\n\r\n");
  const FakeMonitor huge(rust_ + "/huge", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
  const FakeMonitor path(rust_ + "/path", AnswerWith("unix:///run/containerd/containerd.sock"));
  const FakeMonitor garbage(rust_ + "/garbage", AnswerWith("\x1b[2J"));
  const FakeMonitor slow(rust_ + "/slow", "");
  test::MakeDirectories(rust_ + "/file");
  test::WriteTrusted(rust_ + "/file/" + kShimMonitor, "");
  Follow({Kata()});
  EXPECT_EQ(sink_.WhyOf("status"), "shim-monitor.sock: the answer has the status \"500\"");
  EXPECT_EQ(sink_.WhyOf("huge"),
            "shim-monitor.sock: the answer has a length that is not a number up to 65536");
  EXPECT_EQ(sink_.WhyOf("path"),
            "shim-monitor.sock: the agent's address \"unix:///run/containerd/containerd.sock\" is "
            "not in a virtual machine");
  EXPECT_TRUE(sink_.WhyOf("garbage").starts_with("shim-monitor.sock: the agent's address "));
  EXPECT_EQ(sink_.WhyOf("garbage").find('\x1b'), std::string::npos);
  EXPECT_EQ(sink_.WhyOf("slow"), "shim-monitor.sock: no answer within 2 s");
  EXPECT_EQ(sink_.WhyOf("file"), "shim-monitor.sock: not a socket");
  EXPECT_TRUE(sink_.fronts.empty());
}

TEST_F(KataSourceTest, AFailedQueryIsRepeated) {
  auto monitor = std::make_unique<FakeMonitor>(rust_ + "/one", "HTTP/1.1 503 Later\r\n\r\n");
  Follow({Kata()});
  EXPECT_NE(sink_.WhyOf("one"), "");
  monitor.reset();
  ASSERT_EQ(::unlink((rust_ + "/one/" + kShimMonitor).c_str()), 0);
  monitor = std::make_unique<FakeMonitor>(rust_ + "/one", AnswerWith("vsock://7:1024"));
  RunUntil([&] { return sink_.fronts.contains("one"); });
  EXPECT_EQ(sink_.WhyOf("one"), "");
}

TEST_F(KataSourceTest, MoreSandboxesThanQueriesAreAllAsked) {
  std::vector<std::unique_ptr<FakeMonitor>> monitors;
  monitors.reserve(80);
  for (int i = 0; i < 80; ++i) {
    monitors.push_back(std::make_unique<FakeMonitor>(
        rust_ + "/s" + std::to_string(i), AnswerWith("vsock://" + std::to_string(i + 3) + ":1")));
  }
  Follow({Kata()});
  EXPECT_EQ(sink_.here.size(), 80U);
  EXPECT_EQ(sink_.here.at("s40").address->ToString(), "vsock:43:1");
}

TEST_F(KataSourceTest, OneIdInTwoDirectoriesIsOneWorkload) {
  const FakeMonitor first(rust_ + "/one", AnswerWith("vsock://1:1"));
  const FakeMonitor second(go_ + "/one", AnswerWith("vsock://2:2"));
  Follow({Kata()});
  EXPECT_EQ(sink_.here.at("one").address->ToString(), "vsock:1:1");
  std::filesystem::remove_all(rust_ + "/one");
  RunUntil([&] { return sink_.here.at("one").address->ToString() == "vsock:2:2"; });
  EXPECT_TRUE(test::Connects(base_ + "/one.sock"));
}

}  // namespace
}  // namespace proxyd
