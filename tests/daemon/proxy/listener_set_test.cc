// SPDX-License-Identifier: Apache-2.0
//
// The sockets of a configuration, and their change to those of the next one. Blocking work may
// happen on any thread. The loop neither creates nor removes a path.
#include "proxy/listener_set.h"

#include <event2/event.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/run_until.h"
#include "support/temp_folder.h"
#include "ttrpc/event_loop.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using ttrpc::UniqueFd;

class ListenerSetTest : public ::testing::Test {
 protected:
  struct Wanted {
    std::string name;
    std::string file;
    mode_t mode = 0600;
  };
  Config ConfigOf(const std::vector<Wanted>& wanted) const {
    Config config;
    for (const Wanted& listener : wanted) {
      config.listeners.push_back(
          {.name = listener.name,
           .address = ttrpc::Address::Parse("unix://" + (folder_ / listener.file)).value(),
           .access = {.owner = {}, .group = {}, .mode = listener.mode},
           .timeouts = {},
           .connections_per_user = {},
           .position = {}});
    }
    return config;
  }
  // Prepares the sockets on another thread, as a reload does. Returns "" or the error.
  std::string Prepare(const Config& config) {
    std::string error;
    std::optional<ListenerSet::NewSockets> sockets;
    std::thread([&, here = listeners_.here()] {
      PassedSockets none;
      auto made = ListenerSet::Make(here, SocketsOf(config.listeners), &none);
      if (made) {
        sockets.emplace(*std::move(made));
      } else {
        error = made.error().message();
      }
    }).join();
    if (!sockets) return error;
    auto change = listeners_.Prepare(SocketsOf(config.listeners), *std::move(sockets));
    if (!change) return change.error().message();
    change_.emplace(*std::move(change));
    return "";
  }
  std::vector<BoundSocket> Commit() {
    auto gone = listeners_.Commit(*std::move(change_));
    change_.reset();
    return gone;
  }
  std::vector<BoundSocket> Become(const Config& config) {
    EXPECT_EQ(Prepare(config), "");
    return Commit();
  }
  // Returns the sockets in the directory, without their lock files.
  std::vector<std::string> Sockets() const {
    std::vector<std::string> names = folder_.List();
    std::erase_if(names, [](const std::string& name) { return name.starts_with('.'); });
    return names;
  }
  mode_t ModeOf(const std::string& file) const {
    struct stat info {};
    EXPECT_EQ(::stat((folder_ / file).c_str(), &info), 0);
    return info.st_mode & 0777;
  }
  // Returns the listener that accepts a connection to this socket.
  size_t ReachedBy(const std::string& file) {
    const auto where = ttrpc::Address::Parse("unix://" + (folder_ / file))->ToSocketAddress();
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket.get(), where.get(), where.length), 0);
    accepted_.reset();
    ::test::RunUntil(loop_, [this] { return accepted_.has_value(); });
    return *accepted_;
  }

  const ::test::TempFolder folder_;
  ttrpc::EventLoop loop_;
  std::optional<size_t> accepted_;
  ListenerSet listeners_{
      loop_.io(),
      {.accepted = [this](size_t listener, const UniqueFd&) { accepted_ = listener; },
       .paused = nullptr}};
  std::optional<ListenerSet::Change> change_;
};

