// SPDX-License-Identifier: Apache-2.0
//
// Tests the values of a correct configuration: defaults, each key, and the merge of several files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "testing.h"

namespace proxyd {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::StartsWith;

// Fails the test and returns an empty configuration if there are errors.
Config Good(const std::vector<ConfigFile>& files) {
  LoadedConfig loaded = ParseFilesForTest(files);
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  return loaded.config ? *std::move(loaded.config) : Config{};
}

Config Good(std::string text) { return Good({{"c", std::move(text)}}); }

TEST(ConfigValues, DefaultsAreTheContracts) {
  const Config config = Good("");
  EXPECT_EQ(config.file, "c");
  EXPECT_EQ(config.daemon.drain_timeout, seconds(10));
  EXPECT_TRUE(config.daemon.sandbox);
  EXPECT_FALSE(config.admin.has_value());
  EXPECT_FALSE(config.metrics.has_value());
  EXPECT_EQ(config.log.level, LogLevel::kInfo);
  EXPECT_EQ(config.log.format, LogFormat::kText);
  EXPECT_EQ(config.log.target, LogConfig::Target::kStderr);
  EXPECT_EQ(config.audit.calls, AuditCalls::kDenied);
  EXPECT_EQ(config.audit.target, AuditConfig::Target::kLog);
  EXPECT_EQ(config.audit.rate_per_user, 100U);
  EXPECT_EQ(config.audit.bytes_per_user, 64U << 10);
  EXPECT_EQ(config.audit.on_error, AuditConfig::OnError::kDrop);
  EXPECT_EQ(config.limits.connections, 16384U);
  EXPECT_EQ(config.limits.connections_reserved, 256U);
  EXPECT_EQ(config.limits.connections_per_user, 4096U);
  EXPECT_EQ(config.limits.calls_per_connection, 1024U);
  EXPECT_EQ(config.limits.calls_per_user, 4096U);
  EXPECT_EQ(config.limits.backend_connections_per_user, 16384U);
  EXPECT_EQ(config.limits.backends_per_peer, 64U);
  EXPECT_EQ(config.limits.requests_per_second_per_user, 0U);
  EXPECT_EQ(config.limits.buffered_per_user, 64U << 20);
  EXPECT_EQ(config.limits.buffered, 512U << 20);
  EXPECT_EQ(config.limits.message_size, 4U << 20);
  EXPECT_EQ(config.timeouts.first_request, seconds(30));
  EXPECT_EQ(config.timeouts.partial_message, seconds(10));
  EXPECT_EQ(config.timeouts.idle, Duration{0});
  EXPECT_EQ(config.timeouts.write, seconds(30));
  EXPECT_EQ(config.timeouts.call, Duration{0});
  EXPECT_EQ(config.timeouts.call_max, Duration{0});
  EXPECT_THAT(config.listeners, IsEmpty());
  EXPECT_THAT(config.backends, IsEmpty());
  EXPECT_THAT(config.rules, IsEmpty());
}

TEST(ConfigValues, EachKeyOfASection) {
  const Config config = Good(R"(
[daemon]
drain_timeout = "0"
sandbox = false
[log]
level = "trace"
format = "json"
target = "file:/var/log/proxy.log"
[audit]
calls = "all"
target = "file:/var/log/audit.log"
rate_per_user = 7
bytes_per_user = "1GiB"
on_error = "refuse-calls"
[limits]
message_size = "16777215"
[timeouts]
call = "1s"
call_max = "1m"
)");
  EXPECT_EQ(config.daemon.drain_timeout, Duration{0});
  EXPECT_FALSE(config.daemon.sandbox);
  EXPECT_EQ(config.log.level, LogLevel::kTrace);
  EXPECT_EQ(config.log.format, LogFormat::kJson);
  EXPECT_EQ(config.log.target, LogConfig::Target::kFile);
  EXPECT_EQ(config.log.path, "/var/log/proxy.log");
  EXPECT_EQ(config.audit.calls, AuditCalls::kAll);
  EXPECT_EQ(config.audit.target, AuditConfig::Target::kFile);
  EXPECT_EQ(config.audit.path, "/var/log/audit.log");
  EXPECT_EQ(config.audit.rate_per_user, 7U);
  EXPECT_EQ(config.audit.bytes_per_user, 1U << 30);
  EXPECT_EQ(config.audit.on_error, AuditConfig::OnError::kRefuseCalls);
  EXPECT_EQ(config.limits.message_size, (16U << 20) - 1);
  EXPECT_EQ(config.timeouts.call, seconds(1));
  EXPECT_EQ(config.timeouts.call_max, minutes(1));
}

TEST(ConfigValues, OtherWordsOfASection) {
  const Config config = Good(
      "[log]\nlevel = \"error\"\ntarget = \"journal\"\n[audit]\ncalls = \"none\"\n"
      "[limits]\nmessage_size = \"1KiB\"\n");
  EXPECT_EQ(config.log.level, LogLevel::kError);
  EXPECT_EQ(config.log.target, LogConfig::Target::kJournal);
  EXPECT_EQ(config.audit.calls, AuditCalls::kNone);
  EXPECT_EQ(config.limits.message_size, 1024U);
}

TEST(ConfigValues, ListenerDefaultsAndTimeouts) {
  const Config config = Good(R"([timeouts]
call = "1s"
call_max = "5s"
[[listener]]
name = "a"
address = "unix:///a"
)");
  ASSERT_EQ(config.listeners.size(), 1U);
  const ListenerConfig& listener = config.listeners[0];
  EXPECT_EQ(listener.name, "a");
  EXPECT_EQ(ToString(listener.address), "unix:///a");
  EXPECT_FALSE(listener.access.owner.has_value());
  EXPECT_FALSE(listener.access.group.has_value());
  EXPECT_EQ(listener.access.mode, 0600U);
  EXPECT_EQ(listener.unknown_fields, UnknownFields::kRefuse);
  EXPECT_EQ(listener.timeouts.call, seconds(1));
  EXPECT_EQ(listener.timeouts.call_max, seconds(5));
  EXPECT_EQ(listener.position.ToString(), "c:4:1");
}

TEST(ConfigValues, EachKeyOfAListener) {
  const Config config = Good(R"([timeouts]
call = "1s"
call_max = "5s"
[[listener]]
name = "a"
address = "unix:///a"
owner = "prometheus"
group = "1234"
mode = "777"
unknown_fields = "drop"
call_max = "0"
[[listener]]
name = "b"
address = "unix://@b"
call = "250ms"
)");
  ASSERT_EQ(config.listeners.size(), 2U);
  EXPECT_EQ(config.listeners[0].access.owner, 989U);
  EXPECT_EQ(config.listeners[0].access.group, 1234U);
  EXPECT_EQ(config.listeners[0].access.mode, 0777U);
  EXPECT_EQ(config.listeners[0].unknown_fields, UnknownFields::kDrop);
  EXPECT_EQ(config.listeners[0].timeouts.call, seconds(1));
  EXPECT_EQ(config.listeners[0].timeouts.call_max, Duration{0});
  EXPECT_EQ(ToString(config.listeners[1].address), "unix-abstract:b");
  EXPECT_EQ(config.listeners[1].timeouts.call, milliseconds(250));
}

TEST(ConfigValues, Limits) {
  const Config config = Good(R"([limits]
connections = 100
connections_reserved = 99
connections_per_user = 1
calls_per_connection = 2
calls_per_user = 1000000
backend_connections_per_user = 5
backends_per_peer = 6
requests_per_second_per_user = 3
[[listener]]
name = "a"
address = "unix:///a"
connections_per_user = 4
[[listener]]
name = "b"
address = "unix:///b"
)");
  EXPECT_EQ(config.limits.connections, 100U);
  EXPECT_EQ(config.limits.connections_reserved, 99U);
  EXPECT_EQ(config.limits.connections_per_user, 1U);
  EXPECT_EQ(config.limits.calls_per_connection, 2U);
  EXPECT_EQ(config.limits.calls_per_user, 1000000U);
  EXPECT_EQ(config.limits.backend_connections_per_user, 5U);
  EXPECT_EQ(config.limits.backends_per_peer, 6U);
  EXPECT_EQ(config.limits.requests_per_second_per_user, 3U);
  EXPECT_EQ(config.listeners[0].connections_per_user, 4U);
  EXPECT_EQ(config.listeners[1].connections_per_user, std::nullopt);
}

TEST(ConfigValues, BackendConnectionsAreFourForEachConnectionUnlessTheyAreGiven) {
  EXPECT_EQ(Good("[limits]\nconnections_per_user = 10\n").limits.backend_connections_per_user, 40U);
  EXPECT_EQ(Good("[limits]\nconnections_per_user = 1000000\n").limits.backend_connections_per_user,
            4000000U);
}

// A user can lower `connections` without knowing about the reserve.
TEST(ConfigValues, TheReserveIsAtMostHalfUnlessItIsGiven) {
  EXPECT_EQ(Good("[limits]\nconnections = 10\n").limits.connections_reserved, 5U);
  EXPECT_EQ(Good("[limits]\nconnections = 1\n").limits.connections_reserved, 0U);
}

TEST(ConfigValues, WhatAllMayHoldIsAtLeastWhatOneMay) {
  const LimitsConfig limits = Good("[limits]\nbuffered_per_user = \"1GiB\"\n").limits;
  EXPECT_EQ(limits.buffered_per_user, 1U << 30);
  EXPECT_EQ(limits.buffered, 1U << 30);
}

TEST(ConfigValues, APassedSocket) {
  const Config config = Good("[[listener]]\nname = \"a\"\naddress = \"systemd:shims.socket\"\n");
  EXPECT_EQ(config.listeners[0].address, ListenerAddress(PassedSocket{"shims.socket"}));
  EXPECT_EQ(ToString(config.listeners[0].address), "systemd:shims.socket");
}

TEST(ConfigValues, EachTimeoutMayBeOverridden) {
  const Config config = Good(R"([timeouts]
first_request = "1s"
partial_message = "2s"
idle = "3s"
write = "4s"
[[listener]]
name = "a"
address = "unix:///a"
first_request = "0"
partial_message = "5s"
idle = "6s"
write = "7s"
[[listener]]
name = "b"
address = "unix:///b"
)");
  const TimeoutsConfig& a = config.listeners[0].timeouts;
  EXPECT_EQ(a.first_request, Duration{0});
  EXPECT_EQ(a.partial_message, seconds(5));
  EXPECT_EQ(a.idle, seconds(6));
  EXPECT_EQ(a.write, seconds(7));
  const TimeoutsConfig& b = config.listeners[1].timeouts;
  EXPECT_EQ(b.first_request, seconds(1));
  EXPECT_EQ(b.partial_message, seconds(2));
  EXPECT_EQ(b.idle, seconds(3));
  EXPECT_EQ(b.write, seconds(4));
}

TEST(ConfigValues, BackendDefaults) {
  const Config config = Good("[[backend]]\nname = \"a\"\naddress = \"unix:///a\"\n");
  ASSERT_EQ(config.backends.size(), 1U);
  const BackendConfig& backend = config.backends[0];
  std::vector<uid_t> root_or_self = {0};
  if (geteuid() != 0) root_or_self.push_back(geteuid());
  EXPECT_EQ(backend.users, root_or_self);
  EXPECT_EQ(backend.balance, BackendConfig::Balance::kFirstAvailable);
  EXPECT_EQ(backend.connect_timeout, seconds(1));
  EXPECT_EQ(backend.wait, seconds(0));
  EXPECT_EQ(backend.on_disconnect, BackendConfig::OnDisconnect::kClosePeers);
  EXPECT_FALSE(backend.forward_identity);
  EXPECT_EQ(backend.position.ToString(), "c:1:1");
}

std::vector<std::string> Addresses(const BackendConfig& backend) {
  std::vector<std::string> texts;
  for (const ttrpc::Address& address : backend.addresses) texts.push_back(address.ToString());
  return texts;
}

TEST(ConfigValues, EachKeyOfABackend) {
  const Config config = Good(R"([[backend]]
name = "a"
address = "unix-abstract:/a"
users = ["prometheus", 7, "12", "root", 0]
connections = "per-peer"
connect_timeout = "10ms"
wait = "30s"
on_disconnect = "fail-calls"
forward_identity = true
)");
  ASSERT_EQ(config.backends.size(), 1U);
  const BackendConfig& backend = config.backends[0];
  EXPECT_THAT(Addresses(backend), ElementsAre("unix-abstract:/a"));
  EXPECT_THAT(backend.users, ElementsAre(0, 7, 12, 989));
  EXPECT_EQ(backend.connect_timeout, milliseconds(10));
  EXPECT_EQ(backend.wait, seconds(30));
  EXPECT_EQ(backend.on_disconnect, BackendConfig::OnDisconnect::kFailCalls);
  EXPECT_TRUE(backend.forward_identity);
}

TEST(ConfigValues, AddressesOfABackend) {
  const Config config = Good(R"([[backend]]
name = "a"
addresses = ["vsock:3:1024", "hvsock:///run/vm.sock:1024", "unix://@a", "unix:///a"]
balance = "round-robin"
[[backend]]
name = "b"
addresses = ["unix:///b"]
[[backend]]
name = "c"
address = "vsock:3:1024"
)");
  ASSERT_EQ(config.backends.size(), 3U);
  EXPECT_THAT(
      Addresses(config.backends[0]),
      ElementsAre("vsock:3:1024", "hvsock:///run/vm.sock:1024", "unix-abstract:a", "unix:///a"));
  EXPECT_EQ(config.backends[0].balance, BackendConfig::Balance::kRoundRobin);
  EXPECT_THAT(Addresses(config.backends[1]), ElementsAre("unix:///b"));
  EXPECT_EQ(config.backends[1].balance, BackendConfig::Balance::kFirstAvailable);
  EXPECT_THAT(Addresses(config.backends[2]), ElementsAre("vsock:3:1024"));
}

constexpr const char* kTwoOfEach = R"(
[[listener]]
name = "a"
address = "unix:///a"
[[listener]]
name = "b"
address = "unix:///b"
[[backend]]
name = "x"
address = "unix:///x"
[[backend]]
name = "y"
address = "unix:///y"
)";

