// SPDX-License-Identifier: Apache-2.0
//
// Tests that [admin] and [metrics] are optional, and which values they accept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "testing.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Config Good(const std::string& text) {
  LoadedConfig loaded = ParseText(text);
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  return loaded.config ? *std::move(loaded.config) : Config{};
}

TEST(ConfigEndpoints, ASectionAloneIsEnough) {
  const Config config = Good("[admin]\n[metrics]\n");
  ASSERT_TRUE(config.admin.has_value());
  EXPECT_EQ(config.admin->address.ToString(), "unix:///run/ttrpc-proxy/admin.sock");
  EXPECT_EQ(config.admin->access, SocketAccess());
  EXPECT_THAT(config.admin->users.exact, ElementsAre(0U));
  EXPECT_FALSE(config.admin->users.any);
  EXPECT_THAT(config.admin->users.ranges, IsEmpty());
  EXPECT_EQ(config.admin->position.ToString(), "c:1:1");
  ASSERT_TRUE(config.metrics.has_value());
  EXPECT_EQ(ToString(config.metrics->address), "unix:///run/ttrpc-proxy/metrics.sock");
  EXPECT_EQ(config.metrics->access, SocketAccess());
  EXPECT_EQ(config.metrics->users, 100U);
}

TEST(ConfigEndpoints, EachKey) {
  const Config config = Good(R"([admin]
address = "unix:///run/a.sock"
owner = "prometheus"
group = "1234"
mode = "0660"
users = ["prometheus", 7, "1000-1999", "*"]
[metrics]
address = "unix:///run/m.sock"
owner = "0"
group = "4"
mode = "0666"
users = 0
)");
  ASSERT_TRUE(config.admin.has_value());
  EXPECT_EQ(config.admin->address.ToString(), "unix:///run/a.sock");
  EXPECT_EQ(config.admin->access.owner, 989U);
  EXPECT_EQ(config.admin->access.group, 1234U);
  EXPECT_EQ(config.admin->access.mode, 0660U);
  EXPECT_TRUE(config.admin->users.any);
  EXPECT_THAT(config.admin->users.ranges, ElementsAre(IdRange{.first = 1000, .last = 1999}));
  ASSERT_TRUE(config.metrics.has_value());
  EXPECT_EQ(config.metrics->access.owner, 0U);
  EXPECT_EQ(config.metrics->access.group, 4U);
  EXPECT_EQ(config.metrics->access.mode, 0666U);
  EXPECT_EQ(config.metrics->users, 0U);
}

TEST(ConfigEndpoints, UsersOfMetricsAreANumber) {
  EXPECT_THAT(Strings(ParseText("[metrics]\nusers = -1\n").errors),
              ElementsAre("c:2:9: error: users is -1; use a number from 0 to 10000"));
  EXPECT_EQ(Good("[metrics]\nusers = 10000\n").metrics->users, 10'000U);
}

TEST(ConfigEndpoints, MetricsOnLoopback) {
  for (const std::string address : {"tcp:127.0.0.1:9464", "tcp:127.1.2.3:1", "tcp:[::1]:65535"}) {
    const Config config = Good("[metrics]\naddress = \"" + address + "\"\n");
    ASSERT_TRUE(config.metrics.has_value());
    EXPECT_EQ(ToString(config.metrics->address), address);
  }
}

TEST(ConfigEndpoints, NothingButLoopback) {
  for (const std::string address :
       {"tcp:0.0.0.0:9464", "tcp:10.0.0.1:9464", "tcp:localhost:9464", "tcp:127.0.0.1:0",
        "tcp:127.0.0.1", "tcp:127.0.0.1:65536", "tcp:127.0.0.1:+1", "tcp:127.0.0.1:1x",
        "tcp:::1:9464", "tcp:[::]:9464", "tcp:[127.0.0.1]:9464", "tcp:[::ffff:127.0.0.1]:1",
        "tcp:", "tcp::1"}) {
    EXPECT_THAT(
        Strings(ParseText("[metrics]\naddress = \"" + address + "\"\n").errors),
        ElementsAre(
            "c:2:11: error: address is \"" + address +
            "\"; use a loopback address and a port, such as tcp:127.0.0.1:9464 or tcp:[::1]:9464"));
  }
}

TEST(ConfigEndpoints, OtherAddressesAreRefused) {
  EXPECT_THAT(
      Strings(ParseText("[admin]\naddress = \"tcp:127.0.0.1:1\"\n[metrics]\naddress = 1\n").errors),
      ElementsAre("c:2:11: error: address is \"tcp:127.0.0.1:1\"; use unix:///abs/path or "
                  "unix-abstract:name",
                  "c:4:11: error: address is 1; use unix:///abs/path, unix-abstract:name or "
                  "tcp:127.0.0.1:PORT"));
  EXPECT_THAT(
      Strings(ParseText("[admin]\naddress = \"vsock:3:1\"\n[metrics]\n"
                        "address = \"systemd:m\"\n")
                  .errors),
      ElementsAre(
          "c:2:11: error: address is \"vsock:3:1\"; use unix:///abs/path or unix-abstract:name",
          "c:4:11: error: address is \"systemd:m\"; use unix:///abs/path, unix-abstract:name or "
          "tcp:127.0.0.1:PORT"));
}

TEST(ConfigEndpoints, EachAddressIsUsedOnce) {
  EXPECT_THAT(
      Strings(ParseText("[admin]\naddress = \"unix:///x\"\n[metrics]\naddress = \"unix:///x\"\n"
                        "[[listener]]\nname = \"l\"\naddress = \"unix:///y\"\n"
                        "[[backend]]\nname = \"b\"\naddress = \"unix:///x\"\n")
                  .errors),
      ElementsAre(
          "c:4:11: error: address \"unix:///x\" is already used at c:2:11; use another address",
          "c:10:11: error: address is \"unix:///x\", where the daemon itself listens (c:2:11); use "
          "the address of another server"));
}

TEST(ConfigEndpoints, SocketsWithoutAPathHaveNoMode) {
  EXPECT_THAT(Strings(ParseText("[admin]\naddress = \"unix-abstract:a\"\nmode = \"0600\"\n"
                                "[metrics]\naddress = \"tcp:127.0.0.1:1\"\nowner = \"0\"\n")
                          .errors),
              ElementsAre("c:3:1: error: mode cannot be set on an abstract socket; remove it, or "
                          "use unix:///abs/path",
                          "c:6:1: error: owner cannot be set on a tcp: address, to which every "
                          "local user can connect; remove it, or use unix:///abs/path"));
}

TEST(ConfigEndpoints, NothingElse) {
  EXPECT_THAT(Strings(ParseText("[admin]\nuser = 1\n[metrics]\nuids = [\"*\"]\n").errors),
              ElementsAre("c:2:1: error: unknown key \"user\" in [admin]; did you mean \"users\"?",
                          "c:4:1: error: unknown key \"uids\" in [metrics]; use address, owner, "
                          "group, mode or users"));
}

}  // namespace
}  // namespace proxyd