TEST_F(ListenerSetTest, KeepsSocketsByAddressAndCountsThemAnew) {
  EXPECT_THAT(Become(ConfigOf({{"one", "a"}, {"two", "b"}})), IsEmpty());
  EXPECT_EQ(ReachedBy("a"), 0U);
  EXPECT_THAT(Become(ConfigOf({{"new", "c"}, {"two", "a"}, {"one", "b"}})), IsEmpty());
  EXPECT_THAT(Sockets(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(ReachedBy("a"), 1U);
  EXPECT_EQ(ReachedBy("b"), 2U);
  EXPECT_EQ(ReachedBy("c"), 0U);
}

// The loop only returns the sockets, since removing a path may wait for a disk.
TEST_F(ListenerSetTest, WhatIsGoneIsRemovedByWhoeverDestroysIt) {
  EXPECT_THAT(Become(ConfigOf({{"one", "a"}, {"two", "b"}})), IsEmpty());
  std::vector<BoundSocket> gone = Become(ConfigOf({{"two", "b"}}));
  EXPECT_EQ(gone.size(), 1U);
  EXPECT_THAT(Sockets(), ElementsAre("a", "b"));
  std::thread([gone = std::move(gone)]() mutable { gone.clear(); }).join();
  EXPECT_THAT(Sockets(), ElementsAre("b"));
}

TEST_F(ListenerSetTest, WhatIsNotCommittedIsUndone) {
  EXPECT_THAT(Become(ConfigOf({{"one", "a"}})), IsEmpty());
  const Config next = ConfigOf({{"one", "a", 0660}, {"two", "b"}});
  EXPECT_EQ(Prepare(next), "");
  EXPECT_THAT(Sockets(), ElementsAre("a", "b"));
  EXPECT_EQ(ModeOf("a"), 0660U);
  change_.reset();
  EXPECT_THAT(Sockets(), ElementsAre("a"));
  EXPECT_EQ(ModeOf("a"), 0600U);
}

TEST_F(ListenerSetTest, TheFirstThatCannotBeMadeUndoesTheOthers) {
  EXPECT_THAT(Become(ConfigOf({{"one", "a"}})), IsEmpty());
  EXPECT_EQ(Prepare(ConfigOf({{"one", "a", 0660}, {"two", "b"}, {"three", "missing/c"}})),
            "listener \"three\": unix://" + (folder_ / "missing/c") + ": " + (folder_ / "missing") +
                ": No such file or directory");
  EXPECT_THAT(Sockets(), ElementsAre("a"));
  EXPECT_EQ(ModeOf("a"), 0600U);
}

// Prepared sockets do not accept yet. Destroying them removes them.
TEST_F(ListenerSetTest, SocketsThatAreNotUsedGoWithTheirOwner) {
  PassedSockets none;
  {
    const auto made =
        ListenerSet::Make({}, SocketsOf(ConfigOf({{"one", "a"}, {"two", "b"}}).listeners), &none);
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(made->size(), 2U);
    EXPECT_THAT(Sockets(), ElementsAre("a", "b"));
  }
  EXPECT_THAT(Sockets(), IsEmpty());
}

TEST_F(ListenerSetTest, ConnectionsWaitWhileItDoesNotAccept) {
  EXPECT_THAT(Become(ConfigOf({{"one", "a"}})), IsEmpty());
  listeners_.SetAccepting(false);
  // A new listener also waits.
  EXPECT_THAT(Become(ConfigOf({{"one", "a"}, {"two", "b"}})), IsEmpty());
  const auto where = ttrpc::Address::Parse("unix://" + (folder_ / "b"))->ToSocketAddress();
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(socket.get(), where.get(), where.length), 0);
  accepted_.reset();
  ::event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  EXPECT_FALSE(accepted_);
  listeners_.SetAccepting(true);
  ::test::RunUntil(loop_, [this] { return accepted_.has_value(); });
  EXPECT_EQ(*accepted_, 1U);
}

TEST_F(ListenerSetTest, ASocketWhosePathWasRemovedIsMadeAgain) {
  EXPECT_THAT(Become(ConfigOf({{"one", "a"}, {"two", "b"}})), IsEmpty());
  ASSERT_EQ(::unlink((folder_ / "a").c_str()), 0);
  // This also holds if the mode changes, which cannot be set on a missing path.
  std::vector<BoundSocket> gone = Become(ConfigOf({{"one", "a", 0660}, {"two", "b"}}));
  EXPECT_EQ(gone.size(), 1U) << "the socket without a path";
  gone.clear();
  EXPECT_THAT(folder_.List(), ElementsAre(".a.lock", ".b.lock", "a", "b"));
  EXPECT_EQ(ModeOf("a"), 0660U);
  EXPECT_EQ(ReachedBy("a"), 0U);
  EXPECT_EQ(ReachedBy("b"), 1U);
}

TEST_F(ListenerSetTest, WhatHasThePathNowRefusesTheChange) {
  EXPECT_THAT(Become(ConfigOf({{"one", "a"}})), IsEmpty());
  ASSERT_EQ(::unlink((folder_ / "a").c_str()), 0);
  ASSERT_EQ(::mkdir((folder_ / "a").c_str(), 0700), 0);
  EXPECT_EQ(Prepare(ConfigOf({{"one", "a"}})),
            "listener \"one\": unix://" + (folder_ / "a") +
                " is not a socket; remove the file or use another path");
  ASSERT_EQ(::rmdir((folder_ / "a").c_str()), 0);
  static_cast<void>(Become(ConfigOf({{"one", "a"}})));
  EXPECT_EQ(ReachedBy("a"), 0U);
}

// The service manager passes a socket once. Without a listener, clients wait in its queue.
TEST_F(ListenerSetTest, APassedSocketWaitsForItsListenerToComeBack) {
  const std::string path = folder_ / "passed";
  const auto where = ttrpc::Address::Parse("unix://" + path)->ToSocketAddress();
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(socket.get(), where.get(), where.length), 0);
  ASSERT_EQ(::listen(socket.get(), 10), 0);
  Config with = ConfigOf({{"one", "a"}});
  with.listeners.push_back({.name = "passed",
                            .address = PassedSocket{.name = "main"},
                            .access = {},
                            .timeouts = {},
                            .connections_per_user = {},
                            .position = {}});
  PassedSockets passed;
  passed.emplace("main", std::move(socket));
  auto made = ListenerSet::Make({}, SocketsOf(with.listeners), &passed);
  ASSERT_TRUE(made) << made.error();
  auto change = listeners_.Prepare(SocketsOf(with.listeners), *std::move(made));
  ASSERT_TRUE(change) << change.error();
  EXPECT_THAT(listeners_.Commit(*std::move(change)), IsEmpty());
  EXPECT_EQ(ReachedBy("passed"), 1U);

  EXPECT_THAT(Become(ConfigOf({{"one", "a"}})), IsEmpty());
  const UniqueFd waiting(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(waiting.get(), where.get(), where.length), 0);
  accepted_.reset();
  ::event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  EXPECT_FALSE(accepted_);
  // A change that is prepared and not committed leaves the socket where it is.
  EXPECT_EQ(Prepare(with), "");
  change_.reset();
  EXPECT_THAT(Become(with), IsEmpty());
  ::test::RunUntil(loop_, [this] { return accepted_.has_value(); });
  EXPECT_EQ(*accepted_, 1U);
}

