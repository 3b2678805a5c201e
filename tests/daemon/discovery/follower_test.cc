// SPDX-License-Identifier: Apache-2.0
#include "discovery/follower.h"

#include <gmock/gmock.h>

#include "harness.h"
#include "support/no_more_descriptors.h"

namespace proxyd {
namespace {

using test::Connects;
using test::FollowerTest;
using test::LeaveSocket;
using test::MakeDirectories;
using test::RecordingSink;
using test::WriteTrusted;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Key;

TEST_F(FollowerTest, FindsWhatIsThereAndWhatComesAndGoes) {
  state_.Add("ns", "a", "unix:///run/a");
  Follow({Containerd()});
  ASSERT_THAT(sink_.here, ElementsAre(Key("ns/a")));
  EXPECT_EQ(sink_.here.at("ns/a").address->ToString(), "unix:///run/a");
  EXPECT_TRUE(sink_.fronts.empty());
  state_.Add("other", "b", "vsock://3:1024");
  RunUntil([&] { return sink_.Has("other/b"); });
  state_.Remove("ns", "a");
  RunUntil([&] { return !sink_.Has("ns/a"); });
  EXPECT_THAT(sink_.here, ElementsAre(Key("other/b")));
}

TEST_F(FollowerTest, TheStateMayComeLaterAndGoAndComeAgain) {
  Follow({Containerd()});
  EXPECT_THAT(sink_.here, IsEmpty());
  state_.Add("ns", "a", "unix:///run/a");
  RunUntil([&] { return sink_.Has("ns/a"); });
  std::filesystem::remove_all(state_.path());
  RunUntil([&] { return sink_.here.empty(); });
  state_.Add("ns", "b", "unix:///run/b");
  RunUntil([&] { return sink_.Has("ns/b"); });
}

TEST_F(FollowerTest, ABundleWithoutAnAddressIsNotReported) {
  MakeDirectories(state_.Bundle("ns", "a"));
  Follow({Containerd()});
  EXPECT_THAT(sink_.here, IsEmpty());
  WriteTrusted(state_.Bundle("ns", "a") + "/address", "unix:///run/a");
  RunUntil([&] { return sink_.Has("ns/a") && sink_.WhyOf("ns/a").empty(); });
}

TEST_F(FollowerTest, AnAddressThatChangesKeepsTheFront) {
  state_.Add("ns", "a", "unix:///run/a");
  Follow({Containerd(base_ + "/{namespace}/{id}")});
  state_.Add("ns", "a", "unix:///run/b");
  RunUntil([&] { return sink_.here.at("ns/a").address->name() == "/run/b"; });
  EXPECT_EQ(sink_.gone, 0U);
  EXPECT_TRUE(Connects(base_ + "/ns/a"));
}

TEST_F(FollowerTest, EachWorkloadHasAFrontAndLeavesNothing) {
  state_.Add("ns", "a", "unix:///run/a");
  state_.Add("ns", "b", "unix:///run/b");
  Follow({Containerd(base_ + "/{namespace}/{id}.sock")});
  EXPECT_THAT(sink_.fronts, ElementsAre(Key("ns/a"), Key("ns/b")));
  EXPECT_TRUE(Connects(base_ + "/ns/a.sock"));
  state_.Remove("ns", "a");
  RunUntil([&] { return !sink_.Has("ns/a"); });
  EXPECT_FALSE(std::filesystem::exists(base_ + "/ns/a.sock"));
  EXPECT_TRUE(Connects(base_ + "/ns/b.sock"));
  state_.Remove("ns", "b");
  RunUntil([&] { return sink_.here.empty(); });
  EXPECT_FALSE(std::filesystem::exists(base_ + "/ns"));
  Stop();
  EXPECT_TRUE(std::filesystem::is_empty(base_));
}

TEST_F(FollowerTest, ItsEndRemovesAllFronts) {
  state_.Add("ns", "a", "unix:///run/a");
  Follow({Containerd(base_ + "/{namespace}/{id}")});
  Stop();
  EXPECT_TRUE(std::filesystem::is_empty(base_));
  EXPECT_EQ(Follower::stuck(), 0U);
}

// The socket of a workload that comes again is a new one, while the loop may still have the old.
TEST_F(FollowerTest, AWorkloadThatComesAgainHasANewFront) {
  Follow({Containerd(base_ + "/{namespace}/{id}")});
  for (int i = 0; i < 20; ++i) {
    state_.Add("ns", "a", "unix:///run/a");
    state_.Remove("ns", "a");
  }
  state_.Add("ns", "a", "unix:///run/last");
  RunUntil([&] {
    return sink_.Has("ns/a") && sink_.here.at("ns/a").address &&
           sink_.here.at("ns/a").address->name() == "/run/last" && sink_.fronts.contains("ns/a");
  });
  EXPECT_EQ(sink_.WhyOf("ns/a"), "");
  EXPECT_TRUE(Connects(base_ + "/ns/a"));
}

TEST_F(FollowerTest, FrontsThatTheProxyReturnsAreRemoved) {
  state_.Add("ns", "a", "unix:///run/a");
  Follow({Containerd(base_ + "/{namespace}/{id}")});
  std::vector<ttrpc::ListeningSocket> fronts;
  fronts.push_back(std::move(sink_.fronts.extract("ns/a").mapped()));
  follower_->Remove(std::move(fronts));
  Follow({Containerd(base_ + "/{namespace}/{id}")});  // commands are carried out in order
  EXPECT_FALSE(std::filesystem::exists(base_ + "/ns"));
  EXPECT_TRUE(sink_.Has("ns/a"));
}

TEST_F(FollowerTest, WhatIsWrongIsASentence) {
  const std::string long_name(200, 'x');
  state_.Add("ns", long_name, "unix:///run/a");
  state_.Add("ns", "bad", "unix://relative");
  state_.Add("ns", "new\nline", "unix:///run/a");
  MakeDirectories(state_.Bundle("ns", "half"));
  WriteTrusted(state_.Bundle("ns", "half") + "/bootstrap.json", "{\"addr");
  state_.Add("ns", "open", "unix:///run/a");
  ASSERT_EQ(::chmod(state_.Bundle("ns", "open").c_str(), 0777), 0);
  Follow({Containerd(base_ + "/{namespace}/{id}")});
  EXPECT_TRUE(sink_.WhyOf("ns/" + long_name).starts_with("the path of its socket would have "));
  EXPECT_TRUE(sink_.WhyOf("ns/bad").starts_with("bootstrap.json: address \"unix://relative\": "));
  EXPECT_EQ(sink_.WhyOf("ns/half"), "bootstrap.json: not valid JSON");
  EXPECT_EQ(sink_.WhyOf("ns/open"), "the bundle: a group or others may write to it");
  EXPECT_TRUE(sink_.fronts.empty());
  EXPECT_EQ(sink_.here.size(), 5U);
  for (const auto& [name, workload] : sink_.here) {
    EXPECT_EQ(name.find('\n'), name.npos);
    EXPECT_NE(workload.why, "") << name;
  }
}

TEST_F(FollowerTest, AWorkloadThatIsWrongMayBecomeRightAndWrongAgain) {
  const std::string file = state_.Bundle("ns", "a") + "/bootstrap.json";
  MakeDirectories(state_.Bundle("ns", "a"));
  WriteTrusted(file, "{");
  Follow({Containerd(base_ + "/{namespace}/{id}")});
  EXPECT_NE(sink_.WhyOf("ns/a"), "");
  state_.Add("ns", "a", "unix:///run/a");
  RunUntil([&] { return sink_.fronts.contains("ns/a"); });
  EXPECT_EQ(sink_.WhyOf("ns/a"), "");
  WriteTrusted(file, "{");
  RunUntil([&] { return !sink_.WhyOf("ns/a").empty() && sink_.Has("ns/a"); });
  EXPECT_EQ(sink_.gone, 1U);
  EXPECT_FALSE(std::filesystem::exists(base_ + "/ns"));
}

TEST_F(FollowerTest, TwoWorkloadsCannotHaveOnePath) {
  state_.Add("a", "b-c", "unix:///run/1");
  Follow({Containerd(base_ + "/{namespace}-{id}")});
  state_.Add("a-b", "c", "unix:///run/2");
  RunUntil([&] { return sink_.Has("a-b/c"); });
  EXPECT_EQ(sink_.WhyOf("a-b/c"), "the path of its socket is that of a/b-c");
  state_.Remove("a", "b-c");
  RunUntil([&] { return sink_.fronts.contains("a-b/c"); });
  EXPECT_EQ(sink_.WhyOf("a-b/c"), "");
}

TEST_F(FollowerTest, NewAnnotationsAreReadOfKnownWorkloads) {
  state_.Add("ns", "a", "unix:///run/a", R"({"annotations":{"x":"1","y":"2"}})");
  FollowedListener listener = Containerd();
  listener.annotations = {"x"};
  Follow({listener});
  ASSERT_TRUE(sink_.here.at("ns/a").annotations);
  EXPECT_EQ(*sink_.here.at("ns/a").annotations, (Annotations{{"x", "1"}}));
  listener.annotations = {"x", "y"};
  Follow({listener});
  EXPECT_EQ(*sink_.here.at("ns/a").annotations, (Annotations{{"x", "1"}, {"y", "2"}}));
}

TEST_F(FollowerTest, ABadConfigJsonIsNoProblemOfTheWorkload) {
  state_.Add("ns", "a", "unix:///run/a", "{");
  Follow({Containerd()});
  EXPECT_EQ(sink_.WhyOf("ns/a"), "");
  EXPECT_EQ(sink_.here.at("ns/a").config_problem, "config.json: not valid JSON");
}

TEST_F(FollowerTest, AListenerThatIsRemovedTakesAllWithIt) {
  state_.Add("ns", "a", "unix:///run/a");
  Follow({Containerd(base_ + "/{namespace}/{id}")});
  Follow({});
  EXPECT_THAT(sink_.here, IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(base_));
}

TEST_F(FollowerTest, AListenerThatStaysIsNotScannedAgain) {
  state_.Add("ns", "a", "unix:///run/a");
  FollowedListener listener = Containerd(base_ + "/{namespace}/{id}");
  Follow({listener});
  sink_.here.clear();
  listener.name = "another name";
  listener.access.mode = 0660;
  Follow({listener});
  EXPECT_THAT(sink_.here, IsEmpty());
  struct stat info {};
  ASSERT_EQ(::stat((base_ + "/ns").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0755U);
}

TEST_F(FollowerTest, ABaseOfAnotherProcessIsAProblem) {
  state_.Add("ns", "a", "unix:///run/a");
  test::RecordingSink other_sink;
  Follow({Containerd(base_ + "/{namespace}/{id}")});
  Follower other(loop_.base(), other_sink);
  ASSERT_TRUE(other.SetListeners({Containerd(base_ + "/{namespace}/{id}")}).ok());
  RunUntil([&] { return other_sink.settled != 0; });
  const std::string what =
      "another process makes sockets in " + base_ + " and has locked " + base_ + "/.lock";
  EXPECT_THAT(other_sink.problems, ElementsAre(what));
  EXPECT_EQ(other_sink.WhyOf("ns/a"), what);
  EXPECT_TRUE(Connects(base_ + "/ns/a"));
}

// A workload that was not followed because no descriptor was left is followed once some are free.
TEST_F(FollowerTest, WantOfDescriptorsIsNotForever) {
  MakeDirectories(state_.Tasks() + "/ns");
  Follow({Containerd(base_ + "/{namespace}/{id}")});
  const test::FakeState other(folder_ / "other");
  other.Add("ns", "a", "unix:///run/a");
  {
    const ::test::NoMoreDescriptors none;
    ASSERT_EQ(::rename(other.Bundle("ns", "a").c_str(), state_.Bundle("ns", "a").c_str()), 0);
    RunUntil([&] { return sink_.Has("ns/a") || !sink_.problems.empty(); });
  }
  std::vector<ttrpc::ListeningSocket> fronts;
  ttrpc::ListeningSocketOptions options(test::AddressAt(folder_ / "unrelated"));
  fronts.push_back(*ttrpc::ListeningSocket::Create(options));
  follower_->Remove(std::move(fronts));
  RunUntil([&] { return sink_.fronts.contains("ns/a"); });
  EXPECT_EQ(sink_.WhyOf("ns/a"), "");
}

// Nothing reports that a descriptor is free again.
TEST_F(FollowerTest, AShortageIsTriedAgainWithoutACommand) {
  MakeDirectories(state_.Tasks() + "/ns");
  Follow({Containerd(base_ + "/{namespace}/{id}")});
  const test::FakeState other(folder_ / "other");
  other.Add("ns", "a", "unix:///run/a");
  {
    const ::test::NoMoreDescriptors none;
    ASSERT_EQ(::rename(other.Bundle("ns", "a").c_str(), state_.Bundle("ns", "a").c_str()), 0);
    RunUntil([&] { return sink_.Has("ns/a") || !sink_.problems.empty(); });
  }
  RunUntil([&] { return sink_.fronts.contains("ns/a"); });
  EXPECT_EQ(sink_.WhyOf("ns/a"), "");
}

// A scan without a descriptor finds none of them, which does not mean that they are gone.
TEST_F(FollowerTest, AShortageEndsNoWorkload) {
  state_.Add("ns", "a", "unix:///run/a");
  Follow({Containerd(base_ + "/{namespace}/{id}")});
  {
    const ::test::NoMoreDescriptors none;
    // The name of the directory changes twice, so that the follower has to find it again.
    ASSERT_EQ(::rename(state_.path().c_str(), (folder_ / "moved").c_str()), 0);
    ASSERT_EQ(::rename((folder_ / "moved").c_str(), state_.path().c_str()), 0);
    RunUntil([&] { return !sink_.problems.empty(); });
    EXPECT_TRUE(sink_.Has("ns/a"));
    EXPECT_EQ(sink_.WhyOf("ns/a"), "");
  }
  EXPECT_EQ(sink_.gone, 0U);
  state_.Add("ns", "b", "unix:///run/b");
  RunUntil([&] { return sink_.fronts.contains("ns/b"); });
  EXPECT_EQ(sink_.gone, 0U);
}

// The daemon before may still be ending.
TEST_F(FollowerTest, ABaseIsTakenWhenItsOwnerEnds) {
  const FollowedListener listener = Containerd(base_ + "/{namespace}/{id}");
  Follow({listener});
  state_.Add("ns", "a", "unix:///run/a");
  RunUntil([&] { return sink_.fronts.contains("ns/a"); });
  RecordingSink late;
  Follower next(loop_.base(), late);
  late.follower = &next;
  ASSERT_TRUE(next.SetListeners({listener}).ok());
  RunUntil([&] { return late.Has("ns/a"); });
  EXPECT_TRUE(late.WhyOf("ns/a").starts_with("another process makes sockets in "));
  Stop();
  sink_.fronts.clear();
  RunUntil([&] { return late.fronts.contains("ns/a"); });
  EXPECT_TRUE(Connects(base_ + "/ns/a"));
  late.follower = nullptr;
}

TEST_F(FollowerTest, ManyComeInFewBatchesAndGo) {
  constexpr int kMany = 2000;
  for (int i = 0; i < kMany; ++i) {
    state_.Add("ns", "c" + std::to_string(i), "unix:///run/" + std::to_string(i));
  }
  Follow({Containerd()});
  EXPECT_EQ(sink_.here.size(), size_t{kMany});
  EXPECT_EQ(sink_.here.at("ns/c7").address->name(), "/run/7");
  std::filesystem::remove_all(state_.Tasks() + "/ns");
  RunUntil([&] { return sink_.here.empty(); });
}

class DirectoryTest : public FollowerTest {
 protected:
  DirectoryTest() { MakeDirectories(agents_); }

  const std::string agents_ = folder_ / "agents";
};

TEST_F(DirectoryTest, EachSocketIsAWorkload) {
  LeaveSocket(agents_ + "/a");
  LeaveSocket(agents_ + "/.hidden");
  WriteTrusted(agents_ + "/file", "");
  ASSERT_EQ(::symlink("a", (agents_ + "/link").c_str()), 0);
  Follow({Listener(DiscoverySource::kDirectory, agents_, base_ + "/{name}")});
  ASSERT_THAT(sink_.here, ElementsAre(Key("a")));
  EXPECT_EQ(sink_.here.at("a").address->name(), agents_ + "/a");
  EXPECT_TRUE(Connects(base_ + "/a"));
  LeaveSocket(agents_ + "/b");
  RunUntil([&] { return sink_.Has("b"); });
  ASSERT_EQ(::unlink((agents_ + "/a").c_str()), 0);
  RunUntil([&] { return !sink_.Has("a"); });
  EXPECT_FALSE(std::filesystem::exists(base_ + "/a"));
  // A link that takes the place of a socket ends it.
  ASSERT_EQ(::symlink("x", (agents_ + "/next").c_str()), 0);
  ASSERT_EQ(::rename((agents_ + "/next").c_str(), (agents_ + "/b").c_str()), 0);
  RunUntil([&] { return sink_.here.empty(); });
}

TEST_F(DirectoryTest, HasALimit) {
  constexpr size_t kMost = 4096;
  for (size_t i = 0; i <= kMost; ++i) LeaveSocket(agents_ + "/" + std::to_string(i));
  Follow({Listener(DiscoverySource::kDirectory, agents_)});
  EXPECT_EQ(sink_.here.size(), kMost);
  EXPECT_THAT(sink_.problems,
              ElementsAre(agents_ + ": has more than 4096 sockets; the others are left out"));
  // Another one takes the place of one that goes.
  ASSERT_EQ(::unlink((agents_ + "/" + sink_.here.begin()->first).c_str()), 0);
  RunUntil([&] { return sink_.gone == 1 && sink_.here.size() == kMost; });
}

TEST_F(DirectoryTest, AShortageIsTriedAgain) {
  LeaveSocket(agents_ + "/a");
  ASSERT_EQ(::rename(agents_.c_str(), (folder_ / "away").c_str()), 0);
  Follow({Listener(DiscoverySource::kDirectory, agents_)});
  {
    const ::test::NoMoreDescriptors none;
    ASSERT_EQ(::rename((folder_ / "away").c_str(), agents_.c_str()), 0);
    RunUntil([&] { return !sink_.problems.empty(); });
  }
  RunUntil([&] { return sink_.Has("a"); });
}

ListenerConfig ListenerAt(ListenerAddress address, bool discovers) {
  ListenerConfig listener{.name = "x",
                          .address = std::move(address),
                          .discovery = {},
                          .access = {},
                          .timeouts = {},
                          .connections_per_user = {},
                          .position = {}};
  if (discovers) listener.discovery = DiscoveryConfig{.directories = {"/run/containerd"}};
  return listener;
}

TEST(FollowedListenersTest, AnnotationsAreThoseOfTheListenersRules) {
  Config config;
  config.listeners = {ListenerAt(SocketTemplate{"/run/{namespace}/{id}"}, true),
                      ListenerAt(test::AddressAt("/run/plain"), false),
                      ListenerAt(test::AddressAt("/run/all"), true)};
  config.rules.resize(2);
  config.rules[0].listeners = {0};
  config.rules[0].annotations.emplace("x", *NamePattern::Parse("*"));
  config.rules[1].every_listener = true;
  config.rules[1].annotations.emplace("y", *NamePattern::Parse("*"));
  const std::vector<FollowedListener> followed = FollowedListenersOf(config);
  ASSERT_EQ(followed.size(), 2U);
  EXPECT_EQ(followed[0].front, SocketTemplate{"/run/{namespace}/{id}"});
  EXPECT_THAT(followed[0].annotations, ElementsAre("x", "y"));
  EXPECT_EQ(followed[1].front, std::nullopt);
  EXPECT_EQ(followed[1].key, "unix:///run/all");
  EXPECT_THAT(followed[1].annotations, ElementsAre("y"));
}

}  // namespace
}  // namespace proxyd
