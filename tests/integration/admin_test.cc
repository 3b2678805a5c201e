// SPDX-License-Identifier: Apache-2.0
//
// The admin service: what it shows and does, whom it admits, and which calls it audits.
#include "harness/admin_test.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <string>

namespace integration {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ttrpc::StatusCode;

TEST_F(AdminTest, ThereIsNoneUnlessItIsConfigured) {
  Start();
  EXPECT_FALSE(std::filesystem::exists(admin_path()));
}

TEST_F(AdminTest, StatusSaysWhatThereIs) {
  StartWithAdmin({.head = "[limits]\ncalls_per_user = 7\n"});
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  Peer({.uid = 4242, .gid = 4242}).ExpectEnd();
  EXPECT_TRUE(peer.Send(Request(3, {.method = "Hold"})));
  backend_->WaitForMessages(0, 2);
  const v1::GetStatusReply status = Status();
  EXPECT_EQ(status.pid(), daemon_->pid());
  EXPECT_EQ(status.config_file(), config_path());
  EXPECT_THAT(status.config_digest(), testing::MatchesRegex("[0-9a-f]{64}"));
  EXPECT_EQ(status.log_level(), "debug");
  EXPECT_EQ(status.peers(), 1U);
  EXPECT_EQ(status.calls(), 1U);
  EXPECT_EQ(status.limits().calls_per_user(), 7U);
  EXPECT_GE(status.config_load_time(), status.start_time());
  EXPECT_FALSE(status.draining());
  EXPECT_FALSE(status.has_drain_time());
  ASSERT_EQ(status.listeners_size(), 1);
  EXPECT_EQ(status.listeners(0).name(), "front");
  EXPECT_EQ(status.listeners(0).address(), "unix://" + front_path());
  EXPECT_EQ(status.listeners(0).peers(), 1U);
  EXPECT_EQ(status.listeners(0).accepted(), 1U);
  EXPECT_EQ(status.listeners(0).refused(), 1U);
}

TEST_F(AdminTest, ListsPeersCallsUsersAndBackends) {
  StartWithAdmin(
      {.rules = std::string(kDefaultRules) +
                "[[rule]]\nname = \"guests\"\nusers = [1234]\n"
                "methods = [\"/test.Unary/*\"]\naction = \"allow\"\nbackend = \"back\"\n"});
  RawPeer root = Peer();
  ExpectEcho(root, 1);
  RawPeer guest = Peer({.uid = 1234, .gid = 99});
  EXPECT_TRUE(guest.Send(Request(5, {.method = "Hold", .payload = "abc"})));
  backend_->WaitForMessages(1, 1);

  const auto peers = Call(&v1::AdminClient::ListPeers);
  ASSERT_TRUE(peers);
  ASSERT_EQ(peers->peers_size(), 2);
  EXPECT_EQ(peers->total(), 2U);
  EXPECT_LT(peers->peers(0).id(), peers->peers(1).id());
  EXPECT_EQ(peers->peers(0).uid(), 0U);
  EXPECT_EQ(peers->peers(0).calls(), 0U);
  EXPECT_EQ(peers->peers(1).uid(), 1234U);
  EXPECT_EQ(peers->peers(1).gid(), 99U);
  EXPECT_EQ(peers->peers(1).listener(), "front");
  EXPECT_EQ(peers->peers(1).calls(), 1U);
  v1::ListPeersRequest one;
  one.set_limit(1);
  const auto first = Call(&v1::AdminClient::ListPeers, one);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->peers_size(), 1);
  EXPECT_EQ(first->total(), 2U);

  const auto calls = Call(&v1::AdminClient::ListCalls);
  ASSERT_TRUE(calls);
  ASSERT_EQ(calls->calls_size(), 1);
  const v1::Call& call = calls->calls(0);
  EXPECT_EQ(call.peer(), peers->peers(1).id());
  EXPECT_EQ(call.stream_id(), 5U);
  EXPECT_EQ(call.service(), "test.Unary");
  EXPECT_EQ(call.method(), "Hold");
  EXPECT_EQ(call.kind(), "unary");
  EXPECT_EQ(call.rule(), "guests");
  EXPECT_EQ(call.backend(), "back");

  const auto users = Call(&v1::AdminClient::ListUsers);
  ASSERT_TRUE(users);
  ASSERT_EQ(users->users_size(), 2);
  EXPECT_EQ(users->users(1).uid(), 1234U);
  EXPECT_EQ(users->users(1).connections(), 1U);
  EXPECT_EQ(users->users(1).calls(), 1U);

