// SPDX-License-Identifier: Apache-2.0
#include "ctl/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

namespace proxyd::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int64_t kNow = 1'706'745'599'000'000;  // 2024-01-31 23:59:59 UTC
constexpr int64_t kMinute = 60'000'000;

class ViewsTest : public testing::Test {
 protected:
  ViewsTest() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }
  const Look look_ = {.colours = false, .now = kNow, .user_name = [](uint32_t uid) {
                        return std::string(uid == 0 ? "root" : "");
                      }};
};

TEST_F(ViewsTest, Status) {
  v1::GetStatusReply reply;
  reply.set_version("1.2.3");
  reply.set_pid(42);
  reply.set_start_time(kNow - 125 * kMinute);
  reply.set_config_file("/etc/c.toml");
  reply.set_config_digest("0a1b");
  reply.set_config_load_time(kNow - 5 * kMinute);
  reply.set_log_level("info");
  reply.set_workers(1);
  reply.set_peers(3);
  reply.set_calls(1);
  reply.set_buffered(1536);
  reply.mutable_limits()->set_connections(16384);
  reply.mutable_limits()->set_connections_reserved(256);
  reply.mutable_limits()->set_connections_per_user(4096);
  reply.mutable_limits()->set_calls_per_connection(1024);
  reply.mutable_limits()->set_calls_per_user(1);
  reply.mutable_limits()->set_backend_connections_per_user(8192);
  reply.mutable_limits()->set_backends_per_peer(64);
  reply.mutable_limits()->set_buffered_per_user(uint64_t{64} << 20);
  reply.mutable_limits()->set_buffered(uint64_t{512} << 20);
  auto* listener = reply.add_listeners();
  listener->set_name("shims");
  listener->set_address("unix:///run/s.sock");
  listener->set_peers(3);
  listener->set_accepted(10);
  listener->set_refused(7);
  EXPECT_EQ(ShowStatus(reply, look_),
            "ttrpc-proxyd 1.2.3, running for 2h05m\n"
            "        Process: 42, 1 worker, not sandboxed\n"
            "        Started: 2024-01-31 21:54:59 UTC\n"
            "  Configuration: /etc/c.toml, loaded 2024-01-31 23:54:59 UTC (5m00s ago)\n"
            "         Digest: 0a1b\n"
            "        Reloads: 0 applied\n"
            "      Log level: info\n"
            "          Peers: 3 of 16384 (256 reserved for root)\n"
            "          Calls: 1 in flight\n"
            "         Memory: 1.5KiB of 512MiB\n"
            "Limits per user: 4096 connections, 8192 to backends (64 workloads per connection), 1 "
            "call (1024 per connection), 64MiB, requests per second: no limit\n"
            "          Audit: complete\n"
            "\n"
            "LISTENER  PEERS  ACCEPTED  REFUSED  ADDRESS\n"
            "shims         3        10        7  unix:///run/s.sock\n");
  reply.set_draining(true);
  reply.set_sandboxed(true);
  reply.set_audit_lost(1);
  reply.set_reloads_refused(2);
  reply.set_taps(1);
  const std::string text = ShowStatus(reply, look_);
  EXPECT_THAT(text, HasSubstr("1.2.3, draining for"));
  EXPECT_THAT(text, HasSubstr(", sandboxed\n"));
  EXPECT_THAT(text, HasSubstr("Audit: 1 line lost\n"));
  EXPECT_THAT(text, HasSubstr("Reloads: 0 applied, 2 refused\n"));
  EXPECT_THAT(text, HasSubstr("Taps: 1\n"));
}

TEST_F(ViewsTest, StatusCountsWorkloadsIfAListenerDiscovers) {
  v1::GetStatusReply reply;
  reply.add_listeners()->set_name("fixed");
  EXPECT_THAT(ShowStatus(reply, look_), Not(HasSubstr("Workloads")));
  for (const uint64_t served : {uint64_t{0}, uint64_t{3}}) {
    auto* listener = reply.add_listeners();
    listener->set_workloads_served(served);
    listener->set_workloads_faulty(0);
  }
  EXPECT_THAT(ShowStatus(reply, look_), HasSubstr("      Workloads: 3 served\n"));
  reply.mutable_listeners(1)->set_workloads_faulty(2);
  EXPECT_THAT(ShowStatus(reply, look_), HasSubstr("      Workloads: 3 served, 2 with a problem\n"));
}

