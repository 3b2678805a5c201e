// SPDX-License-Identifier: Apache-2.0
#include "ctl/output.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "admin/admin.pb.h"

namespace proxyd::ctl {
namespace {

using nlohmann::json;
namespace v1 = ttrpc::proxy::v1;

TEST(OutputTest, TimesInJsonAreThoseOfTheAudit) {
  v1::GetStatusReply reply;
  reply.set_start_time(1700000000'000007);
  reply.set_config_load_time(1709251199'999999);
  reply.set_config_file("time\": \"1700000000000007");
  reply.set_buffered(1700000000'000007);
  for (const bool compact : {false, true}) {
    const json status = json::parse(ToJson(reply, compact));
    EXPECT_EQ(status["start_time"], "2023-11-14T22:13:20.000007Z");
    EXPECT_EQ(status["config_load_time"], "2024-02-29T23:59:59.999999Z");
    EXPECT_EQ(status["config_file"], reply.config_file());
    EXPECT_EQ(status["buffered"], "1700000000000007") << "a number of bytes is not a time";
  }
  v1::ListPeersReply peers;
  peers.add_peers()->set_connected_time(1);
  EXPECT_EQ(json::parse(ToJson(peers, false))["peers"][0]["connected_time"],
            "1970-01-01T00:00:00.000001Z");
}

// Other fields are printed even if they are absent. An absent time would be a day in 1970.
TEST(OutputTest, AbsentTimesAreLeftOut) {
  v1::GetStatusReply reply;
  for (const bool compact : {false, true}) {
    const json running = json::parse(ToJson(reply, compact));
    EXPECT_EQ(running["draining"], false);
    EXPECT_FALSE(running.contains("drain_time"));
  }
  reply.set_drain_time(1700000000'000007);
  EXPECT_EQ(json::parse(ToJson(reply, false))["drain_time"], "2023-11-14T22:13:20.000007Z");
}

TEST(OutputTest, OtherNumbersAreNotTakenForTimes) {
  for (const std::string text :
       {R"({"time":)", R"({"time":"1)", R"({"time":"x"})", R"({"time":"-1"})", R"({"time":1})",
        R"({"uptime":"1"})", R"({"time":"18446744073709551615"})", R"(time":"1")", "",
        "\"time\":\""})
    EXPECT_EQ(WithTimes(text), text);
}

}  // namespace
}  // namespace proxyd::ctl