  const auto backends = Call(&v1::AdminClient::ListBackends);
  ASSERT_TRUE(backends);
  ASSERT_EQ(backends->backends_size(), 1);
  const v1::Backend& backend = backends->backends(0);
  EXPECT_EQ(backend.name(), "back");
  EXPECT_THAT(backend.addresses(), ElementsAre("unix://" + back_path()));
  EXPECT_TRUE(backend.up());
  EXPECT_TRUE(backend.tried());
  EXPECT_EQ(backend.connections(), 2U);
  EXPECT_EQ(backend.calls(), 1U);
  EXPECT_EQ(backend.connects(), 2U);
}

TEST_F(AdminTest, ABackendThatCannotBeReachedSaysWhy) {
  StartWithAdmin();
  EXPECT_FALSE(Call(&v1::AdminClient::ListBackends)->backends(0).tried());
  backend_.reset();
  RawPeer peer = Peer();
  EXPECT_THAT(peer.Exchange(Echo(1)),
              IsStatus(1, StatusCode::kUnavailable, "backend \"back\" cannot be reached"));
  const auto backends = Call(&v1::AdminClient::ListBackends);
  ASSERT_TRUE(backends);
  EXPECT_FALSE(backends->backends(0).up());
  EXPECT_TRUE(backends->backends(0).tried());
  EXPECT_EQ(backends->backends(0).connects_failed(), 1U);
  EXPECT_NE(backends->backends(0).last_error(), "");
}

TEST_F(AdminTest, RulesAreCountedAcrossReloads) {
  StartWithAdmin({.rules = "[[rule]]\nname = \"trial\"\nmethods = [\"/test.Unary/Do\"]\n"
                           "action = \"deny\"\nenforce = false\n" +
                           std::string(kDefaultRules)});
  RawPeer peer = Peer();
  for (const uint32_t id : {1U, 3U, 5U}) ExpectEcho(peer, id);
  peer.Exchange(Request(7, {.service = "test.Other"}));
  const auto expect_counts = [this] {
    const auto rules = Call(&v1::AdminClient::ListRules);
    ASSERT_TRUE(rules);
    ASSERT_EQ(rules->rules_size(), 3);
    EXPECT_EQ(rules->rules(0).name(), "trial");
    EXPECT_EQ(rules->rules(0).action(), "deny");
    EXPECT_FALSE(rules->rules(0).enforced());
    EXPECT_EQ(rules->rules(0).hits(), 3U);
    EXPECT_EQ(rules->rules(0).file(), config_path());
    EXPECT_GT(rules->rules(0).line(), 1U);
    EXPECT_EQ(rules->rules(1).hits(), 3U);
    EXPECT_EQ(rules->rules(1).backend(), "back");
    EXPECT_EQ(rules->rules(2).hits(), 0U);
    EXPECT_EQ(rules->denied_by_default(), 1U);
  };
  expect_counts();
  ASSERT_TRUE(Call(&v1::AdminClient::Reload));
  expect_counts();
}

TEST_F(AdminTest, ReloadAnswersWhenItCounts) {
  StartWithAdmin();
  const std::string digest = Status().config_digest();
  WriteConfig({.head = Head(), .rules = ""});
  const auto reloaded = Call(&v1::AdminClient::Reload);
  ASSERT_TRUE(reloaded);
  EXPECT_THAT(reloaded->warnings(),
              testing::Contains(HasSubstr("warning: no rule uses backend \"back\"; remove it")));
  EXPECT_EQ(Status().reloads(), 1U);
  EXPECT_NE(Status().config_digest(), digest);
  Peer().ExpectEnd();
}

TEST_F(AdminTest, AReloadThatIsRefusedSaysWhy) {
  StartWithAdmin();
  const std::string digest = Status().config_digest();
  WriteConfig({.head = Head() + "[log]\nlevel = \"loud\"\n[timeouts]\ncall = 1\n"});
  const auto refused = Call(&v1::AdminClient::Reload);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().message(),
              testing::MatchesRegex(".*config.toml:[0-9:]+ error: level is \"loud\"; use .*\n"
                                    ".*config.toml:[0-9:]+ error: call is 1; use .*"));
  EXPECT_EQ(Status().reloads_refused(), 1U);
  EXPECT_EQ(Status().config_digest(), digest);
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
}

