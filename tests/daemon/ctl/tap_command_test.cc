// SPDX-License-Identifier: Apache-2.0
//
// `ttrpc-proxyctl tap`, run as a program.
#include <google/protobuf/descriptor.pb.h>
#include <signal.h>

#include "ctl/admin_types.h"
#include "program.h"

namespace proxyd::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using ttrpc::Status;
using ttrpc::StatusCode;

v1::TapEvent EventOf(const std::string& event) {
  v1::TapEvent out;
  out.set_event(event);
  out.set_peer(7);
  out.set_uid(1000);
  out.set_listener("shims");
  out.set_service("ttrpc.proxy.v1.Admin");
  out.set_method("SetLogLevel");
  out.set_kind("unary");
  return out;
}

v1::TapEvent Message() {
  v1::SetLogLevelRequest request;
  request.set_level("debug");
  v1::TapEvent out = EventOf("message");
  out.set_direction("request");
  out.set_payload(request.SerializeAsString());
  out.set_payload_size(out.payload().size());
  return out;
}

class CtlTapTest : public CtlProgramTest {
 protected:
  std::string AdminSet() const {
    google::protobuf::FileDescriptorSet set;
    AdminTypes().FindFileByName("admin.proto")->CopyTo(set.add_file());
    return Write("set.pb", set.SerializeAsString());
  }
};

TEST_F(CtlTapTest, ShowsEventsAsTheyCome) {
  v1::TapEvent missed = EventOf("deny");
  missed.set_dropped(3);
  missed.set_code("PERMISSION_DENIED");
  Serve({.events = {EventOf("call"), missed}});
  ToolProcess process(Args({"tap"}));
  // The machine may have a name for the uid.
  EXPECT_THAT(process.ReadLine(),
              ::testing::ContainsRegex(" call uid=1000([(].*[)])? peer=7 shims "));
  EXPECT_EQ(process.ReadLine(), "(events lost here because this tap was too slow: 3)");
  EXPECT_THAT(process.ReadLine(), HasSubstr(" deny uid=1000"));
  process.Signal(SIGINT);
  Expect(process.Wait(), 128 + SIGINT, "", "");
  EXPECT_THAT(server_->calls(), ElementsAre("Tap"));
}

TEST_F(CtlTapTest, SendsTheFilters) {
  Serve({.events = {EventOf("call")}});
  EXPECT_EQ(Run({"tap", "--count=1", "--user", "root", "--user", "7", "--listener", "shims",
                 "--rule", "r", "--backend", "b", "--method", "a.*/*", "--outcome", "ok", "--event",
                 "call", "--payload=100"})
                .status,
            0);
  EXPECT_THAT(server_->calls(),
              ElementsAre("Tap uids: 0 uids: 7 listeners: \"shims\" rules: \"r\" method: "
                          "\"/a.*/*\" outcomes: \"OK\" events: \"call\" payload_bytes: 100 "
                          "backends: \"b\""));
}

TEST_F(CtlTapTest, AnEventIsALineOfJson) {
  v1::TapEvent hostile = EventOf("deny");
  hostile.set_service("\x1b[2J\n");
  Serve({.events = {EventOf("call"), hostile, Message()}});
  const ToolResult result = Run({"tap", "--count=3", "--json"});
  EXPECT_EQ(result.status, 0);
  std::istringstream lines(result.out);
  std::vector<nlohmann::json> events;
  for (std::string line; std::getline(lines, line);) {
    events.push_back(nlohmann::json::parse(line, nullptr, false));
    EXPECT_TRUE(events.back().is_object()) << line;
  }
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0]["event"], "call");
  EXPECT_EQ(events[0]["uid"], 1000);
  EXPECT_EQ(events[0]["dropped"], "0");
  EXPECT_EQ(events[1]["service"], "\x1b[2J\n");
  EXPECT_EQ(events[2]["payload"], "CgVkZWJ1Zw==");
}

TEST_F(CtlTapTest, PayloadsAreShownByTheDescriptorSet) {
  Serve({.events = {Message()}});
  const std::string set = AdminSet();
  EXPECT_THAT(
      Run({"tap", "--count=1", "--descriptor-set", set}).out,
      HasSubstr("/ttrpc.proxy.v1.Admin/SetLogLevel request 7B\n    {\"level\":\"debug\"}\n"));
  const auto json =
      nlohmann::json::parse(Run({"tap", "--count=1", "--descriptor-set", set, "--json"}).out);
  EXPECT_EQ(json["message"]["level"], "debug");
  EXPECT_THAT(Run({"tap", "--count=1", "--payload"}).out,
              HasSubstr("request 7B\n    0000  0a 05 64 65 62 75 67  "));
  EXPECT_THAT(server_->calls(), ElementsAre("Tap payload_bytes: 65536", "Tap payload_bytes: 65536",
                                            "Tap payload_bytes: 65536"));
}

TEST_F(CtlTapTest, ABadDescriptorSetIsReportedBeforeAnyCall) {
  Serve({});
  const std::string bad = Write("bad.pb", "nonsense");
  const ToolResult result = Run({"tap", "--descriptor-set", bad});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr(bad + ": error: not a descriptor set"));
  EXPECT_THAT(Run({"tap", "--user", "no-such-user-anywhere"}).err,
              HasSubstr("user \"no-such-user-anywhere\" does not exist"));
  EXPECT_THAT(server_->calls(), IsEmpty());
}

TEST_F(CtlTapTest, TheEndOfATapIsReported) {
  Serve({.events = {EventOf("call")}, .tap_ends = Status()});
  EXPECT_EQ(Run({"tap"}).err, "ttrpc-proxyctl: the daemon ended the tap\n");
  Serve({.failures = {{"Tap", {StatusCode::kResourceExhausted, "too many taps"}}}});
  Expect(Run({"tap"}), 1, "", "ttrpc-proxyctl: too many taps\n");
  Serve({.failures = {{"Tap", {StatusCode::kNotFound, "no rule \"x\"; there are: \"y\""}}}});
  Expect(Run({"tap", "--rule", "x"}), 65, "", "ttrpc-proxyctl: no rule \"x\"; there are: \"y\"\n");
}

TEST_F(CtlTapTest, ALostDaemonIsReported) {
  Serve({.events = {EventOf("call")}});
  ToolProcess process(Args({"tap"}));
  process.ReadLine();
  server_.reset();
  Expect(process.Wait(), 1, "", "ttrpc-proxyctl: the daemon closed the connection\n");
}

}  // namespace
}  // namespace proxyd::ctl