// A draining daemon shows how long it has been draining, not how long it has run.
TEST_F(ViewsTest, ADrainHasItsOwnTime) {
  v1::GetStatusReply reply;
  reply.set_start_time(kNow - 90 * kMinute);
  reply.set_draining(true);
  reply.set_drain_time(kNow - kMinute);
  EXPECT_THAT(ShowStatus(reply, look_), HasSubstr(", draining for 1m"));
}

TEST_F(ViewsTest, Peers) {
  v1::ListPeersReply reply;
  auto* peer = reply.add_peers();
  peer->set_id(7);
  peer->set_listener("shims");
  peer->set_gid(4);
  peer->set_pid(99);
  peer->set_calls(2);
  peer->set_buffered(2048);
  peer->set_connected_time(kNow - kMinute);
  peer = reply.add_peers();
  peer->set_id(18);
  peer->set_listener("a");
  peer->set_uid(1000);
  peer->set_connected_time(kNow - 1);
  reply.set_total(2);
  const std::string table =
      "PEER  LISTENER   UID  USER  GID  PID  CALLS  BUFFERED  CONNECTED\n"
      "   7  shims        0  root    4   99      2      2KiB      1m00s\n"
      "  18  a         1000  -       0    -      0        0B        1us\n";
  EXPECT_EQ(ShowPeers(reply, look_), table);
  reply.set_total(5000);
  EXPECT_EQ(ShowPeers(reply, look_), table + "listed 2 of 5000 peers; use --limit to list more\n");
}

TEST_F(ViewsTest, CallsOfHostilePeers) {
  v1::ListCallsReply reply;
  auto* call = reply.add_calls();
  call->set_peer(7);
  call->set_stream_id(3);
  call->set_listener("shims");
  call->set_service("a\x1b[2J.B");
  call->set_method("Do\nIt");
  call->set_kind("unary");
  call->set_rule("r");
  call->set_backend("b");
  call->set_age_us(1500);
  call->set_request_bytes(10);
  call->set_response_bytes(20);
  reply.set_total(1);
  EXPECT_EQ(ShowCalls(reply, look_),
            "PEER  STREAM  LISTENER  UID  USER  KIND     AGE  SENT  RECEIVED  BACKEND  RULE  "
            "METHOD\n"
            "   7       3  shims       0  root  unary  1.5ms   10B       20B  b        r     "
            "/a\\x1b[2J.B/Do\\x0aIt\n");
}

TEST_F(ViewsTest, Rules) {
  v1::ListRulesReply reply;
  auto* rule = reply.add_rules();
  rule->set_name("look");
  rule->set_action("allow");
  rule->set_enforced(true);
  rule->set_hits(12345);
  rule->set_file("c.toml");
  rule->set_line(12);
  rule->set_backend("shim");
  rule = reply.add_rules();
  rule->set_name("never");
  rule->set_action("deny");
  rule->set_file("c.toml");
  rule->set_line(20);
  reply.set_denied_by_default(3);
  EXPECT_EQ(ShowRules(reply, look_),
            "RULE   ACTION  ENFORCED   HITS  BACKEND  WHERE\n"
            "look   allow   yes       12345  shim     c.toml:12\n"
            "never  deny    no            0  -        c.toml:20\n"
            "denied because no rule matched: 3\n");
}