TEST(ConfigValues, RuleDefaults) {
  const Config config = Good(std::string(kTwoOfEach) + R"([[rule]]
name = "deny"
action = "deny"
[[rule]]
name = "allow"
users = [0]
methods = ["/s/M"]
action = "allow"
backend = "y"
)");
  ASSERT_EQ(config.rules.size(), 2U);
  const RuleConfig& deny = config.rules[0];
  EXPECT_EQ(deny.name, "deny");
  EXPECT_TRUE(deny.every_listener);
  EXPECT_THAT(deny.listeners, IsEmpty());
  EXPECT_FALSE(deny.users.has_value());
  EXPECT_FALSE(deny.groups.has_value());
  EXPECT_THAT(deny.methods, IsEmpty());
  EXPECT_THAT(deny.metadata, IsEmpty());
  EXPECT_EQ(deny.action, RuleConfig::Action::kDeny);
  EXPECT_TRUE(deny.enforce);
  EXPECT_FALSE(deny.audit.has_value());
  const RuleConfig& allow = config.rules[1];
  EXPECT_EQ(allow.action, RuleConfig::Action::kAllow);
  EXPECT_EQ(allow.backend, 1U);
  EXPECT_FALSE(allow.streams);
  EXPECT_FALSE(allow.call_max.has_value());
}

