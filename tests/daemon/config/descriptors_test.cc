// SPDX-License-Identifier: Apache-2.0
//
// Tests the warnings about descriptors, to the letter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// The need is two descriptors for each connection, three for each listener and 64 for the rest.
TEST(CheckDescriptorsTest, ConnectionsThatWouldTakeMoreThanThereAre) {
  const LoadedConfig loaded = ParseText(
      "[limits]\nconnections = 1000\n[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\n");
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_THAT(Strings(CheckDescriptors(*loaded.config, 2066)),
              ElementsAre("c: warning: connections = 1000 in [limits] needs 2067 file descriptors "
                          "with as many connections to backends, but the daemon may open only "
                          "2066; lower it, or raise LimitNOFILE= (ulimit -n)"));
  EXPECT_THAT(CheckDescriptors(*loaded.config, 2067), IsEmpty());
  EXPECT_THAT(CheckDescriptors(*loaded.config, UINT64_MAX), IsEmpty());
}

// A listener with a socket for each workload may need as many as a large node has workloads.
TEST(CheckDescriptorsTest, SocketsOfWorkloadsCount) {
  const std::string limits = "[limits]\nconnections = 1000\n";
  const std::string listener =
      "[[listener]]\nname = \"a\"\ndiscover = \"containerd\"\naddress = \"unix:///run/a";
  const LoadedConfig each = ParseText(limits + listener + "/{namespace}/{id}\"\n");
  ASSERT_TRUE(each.config.has_value());
  EXPECT_THAT(Strings(CheckDescriptors(*each.config, 4066)), SizeIs(1));
  EXPECT_THAT(CheckDescriptors(*each.config, 4067), IsEmpty());
  const LoadedConfig one = ParseText(limits + listener + ".sock\"\n");
  ASSERT_TRUE(one.config.has_value());
  EXPECT_THAT(CheckDescriptors(*one.config, 2067), IsEmpty());
}

TEST(CheckDescriptorsTest, ConnectionsOfTheAdminServiceAndForMetricsCount) {
  const LoadedConfig loaded = ParseText(
      "[limits]\nconnections = 1000\n[admin]\naddress = \"unix:///a\"\n[metrics]\naddress = "
      "\"tcp:127.0.0.1:1\"\n");
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_THAT(Strings(CheckDescriptors(*loaded.config, 2149)), SizeIs(1));
  EXPECT_THAT(CheckDescriptors(*loaded.config, 2150), IsEmpty());
}

// One user may have the descriptors that clients, root and the daemon itself do not need.
TEST(CheckDescriptorsTest, BackendConnectionsOfAUserThatThereAreNoDescriptorsFor) {
  const LoadedConfig loaded = ParseText(
      "[limits]\nconnections = 1000\nbackend_connections_per_user = 1800\n[[listener]]\nname = "
      "\"a\"\naddress = \"unix:///a\"\n");
  ASSERT_TRUE(loaded.config.has_value());
  EXPECT_THAT(Strings(CheckDescriptors(*loaded.config, 3122)),
              ElementsAre("c: warning: backend_connections_per_user = 1800 in [limits] is more "
                          "than the 1799 file descriptors that the limit of the daemon leaves to "
                          "users other than root; lower it, or raise LimitNOFILE= (ulimit -n)"));
  EXPECT_THAT(CheckDescriptors(*loaded.config, 3123), IsEmpty());
  EXPECT_THAT(
      Strings(CheckDescriptors(*loaded.config, 3122, DescriptorLimit::kOfThisProcessOnly)),
      ElementsAre(
          "c: warning: backend_connections_per_user = 1800 in [limits] is more than the 1799 file "
          "descriptors that the limit of this process (that of the daemon is unknown) leaves to "
          "users other than root; lower it, or raise LimitNOFILE= (ulimit -n)"));
}

TEST(CheckDescriptorsTest, ALimitThatIsNotTheDaemons) {
  const LoadedConfig loaded = ParseText(
      "[limits]\nconnections = 1000\n[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\n");
  ASSERT_TRUE(loaded.config.has_value());
  const auto check = [&loaded](uint64_t limit) {
    return Strings(CheckDescriptors(*loaded.config, limit, DescriptorLimit::kOfThisProcessOnly));
  };
  EXPECT_THAT(
      check(2066),
      ElementsAre("c: warning: connections = 1000 in [limits] needs 2067 file descriptors with as "
                  "many connections to backends, but this process may open only 2066 (the limit of "
                  "the daemon is unknown); lower it, or raise LimitNOFILE= (ulimit -n)"));
  EXPECT_THAT(check(2067), IsEmpty());
}

}  // namespace
}  // namespace proxyd
