// SPDX-License-Identifier: Apache-2.0
#include "ctl/tap_view.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "ctl/admin_types.h"
#include "support/temp_folder.h"

namespace proxyd::ctl {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using ttrpc::proxy::v1::TapEvent;

// The tests decode messages of the admin service itself, whose schema is available here.
std::unique_ptr<ttrpc::tool::Schema> AdminSchema(const test::TempFolder& folder) {
  google::protobuf::FileDescriptorSet set;
  AdminTypes().FindFileByName("admin.proto")->CopyTo(set.add_file());
  std::ofstream out(folder / "set.pb", std::ios::binary);
  set.SerializeToOstream(&out);
  out.close();
  std::vector<std::string> errors;
  return ttrpc::tool::Schema::Load(
      {.protos = {}, .import_paths = {}, .descriptor_sets = {folder / "set.pb"}}, &errors);
}

TapEvent Event(const std::string& event) {
  TapEvent out;
  out.set_time(1'706'745'599'000'001);
  out.set_event(event);
  out.set_peer(7);
  out.set_pid(42);
  out.set_uid(1000);
  out.set_listener("shims");
  out.set_service("ttrpc.proxy.v1.Admin");
  out.set_method("SetLogLevel");
  return out;
}

TapEvent Message(const std::string& direction, const std::string& payload) {
  TapEvent out = Event("message");
  out.set_stream_id(3);
  out.set_direction(direction);
  out.set_payload(payload);
  out.set_payload_size(payload.size());
  return out;
}

class TapViewTest : public testing::Test {
 protected:
  TapViewTest() : schema_(AdminSchema(folder_)), known_(schema_.get(), false) {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }

  const test::TempFolder folder_;
  const std::unique_ptr<ttrpc::tool::Schema> schema_;
  TapView known_;
  TapView unknown_{nullptr, false};
};

TEST_F(TapViewTest, ACall) {
  TapEvent event = Event("call");
  event.set_kind("unary");
  event.set_rule("look \"here\"");
  event.set_enforced(true);
  event.set_backend("shim");
  event.set_code("OK");
  event.set_duration_us(1500);
  event.set_request_bytes(10);
  event.set_response_bytes(2048);
  event.set_stream_id(3);
  EXPECT_EQ(unknown_.Text(event),
            "23:59:59.000001 call uid=1000 peer=7 pid=42 stream=3 shims "
            "/ttrpc.proxy.v1.Admin/SetLogLevel unary rule=\"look \\\"here\\\"\" backend=\"shim\" "
            "OK 1.5ms sent=10B received=2KiB\n");
}

TEST_F(TapViewTest, ADenialOfAHostilePeer) {
  TapEvent event = Event("deny");
  event.set_service("a\x1b[2J\n");
  event.set_method("\x7f");
  event.set_pid(0);
  event.set_enforced(false);
  event.set_code("PERMISSION_DENIED");
  event.set_dropped(12);
  EXPECT_EQ(unknown_.Text(event),
            "(events lost here because this tap was too slow: 12)\n"
            "23:59:59.000001 deny uid=1000 peer=7 shims /a\\x1b[2J\\x0a/\\x7f enforced=false "
            "PERMISSION_DENIED\n");
  EXPECT_THAT(unknown_.Json(event), HasSubstr(R"("dropped":"12")"));
  EXPECT_EQ(json::parse(unknown_.Json(event))["service"], "a\x1b[2J\n");
  EXPECT_THAT(unknown_.Json(event), Not(HasSubstr("\x1b")));
  EXPECT_THAT(unknown_.Json(event), Not(HasSubstr("\x7f")));
}

TEST_F(TapViewTest, TimesHaveTheFormatOfTheAudit) {
  TapEvent event;
  event.set_event("connect");
  event.set_time(1700000000'000007);
  event.set_service("time\":\"1700000000000007");
  const json line = json::parse(unknown_.Json(event));
  EXPECT_EQ(line["time"], "2023-11-14T22:13:20.000007Z");
  EXPECT_EQ(line["service"], event.service());
}

TEST_F(TapViewTest, AnEventSaysWhoAndWhy) {
  TapEvent event;
  event.set_event("refuse");
  event.set_uid(1000);
  event.set_user("alice");
  event.set_code("RESOURCE_EXHAUSTED");
  event.set_reason("limit");
  event.set_limit("calls_per_user");
  event.set_detail("limit calls_per_user = 4096 reached");
  event.set_workload("k8s.io/web-1");
  event.set_pod("team-a/web");
  const std::string text = unknown_.Text(event);
  EXPECT_THAT(text, HasSubstr(" refuse uid=1000(alice) "));
  EXPECT_THAT(text, HasSubstr(" RESOURCE_EXHAUSTED reason=limit limit=calls_per_user "
                              "detail=\"limit calls_per_user = 4096 reached\"\n"));
}

TEST_F(TapViewTest, AKnownMessageIsJson) {
  ttrpc::proxy::v1::SetLogLevelRequest request;
  request.set_level("debug");
  const TapEvent event = Message("request", request.SerializeAsString());
  EXPECT_EQ(known_.Text(event),
            "23:59:59.000001 message uid=1000 peer=7 pid=42 stream=3 shims "
            "/ttrpc.proxy.v1.Admin/SetLogLevel request 7B\n"
            "    {\"level\":\"debug\"}\n");
  const std::string line = known_.Json(event);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(json::parse(line)["message"], json({{"level", "debug"}}));
  EXPECT_EQ(json::parse(line)["payload"], "CgVkZWJ1Zw==");
}

TEST_F(TapViewTest, TheReplyHasItsOwnType) {
  ttrpc::proxy::v1::SetLogLevelReply reply;
  reply.set_previous("info");
  EXPECT_THAT(known_.Text(Message("response", reply.SerializeAsString())),
              HasSubstr("    {\"previous\":\"info\"}\n"));
  EXPECT_THAT(known_.Text(Message("response", "")), HasSubstr("response 0B\n    {}\n"));
}

TEST_F(TapViewTest, UnknownMessagesAreShownAsBytes) {
  TapEvent event = Message("request", std::string("\x0a\x05"
                                                  "debug\0\xff",
                                                  9));
  EXPECT_THAT(
      known_.Text(event),
      HasSubstr("\n    0000  0a 05 64 65 62 75 67 00 ff                       ..debug..\n"));
  event.set_method("NoSuch");
  EXPECT_THAT(known_.Text(event), HasSubstr("\n    0000  0a 05"));
  EXPECT_THAT(unknown_.Text(event), HasSubstr("\n    0000  0a 05"));
  EXPECT_FALSE(json::parse(known_.Json(event)).contains("message"));
}

TEST_F(TapViewTest, ACutMessageIsNotTakenForAWholeOne) {
  TapEvent event = Message("request", "\x0a\x01x");
  event.set_payload_size(2048);
  EXPECT_THAT(known_.Text(event), HasSubstr(" request 2KiB (first 3B)\n    0000  0a 01 78"));
  EXPECT_FALSE(json::parse(known_.Json(event)).contains("message"));
}

TEST(HexDumpTest, SixteenBytesALine) {
  EXPECT_EQ(HexDump("", " "), "");
  EXPECT_EQ(HexDump("0123456789abcdefX", ">"),
            ">0000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef\n"
            ">0010  58                                               X\n");
}

}  // namespace
}  // namespace proxyd::ctl
