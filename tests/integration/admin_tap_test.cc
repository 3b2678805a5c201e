// SPDX-License-Identifier: Apache-2.0
//
// Taps of the admin service: a client that taps sees decisions and other events as they happen.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "harness/admin_test.h"

namespace integration {
namespace {

using ::testing::ElementsAre;
using ttrpc::StatusCode;

class AdminTapTest : public AdminTest {};

TEST_F(AdminTapTest, ATapSeesWhatHappensWhateverIsAudited) {
  StartWithAdmin({.head = "[audit]\ncalls = \"none\"\n"});
  auto tap = Tap({});
  RawPeer peer = Peer();
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  EXPECT_EQ(peer.Exchange(Request(1, {.payload = "echo", .metadata = {{"traceparent", trace}}})),
            Response(1, "echo"));
  peer.Exchange(Request(3, {.service = "test.Other"}));
  peer.Close();

  const auto connected = Next(tap);
  ASSERT_TRUE(connected);
  EXPECT_EQ(connected->event(), "connect");
  EXPECT_EQ(connected->listener(), "front");
  EXPECT_GT(connected->time(), 0);
  const auto call = Next(tap);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->event(), "call");
  EXPECT_EQ(call->peer(), connected->peer());
  EXPECT_EQ(call->stream_id(), 1U);
  EXPECT_EQ(call->service(), "test.Unary");
  EXPECT_EQ(call->method(), "Do");
  EXPECT_EQ(call->code(), "OK");
  EXPECT_EQ(call->backend(), "back");
  EXPECT_EQ(call->traceparent(), trace);
  EXPECT_TRUE(call->enforced());
  const auto denial = Next(tap);
  ASSERT_TRUE(denial);
  EXPECT_EQ(denial->event(), "deny");
  EXPECT_EQ(denial->code(), "PERMISSION_DENIED");
  const auto gone = Next(tap);
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->event(), "disconnect");
}

constexpr char kMore[] = R"(
[[rule]]
name = "elsewhere"
users = ["root"]
methods = ["/test.Elsewhere/*"]
action = "allow"
backend = "other back"

[[backend]]
name = "other back"
address = "unix:///nowhere/other-back.sock"

[[listener]]
name = "other"
address = "unix-abstract:)";

// The daemon has a second listener, rule and backend.
class AdminTapNamesTest : public AdminTapTest {
 protected:
  void StartWithMore() {
    StartWithAdmin({.rules = std::string(kDefaultRules) + kMore + folder_.path() + "/other\"\n"});
  }
  ttrpc::Status EndOf(const v1::TapRequest& request) {
    return loop_.Run(admin_->Tap(context_, request).Finish());
  }
};

TEST_F(AdminTapNamesTest, ATapForWhatIsNotThereEndsWithTheNamesThatThereAre) {
  StartWithMore();
  v1::TapRequest listener;
  listener.add_listeners("front");
  listener.add_listeners("nosuch");
  const ttrpc::Status none = EndOf(listener);
  EXPECT_EQ(none.code(), StatusCode::kNotFound);
  EXPECT_EQ(none.message(), "no listener \"nosuch\"; use \"front\" or \"other\"");
  v1::TapRequest rule;
  rule.add_rules("");
  EXPECT_EQ(EndOf(rule).code(), StatusCode::kNotFound);
  EXPECT_THAT(EndOf(rule).message(), ::testing::HasSubstr(" \"elsewhere\""));
  v1::TapRequest backend;
  backend.add_backends("front");
  EXPECT_EQ(EndOf(backend).message(), "no backend \"front\"; use \"back\" or \"other back\"");
  v1::TapRequest admin;
  admin.add_listeners("[admin]");
  auto tap = Tap(admin);
  ASSERT_TRUE(Call(&v1::AdminClient::Reload));
  EXPECT_EQ(Next(tap)->method(), "Reload");
}

TEST_F(AdminTapNamesTest, ATapMayBeForABackend) {
  StartWithMore();
  v1::TapRequest request;
  request.add_backends("back");
  request.set_payload_bytes(64);
  auto tap = Tap(request);
  RawPeer peer = Peer();
  peer.Exchange(Request(1, {.service = "test.Other"}));
  peer.Exchange(Request(3, {.service = "test.Elsewhere"}));
  ExpectEcho(peer, 5);
  std::vector<std::string> events;
  for (int i = 0; i < 3; ++i) {
    const auto seen = Next(tap);
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->stream_id(), 5U);
    EXPECT_EQ(seen->backend(), "back");
    events.push_back(seen->event());
  }
  EXPECT_THAT(events, ::testing::UnorderedElementsAre("message", "message", "call"));
}

