// SPDX-License-Identifier: Apache-2.0
#include "ctl/audit_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace proxyd::ctl {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Returns an audit line of the daemon. `more` has the keys after `event`.
std::string Line(const std::string& event, const std::string& more) {
  return R"({"time":"2024-01-31T23:59:59.000001Z","event":")" + event + "\"" + more + "}";
}
constexpr char kCall[] =
    R"(,"listener":"shims","pid":1,"uid":1000,"gid":100,"service":"a.B","method":"Do",)"
    R"("kind":"unary","rule":"r","enforced":true,"backend":"shim","code":"OK","duration_us":5,)"
    R"("request_bytes":1,"response_bytes":2)";
constexpr char kDenied[] =
    R"(,"listener":"shims","uid":1000,"gid":100,"service":"a.B","method":"No","kind":"unary",)"
    R"("enforced":true,"code":"PERMISSION_DENIED")";

std::string With(std::string line, const std::string& from, const std::string& to) {
  return line.replace(line.find(from), from.size(), to);
}

TEST(AuditReaderTest, DistinctCallsAreCounted) {
  AuditReader reader(std::nullopt);
  reader.ReadLine(Line("call", kCall));
  reader.ReadLine(Line("call", With(kCall, "\"OK\"", "\"UNAVAILABLE\"")));
  reader.ReadLine(Line("call", With(kCall, "unary", "stream")));
  reader.ReadLine(Line("call", With(kCall, "1000", "0")));
  ASSERT_THAT(reader.calls(), SizeIs(3));
  const SeenCall call = {.listener = "shims",
                         .uid = 1000,
                         .service = "a.B",
                         .method = "Do",
                         .backend = "shim",
                         .streams = false};
  ASSERT_TRUE(reader.calls().contains(call));
  EXPECT_EQ(reader.calls().at(call).allowed, 2U);
  EXPECT_EQ(reader.calls().at(call).asked, 0U);
  EXPECT_EQ(reader.lines(), 4U);
  EXPECT_EQ(reader.skipped(), 0U);
  EXPECT_THAT(reader.errors(), IsEmpty());
}

TEST(AuditReaderTest, CallsThatAnUnenforcedRuleAllowsCountAsAsked) {
  AuditReader reader(std::nullopt);
  reader.ReadLine(Line("call", With(kCall, "true", "false")));
  ASSERT_THAT(reader.calls(), SizeIs(1));
  EXPECT_EQ(reader.calls().begin()->second.allowed, 0U);
  EXPECT_EQ(reader.calls().begin()->second.asked, 1U);
}

TEST(AuditReaderTest, DeniedCallsCountOnlyIfRequested) {
  AuditReader reader(std::nullopt);
  reader.ReadLine(Line("deny", kDenied));
  EXPECT_THAT(reader.calls(), IsEmpty());
  EXPECT_EQ(reader.denied(), 1U);

  AuditReader including("there");
  including.ReadLine(Line("deny", kDenied));
  // A denial that is not enforced does not count: the next rule has its own line.
  including.ReadLine(Line("deny", With(kDenied, "true", "false")));
  ASSERT_THAT(including.calls(), SizeIs(1));
  EXPECT_EQ(including.calls().begin()->first.backend, "there");
  const SeenCount& seen = including.calls().begin()->second;
  EXPECT_EQ(seen.denied, 1U);
  EXPECT_EQ(seen.asked, 0U);
  EXPECT_EQ(seen.allowed, 0U);
  EXPECT_THAT(seen.denied_by, IsEmpty()) << "no rule matched";
  EXPECT_EQ(including.denied(), 0U);

  including.ReadLine(Line("deny", With(kDenied, "\"enforced\"", R"("rule":"never","enforced")")));
  EXPECT_THAT(including.calls().begin()->second.denied_by, ElementsAre("never"));
}

TEST(AuditReaderTest, OtherEventsAreIgnored) {
  AuditReader reader("there");
  reader.ReadLine(Line("connect", R"(,"listener":"shims","uid":1000)"));
  reader.ReadLine(Line("disconnect", R"(,"listener":"shims","uid":1000)"));
  reader.ReadLine(Line("refuse", kCall));
  EXPECT_THAT(reader.calls(), IsEmpty());
  EXPECT_THAT(reader.errors(), IsEmpty());
  EXPECT_EQ(reader.skipped(), 0U);
}

TEST(AuditReaderTest, CallsOfTheAdminServiceAreIgnored) {
  AuditReader reader("there");
  for (const std::string event : {"call", "deny"}) {
    reader.ReadLine(Line(event,
                         R"(,"listener":"[admin]","pid":1,"uid":0,"gid":0,)"
                         R"("service":"ttrpc.proxy.v1.Admin","method":"Tap","kind":"stream")"));
  }
  EXPECT_THAT(reader.calls(), IsEmpty());
  EXPECT_THAT(reader.errors(), IsEmpty());
}