// [admin] and [metrics] have at most one socket.
TEST_F(ListenerSetTest, ASocketMayGiveWayToOneOfAnotherKind) {
  std::optional<MetricsConfig> metrics =
      MetricsConfig{.address = ttrpc::Address::Parse("unix://" + (folder_ / "m")).value(),
                    .access = {},
                    .position = {}};
  const auto become = [&] {
    auto change = listeners_.Prepare(SocketsOf(metrics));
    EXPECT_TRUE(change.has_value());
    listeners_.CommitAndRemove(*std::move(change));
  };
  become();
  EXPECT_THAT(Sockets(), ElementsAre("m"));
  metrics->address = TcpAddress{.host = "127.0.0.1", .port = 0};
  become();
  EXPECT_THAT(Sockets(), IsEmpty());
  EXPECT_THAT(listeners_.addresses(), ElementsAre("tcp:127.0.0.1:0"));
  metrics.reset();
  become();
  EXPECT_THAT(listeners_.addresses(), IsEmpty());
}

TEST_F(ListenerSetTest, TheErrorNamesWhoseSocketItIs) {
  const std::optional<AdminConfig> admin =
      AdminConfig{.address = ttrpc::Address::Parse("unix://" + (folder_ / "missing/a")).value(),
                  .access = {},
                  .users = {},
                  .position = {}};
  EXPECT_EQ(listeners_.Prepare(SocketsOf(admin)).error().message(),
            "[admin]: unix://" + (folder_ / "missing/a") + ": " + (folder_ / "missing") +
                ": No such file or directory");
}

}  // namespace
}  // namespace proxyd