TEST_F(AdminTest, DrainLetsCallsEnd) {
  StartWithAdmin();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  backend_->WaitForMessages(0, 1);
  ASSERT_TRUE(Call(&v1::AdminClient::Drain));
  EXPECT_TRUE(Status().draining()) << "an open connection stays";
  daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find("draining: requested by uid 0, pid ") != line.npos &&
           line.ends_with(" through [admin]; 1 peers, 1 calls in flight");
  });
  EXPECT_GT(Status().drain_time(), Status().start_time());
  ASSERT_TRUE(Call(&v1::AdminClient::Drain)) << "a second Drain must not exit at once";
  EXPECT_EQ(Call(&v1::AdminClient::Reload).error().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(peer.Send(Echo(3)));
  EXPECT_THAT(peer.Receive(), IsStatus(3, StatusCode::kUnavailable, "draining"));
  backend_->Send(0, Response(1, "last"));
  EXPECT_EQ(peer.Receive(), Response(1, "last"));
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

TEST_F(AdminTest, DrainOfAnIdleDaemonIsAnswered) {
  StartWithAdmin();
  const auto drained = Call(&v1::AdminClient::Drain);
  EXPECT_TRUE(drained) << drained.error().ToString();
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

// A collector of text files has its own process_* metrics and rejects duplicates.
TEST_F(AdminTest, MetricsComeInPartsWithoutThoseOfTheProcess) {
  StartWithAdmin();
  const v1::GetMetricsRequest request;
  auto parts = admin_->GetMetrics(context_, request);
  std::string text;
  while (const auto part = loop_.Run(parts.Receive())) text += part->text();
  EXPECT_EQ(loop_.Run(parts.Finish()), ttrpc::Status());
  EXPECT_THAT(text, HasSubstr("# HELP ttrpc_proxy_build_info "));
  EXPECT_THAT(text, HasSubstr("\nttrpc_proxy_config_last_reload_successful 1\n"));
  EXPECT_THAT(text, HasSubstr("\nttrpc_proxy_limit{limit=\"calls_per_user\"} 4096\n"));
  EXPECT_THAT(text, HasSubstr("\nttrpc_proxy_draining 0\n"));
  EXPECT_THAT(text, HasSubstr("digest=\"" + Status().config_digest() + "\""));
  EXPECT_THAT(text, testing::Not(HasSubstr("process_")));
}

TEST_F(AdminTest, TheLogLevelChangesAtOnce) {
  StartWithAdmin();
  v1::SetLogLevelRequest request;
  request.set_level("error");
  const auto changed = Call(&v1::AdminClient::SetLogLevel, request);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->previous(), "debug");
  EXPECT_EQ(Status().log_level(), "error");
  request.set_level("loud");
  EXPECT_EQ(Call(&v1::AdminClient::SetLogLevel, request).error().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(AdminTest, ExplainsWhatItWouldDecide) {
  StartWithAdmin();
  v1::ExplainRequest request;
  request.set_listener("front");
  request.set_uid(0);
  request.set_method("/test.Unary/Do");
  const auto allowed = Call(&v1::AdminClient::Explain, request);
  ASSERT_TRUE(allowed);
  EXPECT_TRUE(allowed->admitted());
  EXPECT_TRUE(allowed->allowed());
  EXPECT_EQ(allowed->rule().backend(), "back");
  EXPECT_EQ(allowed->rule().file(), config_path());
  EXPECT_GT(allowed->rule().line(), 1U);
  request.set_uid(1000);
  const auto denied = Call(&v1::AdminClient::Explain, request);
  ASSERT_TRUE(denied);
  EXPECT_FALSE(denied->admitted());
  EXPECT_FALSE(denied->allowed());
  EXPECT_NE(denied->reason(), "");
  request.set_method("Do");
  EXPECT_EQ(Call(&v1::AdminClient::Explain, request).error().code(), StatusCode::kInvalidArgument);
  request.set_listener("back");
  EXPECT_EQ(Call(&v1::AdminClient::Explain, request).error().code(), StatusCode::kNotFound);
}

TEST_F(AdminTest, ExplainsOnTheOnlyListenerIfNoneIsNamed) {
  StartWithAdmin();
  v1::ExplainRequest request;
  request.set_method("/test.Unary/Do");
  const auto allowed = Call(&v1::AdminClient::Explain, request);
  ASSERT_TRUE(allowed) << allowed.error().ToString();
  EXPECT_TRUE(allowed->allowed());
  request.set_listener("nosuch");
  EXPECT_EQ(Call(&v1::AdminClient::Explain, request).error().message(),
            "no listener \"nosuch\"; use \"front\"");
  WriteConfig({.head = Head(),
               .rules = std::string(kDefaultRules) + "[[listener]]\nname = \"other\"\n" +
                        "address = \"unix://" + (folder_ / "other.sock") + "\"\n"});
  ASSERT_TRUE(Call(&v1::AdminClient::Reload));
  request.set_listener("");
  const auto which = Call(&v1::AdminClient::Explain, request);
  ASSERT_FALSE(which);
  EXPECT_EQ(which.error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(which.error().message(), "the request names no listener; use \"front\" or \"other\"");
}

// The names have the greatest length, so that a list of all these calls exceeds one message.
TEST_F(AdminTest, AListIsCutBeforeItIsTooLongForAMessage) {
  constexpr uint32_t kCalls = 8000;
  StartWithAdmin({.head = "[limits]\ncalls_per_connection = 8192\ncalls_per_user = 8192\n",
                  .rules = kOpenRules,
                  .server = {.script = Silent}});
  RawPeer peer = Peer();
  const std::string service = "test." + std::string(251, 's');
  const std::string method(256, 'm');
  for (uint32_t i = 0; i < kCalls; ++i)
    ASSERT_TRUE(peer.Send(Request(2 * i + 1, {.service = service, .method = method})));
  ASSERT_TRUE(Await([](const auto& status) { return status.calls() == kCalls; }));
  v1::ListCallsRequest request;
  request.set_limit(10000);
  const auto calls = Call(&v1::AdminClient::ListCalls, request);
  ASSERT_TRUE(calls) << calls.error().ToString();
  EXPECT_TRUE(calls->cut());
  EXPECT_EQ(calls->total(), kCalls);
  EXPECT_LT(calls->calls_size(), static_cast<int>(kCalls));
  EXPECT_GT(calls->calls_size(), 6000);
  EXPECT_EQ(calls->calls(0).stream_id(), 1U) << "the oldest calls are missing";
  request.set_limit(100);
  const auto few = Call(&v1::AdminClient::ListCalls, request);
  ASSERT_TRUE(few);
  EXPECT_FALSE(few->cut());
  EXPECT_EQ(few->calls_size(), 100);
}

TEST_F(AdminTest, ClosesAPeerWithItsCalls) {
  StartWithAdmin();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  backend_->WaitForMessages(0, 1);
  RawPeer other = Peer();
  ExpectEcho(other, 1);
  v1::ClosePeerRequest request;
  request.set_id(Call(&v1::AdminClient::ListPeers)->peers(0).id());
  EXPECT_TRUE(Call(&v1::AdminClient::ClosePeer, request));
  peer.ExpectEnd();
  ExpectEcho(other, 3);
  EXPECT_EQ(Call(&v1::AdminClient::ClosePeer, request).error().code(), StatusCode::kNotFound);
}

// Only the configured users may use the service.

TEST_F(AdminTest, OthersAreClosedWithoutAByteAndAudited) {
  StartWithAdmin({.head = "[audit]\ncalls = \"none\"\n"});
  RawPeer stranger(admin_path(), {.uid = 4242, .gid = 4242});
  stranger.ExpectEnd();
  daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find("\"event\":\"refuse\",\"listener\":\"[admin]\"") != std::string::npos &&
           line.find("\"uid\":4242") != std::string::npos;
  });
}

TEST_F(AdminTest, WhoMayNoLongerIsToldSoOnAnOpenConnection) {
  StartWithAdmin();
  auto tap = Tap({});
  WriteConfig({.head = Head("users = [4242]\n")});
  daemon_->Signal(SIGHUP);
  daemon_->WaitForLines(
      1, [](const std::string& line) { return line.find("reloaded:") != std::string::npos; });
  EXPECT_FALSE(Next(tap).has_value());
  EXPECT_EQ(loop_.Run(tap.Finish()).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(Call(&v1::AdminClient::GetStatus).error().code(), StatusCode::kPermissionDenied);
}

TEST_F(AdminTest, ComesAndGoesWithReloads) {
  StartWithAdmin();
  WriteConfig({});
  daemon_->Signal(SIGHUP);
  daemon_->WaitForLines(
      1, [](const std::string& line) { return line.find("reloaded:") != std::string::npos; });
  EXPECT_FALSE(std::filesystem::exists(admin_path()));
  WriteConfig({.head = Head()});
  daemon_->Signal(SIGHUP);
  daemon_->WaitForLines(
      2, [](const std::string& line) { return line.find("reloaded:") != std::string::npos; });
  Dial();
  EXPECT_EQ(Status().reloads(), 2U);
}

}  // namespace
}  // namespace integration
