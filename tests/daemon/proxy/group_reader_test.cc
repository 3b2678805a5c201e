// SPDX-License-Identifier: Apache-2.0
#include "proxy/group_reader.h"

#include <event2/event.h>
#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "../libttrpc/run_as.h"
#include "support/policy_builder.h"
#include "ttrpc/event_loop.h"

namespace proxyd {
namespace {

class GroupReaderTest : public testing::Test {
 protected:
  GroupReaderTest() {
    RuleConfig rule = test::Allow({"/s/M"});
    rule.groups = test::Ids({7, 9});
    const std::vector<RuleConfig> rules = {rule};
    filter_ = std::make_shared<const GroupFilter>(rules, test::kOverflow.gid);
  }
  // Returns a socket whose peer has this many groups, from gid 5 on.
  ttrpc::UniqueFd PeerWith(size_t groups) {
    std::vector<gid_t> all(groups);
    std::iota(all.begin(), all.end(), 5);
    auto sockets = ttrpc::test::SocketpairAs({.uid = 1, .gid = 1, .groups = all});
    others_.push_back(std::move(sockets[1]));
    return std::move(sockets[0]);
  }
  std::unique_ptr<GroupReader::Request> Read(uid_t uid, const ttrpc::UniqueFd& socket,
                                             const std::string& name) {
    return reader_.Read(uid, socket.get(), filter_, [this, name](ttrpc::Result<PeerGroups> groups) {
      error_ = groups ? ttrpc::Status() : groups.error();
      if (groups) last_ = *std::move(groups);
      order_ += name;
      if (order_.size() == awaited_) loop_.Stop();
    });
  }

  std::vector<ttrpc::UniqueFd> others_;  // the peers' ends
  ttrpc::EventLoop loop_;
  GroupFilterPtr filter_;
  GroupReader reader_{loop_.io()};
  PeerGroups last_;
  ttrpc::Status error_;  // the error of the last result
  std::string order_;
  size_t awaited_ = 0;
};

TEST_F(GroupReaderTest, ReadsAtOnceWhatIsSoonRead) {
  const auto few = reader_.ReadNow(PeerWith(GroupReader::kMostAtOnce).get(), filter_);
  ASSERT_TRUE(few) << few.error();
  EXPECT_EQ(few->groups, (std::vector<gid_t>{7, 9}));
  EXPECT_EQ(few->filter, filter_);
  const auto many = reader_.ReadNow(PeerWith(GroupReader::kMostAtOnce + 1).get(), filter_);
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code(), ttrpc::StatusCode::kResourceExhausted);
}

TEST_F(GroupReaderTest, AsksForNothingThatNoRuleNeeds) {
  const auto none = std::make_shared<const GroupFilter>(std::vector<RuleConfig>(), 1);
  const auto groups = reader_.ReadNow(-1, none);
  ASSERT_TRUE(groups);
  EXPECT_TRUE(groups->groups.empty());
}

TEST_F(GroupReaderTest, ReadsManyWhileTheLoopTurnsAndUsersInTurn) {
  const ttrpc::UniqueFd socket = PeerWith(65536);
  std::vector<std::unique_ptr<GroupReader::Request>> requests;
  for (const char* name : {"a", "b", "c"}) requests.push_back(Read(1, socket, name));
  requests.push_back(Read(2, socket, "x"));
  requests.push_back(Read(3, socket, "y"));
  awaited_ = 5;
  loop_.RunForever();
  EXPECT_EQ(order_, "axybc");
  EXPECT_EQ(last_.groups, (std::vector<gid_t>{7, 9, test::kOverflow.gid}));
}

// A flood of connections that are closed at once must not delay the next one.
TEST_F(GroupReaderTest, AsksForNoGroupsOfAPeerThatHasLeft) {
  const ttrpc::UniqueFd socket =
      std::move(ttrpc::test::SocketpairAs({.uid = 1, .gid = 1, .groups = {7}})[0]);
  const auto request = Read(1, socket, "a");
  awaited_ = 1;
  loop_.RunForever();
  EXPECT_EQ(error_.code(), ttrpc::StatusCode::kCancelled);
  EXPECT_TRUE(last_.groups.empty());
}

TEST_F(GroupReaderTest, WhoIsGoneIsNotToldAndKeepsNobodyWaiting) {
  const ttrpc::UniqueFd socket = PeerWith(65536);
  auto first = Read(1, socket, "a");
  auto second = Read(1, socket, "b");
  auto third = Read(1, socket, "c");
  second.reset();
  awaited_ = 2;
  loop_.RunForever();
  EXPECT_EQ(order_, "ac");
  // A request may also be cancelled while its groups are being read.
  auto last = Read(1, socket, "d");
  event_base_loop(loop_.base(), EVLOOP_ONCE);
  last.reset();
  auto next = Read(1, socket, "e");
  awaited_ = 3;
  loop_.RunForever();
  EXPECT_EQ(order_, "ace");
}

}  // namespace
}  // namespace proxyd
