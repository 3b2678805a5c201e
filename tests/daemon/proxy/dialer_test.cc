// SPDX-License-Identifier: Apache-2.0
#include "proxy/dialer.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/run_until.h"
#include "support/temp_folder.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/timer.h"

namespace proxyd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ttrpc::UniqueFd;

// Sockets that another process listens on, since a daemon must not be its own backend.
class Listeners {
 public:
  explicit Listeners(const ::test::TempFolder& folder) : folder_(folder) {}
  ~Listeners() { Stop(); }
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;

  // The descriptor is shared, so that the test can accept.
  void Listen(const std::string& name, int backlog = 10) {
    const auto where = ttrpc::Address::Parse("unix://" + (folder_ / name))->ToSocketAddress();
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::bind(socket.get(), where.get(), where.length), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(::listen(socket.get(), backlog) == 0 ? 0 : 1);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    sockets_.emplace_back(name, std::move(socket));
  }
  void Stop() { sockets_.clear(); }
  // Returns a waiting connection, or an invalid descriptor.
  UniqueFd Accept(const std::string& name) const {
    for (const auto& [known, socket] : sockets_) {
      if (known == name) return UniqueFd(::accept(socket.get(), nullptr, nullptr));
    }
    return {};
  }

 private:
  const ::test::TempFolder& folder_;
  std::vector<std::pair<std::string, UniqueFd>> sockets_;
};

class DialerTest : public ::testing::Test {
 protected:
  DialerTest() {
    config_.name = "back";
    config_.users = {::geteuid()};
    AddAddresses({"a", "b", "c"});
  }

  void AddAddresses(const std::vector<std::string>& names) {
    for (const std::string& name : names)
      config_.addresses.push_back(*ttrpc::Address::Parse("unix://" + (folder_ / name)));
  }
  // Returns a dialer of the one backend, which the first call creates.
  Dialer& NewDialer() {
    if (!backend_) backend_ = MakeRef<Backend>(config_, counters_);
    told_.reset();
    return dialer_.emplace(loop_.io(), backend_, [this](const DialResult& result) {
      EXPECT_FALSE(told_.has_value()) << "reported twice";
      EXPECT_NE(result.state, DialResult::State::kPending);
      told_ = result.socket.valid();
    });
  }
  // Returns "connected", "unreachable" or "waits", and drops the socket.
  std::string Start() {
    const DialResult result = NewDialer().Start();
    EXPECT_EQ(result.state == DialResult::State::kConnected, result.socket.valid());
    if (result.state == DialResult::State::kPending) return "waits";
    return result.socket ? "connected" : "unreachable";
  }
  // Returns the listener that the last connection arrived at.
  std::string Arrived() {
    for (const char* name : {"a", "b", "c"}) {
      if (listeners_.Accept(name)) return name;
    }
    return "nowhere";
  }
  std::string Wait() {
    ::test::RunUntil(loop_, [this] { return told_.has_value(); });
    return *told_ ? "connected" : "unreachable";
  }
  // Fills an accept queue that has a backlog of 0.
  void Fill(const std::string& name) {
    const auto where = ttrpc::Address::Parse("unix://" + (folder_ / name))->ToSocketAddress();
    filler_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(filler_.get(), where.get(), where.length), 0);
  }

  const ::test::TempFolder folder_;
  ttrpc::EventLoop loop_;
  Listeners listeners_{folder_};
  UniqueFd filler_;
  BackendConfig config_;
  BackendCounters counters_;
  Ref<Backend> backend_;
  std::optional<bool> told_;
  std::optional<Dialer> dialer_;
};

TEST_F(DialerTest, FirstAvailableBeginsWithTheFirstEachTime) {
  listeners_.Listen("b");
  listeners_.Listen("c");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Start(), "connected");
    EXPECT_EQ(Arrived(), "b");
  }
  listeners_.Listen("a");
  EXPECT_EQ(Start(), "connected");
  EXPECT_EQ(Arrived(), "a");
}

TEST_F(DialerTest, RoundRobinGoesOnToTheOthersIfOneFails) {
  config_.balance = BackendConfig::Balance::kRoundRobin;
  listeners_.Listen("a");
  listeners_.Listen("c");
  for (const char* expected : {"a", "c", "c", "a"}) {
    EXPECT_EQ(Start(), "connected");
    EXPECT_EQ(Arrived(), expected);
  }
}

TEST_F(DialerTest, NobodyAnywhereIsUnreachableAtOnce) {
  EXPECT_EQ(Start(), "unreachable");
  EXPECT_EQ(Start(), "unreachable") << "each call tries it again";
  listeners_.Listen("c");
  EXPECT_EQ(Start(), "connected");
}

TEST_F(DialerTest, AnAddressThatDoesNotAcceptIsLeftForTheNextAfterTheTimeout) {
  config_.connect_timeout = milliseconds(5);
  listeners_.Listen("a", 0);
  listeners_.Listen("b");
  Fill("a");
  EXPECT_EQ(Start(), "waits");
  EXPECT_EQ(Wait(), "connected");
  EXPECT_TRUE(listeners_.Accept("a")) << "the connection that filled it";
  EXPECT_EQ(Arrived(), "b");
}

// An address that may not be tried yet is skipped, and nobody waits for it.
TEST_F(DialerTest, AnAddressThatHasJustFailedCostsTheOthersNothing) {
  config_.users = {::geteuid() + 1};
  listeners_.Listen("a");
  EXPECT_EQ(Start(), "unreachable") << "another user listens there";
  EXPECT_EQ(Arrived(), "a");
  backend_->Failed({.address = 0, .begun = Backend::Clock::now()},
                   ttrpc::Status(ttrpc::StatusCode::kUnknown, "again"),
                   Backend::Clock::now() + hours(1));
  EXPECT_EQ(Start(), "unreachable");
  EXPECT_EQ(Arrived(), "nowhere");
}

TEST_F(DialerTest, WaitsForOneThatAppears) {
  config_.wait = hours(1);
  EXPECT_EQ(Start(), "waits");
  ttrpc::Timer later(loop_.io(), [this] { listeners_.Listen("b"); });
  later.Start(milliseconds(30));
  EXPECT_EQ(Wait(), "connected");
  EXPECT_EQ(Arrived(), "b");
}

TEST_F(DialerTest, WaitsForOneThatRefuses) {
  listeners_.Listen("a");
  listeners_.Stop();
  config_.wait = milliseconds(30);
  EXPECT_EQ(Start(), "waits");
  EXPECT_EQ(Wait(), "unreachable");
}

TEST_F(DialerTest, DoesNotWaitForOneThatIsSomebodyElses) {
  config_.wait = hours(1);
  config_.users = {::geteuid() + 1};
  config_.addresses.erase(config_.addresses.begin() + 1, config_.addresses.end());
  listeners_.Listen("a");
  EXPECT_EQ(Start(), "unreachable");
}

TEST_F(DialerTest, StoppedItTellsNothing) {
  config_.wait = milliseconds(5);
  const int events = event_base_get_num_events(loop_.base(), EVENT_BASE_COUNT_ADDED);
  EXPECT_EQ(Start(), "waits");
  EXPECT_GT(event_base_get_num_events(loop_.base(), EVENT_BASE_COUNT_ADDED), events);
  dialer_->Stop();
  EXPECT_EQ(event_base_get_num_events(loop_.base(), EVENT_BASE_COUNT_ADDED), events);
}

}  // namespace
}  // namespace proxyd