TEST(ConfigValues, EachKeyOfARule) {
  const Config config = Good(std::string(kTwoOfEach) + R"([[rule]]
name = "monitoring may look"
listeners = ["b", "a"]
users = ["prometheus", 990, "991", "2000-2999", "7-7", 989]
groups = ["monitoring", "*"]
methods = ["/containerd.task.v2.Task/State", "/grpc.*/*", "/*/*_x*"]
metadata = { "containerd-namespace-ttrpc" = "k8s.io", "a" = "" }
action = "allow"
backend = "x"
streams = true
call_max = "5s"
enforce = false
audit = "all"
)");
  ASSERT_EQ(config.rules.size(), 1U);
  const RuleConfig& rule = config.rules[0];
  EXPECT_EQ(rule.name, "monitoring may look");
  EXPECT_FALSE(rule.every_listener);
  EXPECT_THAT(rule.listeners, ElementsAre(0, 1));
  EXPECT_EQ(*rule.users, (IdSet{false, {989, 990, 991}, {{7, 7}, {2000, 2999}}}));
  EXPECT_EQ(*rule.groups, (IdSet{true, {995}, {}}));
  EXPECT_THAT(rule.methods, ElementsAre(MethodPattern{"containerd.task.v2.Task", "State"},
                                        MethodPattern{"grpc.*", "*"}, MethodPattern{"*", "*_x*"}));
  EXPECT_THAT(rule.metadata,
              ElementsAre(Pair("a", ""), Pair("containerd-namespace-ttrpc", "k8s.io")));
  EXPECT_TRUE(rule.streams);
  EXPECT_EQ(rule.call_max, seconds(5));
  EXPECT_FALSE(rule.enforce);
  EXPECT_EQ(rule.audit, AuditCalls::kAll);
}

