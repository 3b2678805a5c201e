// SPDX-License-Identifier: Apache-2.0
//
// Places of workloads and of their sockets. The integration tests have those of other sockets and
// files.
#include "run/places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "run/path_checks.h"
#include "support/temp_folder.h"

namespace proxyd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> MessagesOf(const std::vector<ConfigError>& findings) {
  std::vector<std::string> messages;
  messages.reserve(findings.size());
  for (const ConfigError& finding : findings) messages.push_back(finding.message);
  return messages;
}

class PlacesTest : public ::testing::Test {
 protected:
  // Adds a listener that finds workloads in `source` and makes their sockets at `fronts`; both are
  // paths below the test's directory.
  void Discover(const std::string& name, const std::string& source, const std::string& fronts) {
    Add(name, SocketTemplate{folder_ / fronts});
    config_.listeners.back().discovery =
        DiscoveryConfig{.source = DiscoverySource::kDirectory, .directories = {folder_ / source}};
  }
  void Listen(const std::string& name, const std::string& path) {
    Add(name, ttrpc::Address::Parse("unix://" + (folder_ / path)).value());
  }
  void Add(const std::string& name, ListenerAddress address) {
    config_.listeners.push_back({.name = name,
                                 .address = std::move(address),
                                 .discovery = {},
                                 .access = {},
                                 .timeouts = {},
                                 .connections_per_user = {},
                                 .position = {}});
  }
  std::vector<std::string> Errors() const { return MessagesOf(CheckPlaces(config_)); }
  std::vector<std::string> Warnings() const { return MessagesOf(LintPlaces(config_)); }

  const ::test::TempFolder folder_;
  Config config_;
};

TEST_F(PlacesTest, SeveralListenersMayFollowOneDirectory) {
  Discover("a", "agents", "a/{name}");
  Discover("b", "agents", "b/{name}");
  Listen("c", "c.sock");
  EXPECT_THAT(Errors(), IsEmpty());
}

// The configuration's own check compares paths as they are written.
TEST_F(PlacesTest, NoTwoListenersHaveOneDirectoryOfSockets) {
  std::filesystem::create_directory(folder_ / "real");
  std::filesystem::create_symlink("real", folder_ / "link");
  Discover("a", "agents", "real/{name}");
  Discover("b", "agents", "link/{name}.sock");
  EXPECT_THAT(Errors(), ElementsAre(AllOf(HasSubstr("listener \"b\""),
                                          HasSubstr("is at the same place as listener \"a\""))));
}

TEST_F(PlacesTest, NoOtherSocketIsInADirectoryOfSocketsOfWorkloads) {
  std::filesystem::create_directory(folder_ / "real");
  std::filesystem::create_symlink("real", folder_ / "link");
  Discover("a", "agents", "real/{name}");
  Listen("b", "link/below/b.sock");
  Listen("c", "really.sock");
  EXPECT_THAT(Errors(),
              ElementsAre(AllOf(HasSubstr("listener \"b\""),
                                HasSubstr("is in the directory of the sockets of listener \"a\""),
                                HasSubstr("; use another path"))));
}

TEST_F(PlacesTest, NoListenerDiscoversItsOwnSockets) {
  std::filesystem::create_directory(folder_ / "real");
  std::filesystem::create_symlink("real", folder_ / "link");
  Discover("a", "link", "real/{name}");
  EXPECT_THAT(Errors(), ElementsAre(AllOf(HasSubstr("listener \"a\" discovers in "),
                                          HasSubstr(", which has the sockets of listener \"a\""))));
}

TEST_F(PlacesTest, AnotherUserWhoMayWriteInASourceIsWarnedOf) {
  std::filesystem::create_directories(folder_ / "open/agents");
  Discover("a", "open/agents", "fronts/{name}");
  EXPECT_THAT(Warnings(), IsEmpty());
  ASSERT_EQ(::chmod((folder_ / "open").c_str(), 0777), 0);
  EXPECT_THAT(Warnings(), ElementsAre(AllOf(
                              HasSubstr("listener \"a\" discovers in " + (folder_ / "open/agents")),
                              HasSubstr("directory " + (folder_ / "open") + " "),
                              HasSubstr("otherwise another user can add workloads"))));
  ASSERT_EQ(::chmod((folder_ / "open").c_str(), 0700), 0);
  ASSERT_EQ(::chmod((folder_ / "open/agents").c_str(), 0777), 0);
  EXPECT_THAT(Warnings(), ElementsAre(HasSubstr("directory " + (folder_ / "open/agents") + " ")));
}

TEST_F(PlacesTest, AnotherUserWhoMayReplaceSocketsOfWorkloadsIsWarnedOf) {
  std::filesystem::create_directory(folder_ / "fronts");
  ASSERT_EQ(::chmod((folder_ / "fronts").c_str(), 0777), 0);
  Discover("a", "agents", "fronts/{name}");
  EXPECT_THAT(
      Warnings(),
      ElementsAre(HasSubstr("otherwise another user can replace the sockets of workloads")));
}

TEST_F(PlacesTest, TheDaemonMustBeAbleToMakeTheDirectoryOfSockets) {
  Discover("a", "missing", "not/yet/{name}");
  EXPECT_THAT(CheckPaths(config_, PathsFor::kStart).errors, IsEmpty());
  EXPECT_THAT(folder_.List(), IsEmpty()) << "a check makes nothing";
  std::filesystem::create_symlink("/dev/null", folder_ / "file");
  config_.listeners.clear();
  Discover("a", "missing", "file/below/{name}");
  EXPECT_THAT(
      MessagesOf(CheckPaths(config_, PathsFor::kStart).errors),
      ElementsAre("listener \"a\" unix://" + (folder_ / "file/below/{name}") + ": directory " +
                  (folder_ / "file/below") + " cannot be made: Not a directory; use another path"));
}

}  // namespace
}  // namespace proxyd