TEST_F(ViewsTest, UsersAndBackends) {
  v1::ListUsersReply users;
  users.add_users()->set_connections(2);
  EXPECT_EQ(ShowUsers(users, look_),
            "UID  USER  CONNECTIONS  CALLS  BUFFERED\n  0  root            2      0        0B\n");

  v1::ListBackendsReply backends;
  auto* backend = backends.add_backends();
  backend->set_name("a");
  backend->add_addresses("unix:///a");
  backend->add_addresses("unix:///b");
  backend->set_up(true);
  backend->set_tried(true);
  backend->set_last_error("is over");
  backend = backends.add_backends();
  backend->set_name("b");
  backend->set_tried(true);
  backend->set_last_error("Connection refused");
  backends.add_backends()->set_name("c");
  const std::string text = ShowBackends(backends, look_);
  EXPECT_THAT(text, HasSubstr("a        up "));
  EXPECT_THAT(text, HasSubstr("unix:///a,unix:///b  -\n"));
  EXPECT_THAT(text, HasSubstr("b        down "));
  EXPECT_THAT(text, HasSubstr("-                    Connection refused\n"));
  EXPECT_THAT(text, HasSubstr("c        untried "));
}

// Names of workloads come from the file system.
TEST_F(ViewsTest, Workloads) {
  v1::ListWorkloadsReply reply;
  auto* workload = reply.add_workloads();
  workload->set_listener("shims");
  workload->set_namespace_("k8s.io");
  workload->set_id("web");
  workload->set_address("unix:///s/1");
  workload->set_front("/f/k8s.io/web.sock");
  workload->set_peers(2);
  workload->set_found_time(kNow - kMinute);
  workload->set_pod("team-a/web-0");
  workload = reply.add_workloads();
  workload->set_listener("shims");
  workload->set_id("a\x1b[2J");
  workload->set_found_time(kNow - 1);
  workload->set_problem("no address");
  reply.set_total(2);
  const std::string table =
      "LISTENER  NAMESPACE  ID        ADDRESS      FRONT               PEERS  SINCE  POD           "
      "PROBLEM\n"
      "shims     k8s.io     web       unix:///s/1  /f/k8s.io/web.sock      2  1m00s  team-a/web-0  "
      "-\n"
      "shims     -          a\\x1b[2J  -            -                       0    1us  -            "
      " "
      "no address\n";
  EXPECT_EQ(ShowWorkloads(reply, look_), table);
  reply.set_total(9);
  reply.set_cut(true);
  EXPECT_EQ(ShowWorkloads(reply, look_),
            table + "listed 2 of 9 workloads; one reply cannot hold more\n");
}

TEST_F(ViewsTest, Explanations) {
  v1::ExplainRequest request;
  request.set_uid(1000);
  request.set_gid(100);
  v1::ExplainReply reply;
  reply.set_allowed(true);
  reply.set_reason("rule \"x\" (c.toml:3) allows it");
  reply.mutable_rule()->set_streams(true);
  auto* shadow = reply.add_shadows();
  shadow->set_name("t");
  shadow->set_action("deny");
  shadow->set_file("c.toml");
  shadow->set_line(1);
  EXPECT_EQ(ShowExplanation(request, reply, look_),
            "allowed: rule \"x\" (c.toml:3) allows it\n"
            "  caller: uid 1000, gid 100\n"
            "  streams: the client may send data after its request\n"
            "  not enforced: rule \"t\" (c.toml:1) matches first and would deny the call\n");
  v1::ExplainReply denied;
  denied.set_reason("no rule matches");
  denied.add_notes("rule \"y\" lacks it");
  request.add_groups(4);
  request.add_groups(24);
  EXPECT_EQ(ShowExplanation(request, denied, look_),
            "denied: no rule matches\n  caller: uid 1000, gid 100, groups 4 24\n  note: rule "
            "\"y\" lacks it\n");
  request.set_namespace_("k8s.io");
  request.set_id("web");
  (*request.mutable_annotations())["b"] = "2";
  (*request.mutable_annotations())["a"] = "1";
  EXPECT_THAT(ShowExplanation(request, denied, look_),
              HasSubstr("\n  workload: k8s.io/web, a = 1, b = 2\n  note: "));
}

TEST_F(ViewsTest, ColoursAreThereOnlyIfWanted) {
  v1::ListRulesReply reply;
  reply.add_rules()->set_action("deny");
  EXPECT_THAT(ShowRules(reply, look_), Not(HasSubstr("\x1b")));
  Look coloured = look_;
  coloured.colours = true;
  EXPECT_THAT(ShowRules(reply, coloured), HasSubstr("\x1b[31mdeny\x1b[0m"));
}

}  // namespace
}  // namespace proxyd::ctl