TEST(ConfigValues, PatternPartsMayHave256Bytes) {
  const std::string part(256, 'x');
  const Config config = Good("[[rule]]\nname = \"r\"\naction = \"deny\"\nmethods = [\"/" + part +
                             "/" + part + "\"]\n");
  ASSERT_EQ(config.rules.size(), 1U);
  EXPECT_THAT(config.rules[0].methods, ElementsAre(MethodPattern{part, part}));
}

TEST(ConfigValues, ARuleMayRangeOverEveryIdButMinusOne) {
  const Config config =
      Good("[[rule]]\nname = \"r\"\naction = \"deny\"\nusers = [\"0-4294967294\", 4294967294]\n");
  ASSERT_EQ(config.rules.size(), 1U);
  EXPECT_EQ(*config.rules[0].users, (IdSet{false, {4294967294}, {{0, 4294967294}}}));
}

TEST(ConfigFiles, ListsAreAppendedAndSectionsMerged) {
  const Config config = Good({{"main",
                               "[log]\nlevel = \"warn\"\n[[rule]]\nname = \"1\"\n"
                               "action = \"deny\"\nlisteners = [\"b\"]\n"},
                              {"d/1",
                               "[log]\nformat = \"json\"\n[[rule]]\nname = \"2\"\n"
                               "action = \"deny\"\n"},
                              {"d/2",
                               "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\n"
                               "[[listener]]\nname = \"b\"\naddress = \"unix:///b\"\n"
                               "[[rule]]\nname = \"3\"\naction = \"deny\"\n"}});
  EXPECT_EQ(config.file, "main");
  EXPECT_EQ(config.log.level, LogLevel::kWarn);
  EXPECT_EQ(config.log.format, LogFormat::kJson);
  ASSERT_EQ(config.rules.size(), 3U);
  EXPECT_EQ(config.rules[0].name, "1");
  EXPECT_THAT(config.rules[0].listeners, ElementsAre(1));
  EXPECT_EQ(config.rules[1].name, "2");
  EXPECT_EQ(config.rules[2].name, "3");
  EXPECT_EQ(config.rules[2].position.ToString(), "d/2:7:1");
}