TEST(AuditReaderTest, LinesOfOtherLogsAreCounted) {
  AuditReader reader(std::nullopt);
  reader.ReadLine("2024-01-31 23:59:59 info: ready");
  reader.ReadLine("");
  reader.ReadLine(R"({"level":"info","message":"ready"})");
  reader.ReadLine(R"({"time":"2024-01-31T23:59:59.000001Z","level":"info","message":"ready"})");
  EXPECT_EQ(reader.skipped(), 4U);
  EXPECT_THAT(reader.errors(), IsEmpty());
}

// A gate: accepted lines become rules, and any program can write to a shared log.
TEST(AuditReaderTest, LinesOfOtherProgramsAreSkipped) {
  const std::string line = Line("call", kCall);
  for (const std::string& other :
       {"Jan 31 23:59:59 host sshd[1]: " + line, "Jan 31 23:59:59 host my-ttrpc-proxyd[1]: " + line,
        "Jan 31 23:59:59 host sshd[1]: ttrpc-proxyd[1]:" + line,
        "Jan 31 23:59:59 host sshd[1]: no user ttrpc-proxyd[1]: " + line,
        "Jan 31 23:59:59 host ttrpc-proxyd[x]: " + line, "some text " + line,
        "2024-01-31 23:59:59 info: client said " + line, R"({"message":)" + line + "}",
        With(line, "2024-01-31T23:59:59.000001Z", "2024-01-31 23:59:59"),
        With(line, "2024-01-31T23:59:59.000001Z", "2024-01-31T23:59:59.000001+01:00"),
        With(line, "\"event\"", R"("level":"info","event")"),
        With(line, "\"event\"", R"("msg":"x","event")")}) {
    AuditReader reader("there");
    reader.ReadLine(other);
    EXPECT_THAT(reader.calls(), IsEmpty()) << other;
    EXPECT_THAT(reader.errors(), IsEmpty()) << other;
    EXPECT_EQ(reader.skipped(), 1U) << other;
  }
}

TEST(AuditReaderTest, AJournalPrefixIsAccepted) {
  AuditReader reader(std::nullopt);
  reader.ReadLine("Jan 31 23:59:59 host ttrpc-proxyd[1]: " + Line("call", kCall));
  EXPECT_THAT(reader.calls(), SizeIs(1));
  reader.ReadLine("Jan 31 23:59:59 host ttrpc-proxyd: " + Line("call", kCall));
  reader.ReadLine("ttrpc-proxyd[12345]: " + Line("call", kCall));
  EXPECT_EQ(reader.calls().begin()->second.allowed, 3U);
}

TEST(AuditReaderTest, ATruncatedLineIsAnErrorAndNeverACall) {
  const std::string line = Line("call", kCall);
  for (size_t length = sizeof("{\"time\":\"") - 1; length < line.size(); ++length) {
    AuditReader reader(std::nullopt);
    reader.ReadLine(line.substr(0, length));
    EXPECT_THAT(reader.calls(), IsEmpty());
    EXPECT_THAT(reader.errors(), ElementsAre("1: error: the line is not valid JSON; it was "
                                             "truncated or changed, and is skipped"));
    reader.ReadLine(line);
    EXPECT_THAT(reader.calls(), SizeIs(1));
  }
}

TEST(AuditReaderTest, AnIncompleteCallIsAnError) {
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"\"listener\":\"shims\",", ""},
                                                        {"\"uid\":1000,", ""},
                                                        {"\"uid\":1000", "\"uid\":4294967295"},
                                                        {"\"uid\":1000", "\"uid\":-1"},
                                                        {"\"uid\":1000", "\"uid\":\"1000\""},
                                                        {"\"kind\":\"unary\",", ""},
                                                        {"\"backend\":\"shim\",", ""},
                                                        {"a.B", "a/B"},
                                                        {"a.B", ""},
                                                        {"Do", "*"},
                                                        {"Do", "D\\n"}}) {
    AuditReader reader(std::nullopt);
    reader.ReadLine(Line("call", With(kCall, from, to)));
    EXPECT_THAT(reader.calls(), IsEmpty()) << from << to;
    EXPECT_EQ(reader.failed(), 1U) << from << to;
  }
}

TEST(AuditReaderTest, SuppressedLinesAreCounted) {
  AuditReader reader(std::nullopt);
  reader.ReadLine(Line("deny", R"(,"uid":1000,"suppressed":12)"));
  reader.ReadLine(Line("refuse", R"(,"uid":1000,"suppressed":30)"));
  EXPECT_EQ(reader.suppressed(), 42U);
  EXPECT_EQ(reader.denied(), 0U);
}

TEST(AuditReaderTest, ErrorsAreBounded) {
  AuditReader reader(std::nullopt);
  for (size_t i = 0; i < 1000; ++i) reader.ReadLine(R"({"time":"20)");
  EXPECT_EQ(reader.failed(), 1000U);
  EXPECT_THAT(reader.errors(), SizeIs(AuditReader::kMostErrors));
}

}  // namespace
}  // namespace proxyd::ctl