TEST_F(AdminTapNamesTest, ATapIsFiltered) {
  StartWithMore();
  v1::TapRequest by_outcome;
  by_outcome.add_outcomes("PERMISSION_DENIED");
  auto denials = Tap(by_outcome);
  v1::TapRequest by_method;
  by_method.set_method("/test.*/Do");
  by_method.add_events("call");
  by_method.add_uids(0);
  auto calls = Tap(by_method);
  v1::TapRequest nothing;
  nothing.add_listeners("other");
  auto none = Tap(nothing);
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  peer.Exchange(Request(3, {.service = "test.Other"}));
  EXPECT_EQ(Next(denials)->stream_id(), 3U);
  EXPECT_EQ(Next(calls)->stream_id(), 1U);
  peer.Exchange(Request(5, {.service = "test.Other"}));
  EXPECT_EQ(Next(denials)->stream_id(), 5U);
  ExpectEcho(peer, 7);
  EXPECT_EQ(Next(calls)->stream_id(), 7U);
}

TEST_F(AdminTapTest, ATapShowsPayloadsIfItIsAskedAndThatIsAudited) {
  StartWithAdmin({.head = "[audit]\ncalls = \"none\"\n"});
  v1::TapRequest request;
  request.set_payload_bytes(4);
  request.add_events("message");
  auto tap = Tap(request);
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  EXPECT_TRUE(peer.Send(
      Request(3, {.service = "test.Stream", .method = "Hold", .payload = "open"}, kOpen)));
  EXPECT_TRUE(peer.Send(Data(3, "more than that")));
  backend_->WaitForMessages(0, 3);
  backend_->Send(0, Data(3, "answer"));
  std::vector<std::string> seen;
  for (int i = 0; i < 5; ++i) {
    const auto event = Next(tap);
    ASSERT_TRUE(event);
    seen.push_back(event->method() + " " + event->direction() + " " + event->payload() + " " +
                   std::to_string(event->payload_size()));
  }
  EXPECT_THAT(seen, ElementsAre("Do request echo 4", "Do response echo 4", "Hold request open 4",
                                "Hold request more 14", "Hold response answ 6"));
  daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find("\"listener\":\"[admin]\"") != std::string::npos &&
           line.find("\"method\":\"Tap\"") != std::string::npos &&
           line.find("\"uid\":0") != std::string::npos;
  });
}

TEST_F(AdminTapTest, ATapThatIsTooSlowLosesAndIsTold) {
  StartWithAdmin({.head = "[limits]\ncalls_per_user = 4096\n"});
  v1::TapRequest request;
  request.set_payload_bytes(64 << 10);
  request.add_events("message");
  auto tap = Tap(request);
  // The client takes no events while its loop does not run.
  RawPeer peer = Peer();
  const std::string payload(60 << 10, 'x');
  constexpr uint32_t kCalls = 400;
  for (uint32_t i = 0; i < kCalls; ++i)
    ASSERT_EQ(peer.Exchange(Request(2 * i + 1, {.payload = payload})),
              Response(2 * i + 1, payload));
  // This makes room for a next event, which reports how many were lost before it.
  uint64_t taken = 0;
  uint64_t dropped = 0;
  const auto take = [&] {
    const auto event = Next(tap);
    if (!event) return std::string("none");
    ++taken;
    dropped += event->dropped();
    return event->direction() + " " + event->payload();
  };
  for (int i = 0; i < 20; ++i) ASSERT_EQ(take(), (i % 2 == 0 ? "request " : "response ") + payload);
  ASSERT_EQ(peer.Exchange(Request(2 * kCalls + 1, {.payload = "last"})),
            Response(2 * kCalls + 1, "last"));
  std::string event;
  while (event != "response last" && event != "none") event = take();
  EXPECT_GT(dropped, 0U);
  EXPECT_EQ(taken + dropped, 2 * kCalls + 2);
}

TEST_F(AdminTapTest, WhatATapCannotHave) {
  StartWithAdmin();
  v1::TapRequest request;
  request.set_method("Do");
  EXPECT_EQ(loop_.Run(admin_->Tap(context_, request).Finish()).code(),
            StatusCode::kInvalidArgument);
  request.set_method("");
  request.set_payload_bytes((64 << 10) + 1);
  EXPECT_EQ(loop_.Run(admin_->Tap(context_, request).Finish()).code(),
            StatusCode::kInvalidArgument);
  std::vector<ttrpc::ServerStreamCall<v1::TapEvent>> taps;
  taps.reserve(8);
  for (int i = 0; i < 8; ++i) taps.push_back(Tap({}));
  EXPECT_EQ(loop_.Run(admin_->Tap(context_, {}).Finish()).code(), StatusCode::kResourceExhausted);
  // The taps of a client end when it disconnects.
  Dial();
  Await([](const auto& status) { return status.taps() == 0; });
}

}  // namespace
}  // namespace integration