TEST(ConfigFiles, DuplicatesAcrossFilesAreErrors) {
  const LoadedConfig loaded = ParseFilesForTest(
      {{"z", "[log]\nlevel = \"info\"\n[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\n"},
       {"b", "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\n[log]\nlevel = \"info\"\n"}});
  EXPECT_FALSE(loaded.config.has_value());
  EXPECT_THAT(
      Strings(loaded.errors),
      ElementsAre(
          "b:2:8: error: name \"a\" is already used at z:4:8; use a name that no other listener "
          "has",
          "b:3:11: error: address \"unix:///a\" is already used at z:5:11; use another address",
          "b:5:1: error: level in [log] is already set at z:2:1; remove one of the two"));
}

TEST(ConfigFiles, ErrorsComeInOrderOfFileLineAndColumn) {
  const LoadedConfig loaded = ParseFilesForTest(
      {{"b", "[[rule]]\nname = \"r\"\naction = 1\n[log]\nx = 1\n[daemon]\ny = 1\n"},
       {"a", "[limits]\nz = 1\n"}});
  EXPECT_THAT(
      Strings(loaded.errors),
      ElementsAre("b:3:10: error: action is 1; use \"allow\" or \"deny\"",
                  "b:5:1: error: unknown key \"x\" in [log]; use level, format or target",
                  "b:7:1: error: unknown key \"y\" in [daemon]; use drain_timeout or sandbox",
                  "a:2:1: error: unknown key \"z\" in [limits]; use connections, "
                  "connections_reserved, connections_per_user, calls_per_connection, "
                  "calls_per_user, backend_connections_per_user, backends_per_peer, "
                  "requests_per_second_per_user, message_size, buffered_per_user or buffered"));
}

// The other files are still checked, but a name that the broken file may declare is no error.
TEST(ConfigFiles, ASyntaxErrorEndsOnlyItsOwnFile) {
  const LoadedConfig loaded = ParseFilesForTest(
      {{"a", "[[listener]]\nname = \"a\"\n???\n"},
       {"b",
        "[[rule]]\nname = \"r\"\nlisteners = [\"a\"]\nusers = [\"rot\"]\nmethods = [\"/s/M\"]\n"
        "action = \"allow\"\nbackend = \"x\"\n"}});
  EXPECT_FALSE(loaded.config.has_value());
  const auto errors = Strings(loaded.errors);
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_THAT(errors[0], StartsWith("a:3:1: error: invalid TOML: "));
  EXPECT_EQ(errors[1], "b:4:10: error: user \"rot\" does not exist; did you mean \"root\"?");
}

}  // namespace
}  // namespace proxyd
