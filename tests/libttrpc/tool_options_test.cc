// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "options.h"

namespace ttrpc::tool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class OptionsTest : public ::testing::Test {
 protected:
  std::optional<int> Parse(std::vector<const char*> words) {
    words.insert(words.begin(), "ttrpc");
    options_ = Options();
    ::testing::internal::CaptureStderr();
    ::testing::internal::CaptureStdout();
    const auto status = ParseCommandLine(static_cast<int>(words.size()), words.data(), &options_);
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return status;
  }
  // Parses a call with --raw and these words.
  std::optional<int> ParseCall(const std::vector<const char*>& more) {
    std::vector<const char*> words = {"call", "unix:///run/x.sock", "a.Svc/Do", "--raw"};
    words.insert(words.end(), more.begin(), more.end());
    return Parse(words);
  }
  void ExpectRefused(const std::vector<const char*>& words, const std::string& why) {
    EXPECT_EQ(Parse(words), 64) << why;
    EXPECT_THAT(err_, HasSubstr(why));
    EXPECT_EQ(out_, "");
  }

  Options options_;
  std::string out_;
  std::string err_;
};

TEST_F(OptionsTest, DefaultsOfACall) {
  ASSERT_EQ(ParseCall({}), std::nullopt) << err_;
  EXPECT_EQ(options_.command, Options::Command::kCall);
  EXPECT_EQ(options_.address->ToString(), "unix:///run/x.sock");
  EXPECT_EQ(options_.method.service, "a.Svc");
  EXPECT_EQ(options_.method.method, "Do");
  EXPECT_EQ(options_.data, std::nullopt);
  EXPECT_EQ(options_.timeout, std::nullopt);
  EXPECT_EQ(options_.connect_timeout, std::chrono::seconds(10));
  EXPECT_EQ(options_.message_size, 4U << 20);
  EXPECT_TRUE(options_.raw);
  EXPECT_FALSE(options_.raw_client_streams || options_.raw_server_streams);
  EXPECT_FALSE(options_.status_as_json);
}

TEST_F(OptionsTest, EverythingOfACall) {
  ASSERT_EQ(Parse({"call",
                   "unix-abstract:x",
                   "/a.Svc/Do",
                   "-d",
                   "@file",
                   "--proto",
                   "a.proto",
                   "--proto",
                   "b.proto",
                   "-I",
                   "one",
                   "-Itwo",
                   "--metadata",
                   "k=v=w",
                   "--metadata",
                   "k=",
                   "--timeout",
                   "2s",
                   "--connect-timeout",
                   "250ms",
                   "--max-message-size",
                   "64KiB",
                   "--allow-unknown-fields",
                   "--json",
                   "--proto-names",
                   "--defaults",
                   "--compact"}),
            std::nullopt)
      << err_;
  EXPECT_EQ(options_.address->ToString(), "unix-abstract:x");
  EXPECT_EQ(options_.data, "@file");
  EXPECT_THAT(options_.schema.protos, ElementsAre("a.proto", "b.proto"));
  EXPECT_THAT(options_.schema.import_paths, ElementsAre("one", "two"));
  EXPECT_THAT(options_.metadata, ElementsAre(Pair("k", "v=w"), Pair("k", "")));
  EXPECT_EQ(options_.timeout, std::chrono::seconds(2));
  EXPECT_EQ(options_.connect_timeout, std::chrono::milliseconds(250));
  EXPECT_EQ(options_.message_size, 64U << 10);
  EXPECT_TRUE(options_.status_as_json && options_.style.proto_names && options_.style.defaults &&
              options_.style.compact && options_.allow_unknown_fields);
}

TEST_F(OptionsTest, OptionsMayStandBeforeAndBetweenArguments) {
  ASSERT_EQ(Parse({"call", "--proto", "a.proto", "unix:///x", "-d", "{}", "a.Svc/Do"}),
            std::nullopt)
      << err_;
  EXPECT_THAT(options_.schema.protos, ElementsAre("a.proto"));
  EXPECT_EQ(options_.method.service, "a.Svc");
}

TEST_F(OptionsTest, DataIsTakenAsItStands) {
  for (const char* data : {"{}", "-", "@", "[1,2]", "{\"a\": \"b\"}", "", "\"text\"", "'x'", "%%",
                           "{}{}", "a,b", "[]"}) {
    ASSERT_EQ(ParseCall({"-d", data}), std::nullopt) << data << err_;
    EXPECT_EQ(options_.data, data);
  }
}

TEST_F(OptionsTest, WhoStreamsWithRaw) {
  ASSERT_EQ(ParseCall({"--stream", "client"}), std::nullopt) << err_;
  EXPECT_TRUE(options_.raw_client_streams && !options_.raw_server_streams);
  ASSERT_EQ(ParseCall({"--stream", "server"}), std::nullopt) << err_;
  EXPECT_TRUE(!options_.raw_client_streams && options_.raw_server_streams);
  ASSERT_EQ(ParseCall({"--stream", "both"}), std::nullopt) << err_;
  EXPECT_TRUE(options_.raw_client_streams && options_.raw_server_streams);
}

TEST_F(OptionsTest, ListAndDescribe) {
  ASSERT_EQ(Parse({"list", "--descriptor-set", "a.pb", "--descriptor-set", "b.pb"}), std::nullopt);
  EXPECT_EQ(options_.command, Options::Command::kList);
  EXPECT_THAT(options_.schema.descriptor_sets, ElementsAre("a.pb", "b.pb"));
  EXPECT_EQ(options_.symbol, "");
  ASSERT_EQ(Parse({"describe", "a.Svc", "--proto", "a.proto"}), std::nullopt);
  EXPECT_EQ(options_.command, Options::Command::kDescribe);
  EXPECT_EQ(options_.symbol, "a.Svc");
}

TEST_F(OptionsTest, HelpAndVersion) {
  EXPECT_EQ(Parse({"--version"}), 0);
  EXPECT_THAT(out_, ::testing::ContainsRegex("^ttrpc [0-9]+\\.[0-9]+\\.[0-9]+\n$"));
  EXPECT_EQ(Parse({"--help"}), 0);
  for (const char* word : {"call", "list", "describe"}) EXPECT_THAT(out_, HasSubstr(word));
  EXPECT_EQ(Parse({"call", "--help"}), 0);
  EXPECT_THAT(out_, HasSubstr("100 + N the call ended with status code N"));
}

TEST_F(OptionsTest, BadCommandLinesExit64) {
  ExpectRefused({}, "ttrpc: no command; use call, list or describe\n");
  ExpectRefused({"shout"}, "ttrpc: unknown command \"shout\"; use call, list or describe\n");
  ExpectRefused({"--raw"}, "ttrpc: unknown option \"--raw\"; see \"ttrpc --help\"\n");
  ExpectRefused({"--verson"}, "ttrpc: unknown option \"--verson\"; did you mean \"--version\"?\n");
  ExpectRefused({"call", "unix:///x", "a.Svc/Do", "--raw", "--jsn"},
                "ttrpc: unknown option \"--jsn\"; did you mean \"--json\"?\n");
  ExpectRefused({"list", "--proto", "x", "--nonsense"},
                "ttrpc: unknown option \"--nonsense\"; see \"ttrpc list --help\"\n");
  ExpectRefused({"cal", "unix:///x"}, "ttrpc: unknown command \"cal\"; did you mean \"call\"?\n");
  ExpectRefused({"call"}, "ttrpc: ADDRESS is required; see \"ttrpc call --help\"\n");
  ExpectRefused({"call", "unix:///x"}, "METHOD is required");
  ExpectRefused({"call", "unix:///x", "a.Svc/Do"},
                "ttrpc: call needs a schema; use --proto or --descriptor-set, or --raw for none\n");
  ExpectRefused({"list"}, "ttrpc: list needs a schema; use --proto or --descriptor-set\n");
  ExpectRefused({"describe", "x"},
                "ttrpc: describe needs a schema; use --proto or --descriptor-set\n");
  ExpectRefused({"call", "tcp:1", "a.Svc/Do", "--raw"},
                "ttrpc: tcp:1: unknown kind of address; use unix:///");
  ExpectRefused({"call", "unix:///x", "Do", "--raw"},
                "ttrpc: \"Do\" is not a method; use package.Service/Method\n");
  ExpectRefused({"call", "unix:///x", "a.Svc/Do", "--raw", "--proto", "x"},
                "--proto excludes --raw");
  ExpectRefused({"call", "unix:///x", "a.Svc/Do", "--proto", "x", "--descriptor-set", "y"},
                "--proto excludes --descriptor-set");
  ExpectRefused({"call", "unix:///x", "a.Svc/Do", "--proto", "x", "--stream", "both"},
                "--stream requires --raw");
  ExpectRefused({"list", "--proto", "x", "one", "two"},
                "ttrpc: unexpected argument \"two\"; see \"ttrpc list --help\"\n");
}

// The way in which grpcurl and Go's programs write options.
TEST_F(OptionsTest, LongOptionsWithOneDashAreExplained) {
  const auto expect_refused = [this](const char* option, const std::string& why) {
    ExpectRefused({"call", "unix:///x", "a.Svc/Do", "--raw", option, "x"}, "ttrpc: " + why + "\n");
  };
  expect_refused("-proto", "unknown option \"-proto\"; did you mean \"--proto\"?");
  expect_refused("-proto=x.proto", "unknown option \"-proto\"; did you mean \"--proto\"?");
  expect_refused("-import-path=.",
                 "unknown option \"-import-path\"; did you mean \"--import-path\"?");
  expect_refused("-data", "unknown option \"-data\"; did you mean \"--data\"?");
  expect_refused("-data={}", "unknown option \"-data\"; did you mean \"--data\"?");
  expect_refused("-defaults", "unknown option \"-defaults\"; did you mean \"--defaults\"?");
  expect_refused("-descriptor-set",
                 "unknown option \"-descriptor-set\"; did you mean \"--descriptor-set\"?");
  expect_refused("--jsn=x", "unknown option \"--jsn\"; did you mean \"--json\"?");
  ExpectRefused({"list", "-descriptor-set=x"},
                "unknown option \"-descriptor-set\"; did you mean \"--descriptor-set\"?\n");
  ExpectRefused({"-version"}, "unknown option \"-version\"; did you mean \"--version\"?\n");
  ASSERT_EQ(ParseCall({"-d{}"}), std::nullopt) << err_;
  EXPECT_EQ(options_.data, "{}");
}

TEST_F(OptionsTest, StandardInputHasOneReader) {
  for (const char* data : {"-", "@", "@-"}) {
    ExpectRefused({"call", "unix:///x", "a.Svc/Do", "--descriptor-set", "-", "-d", data},
                  "ttrpc: --data and --descriptor-set cannot both read standard input; give one of "
                  "them a file\n");
  }
  ASSERT_EQ(Parse({"call", "unix:///x", "a.Svc/Do", "--descriptor-set", "-", "-d", "{}"}),
            std::nullopt)
      << err_;
  EXPECT_THAT(options_.schema.descriptor_sets, ElementsAre("-"));
}

TEST_F(OptionsTest, BadValuesExit64) {
  const auto expect_refused = [this](const char* option, const char* value, const char* why) {
    ExpectRefused({"call", "unix:///x", "a.Svc/Do", "--raw", option, value}, why);
  };
  expect_refused("--stream", "neither",
                 "ttrpc: --stream is \"neither\"; use client, server or both\n");
  expect_refused("--stream", "", "ttrpc: --stream is \"\"; use client, server or both\n");
  expect_refused("--metadata", "key", "ttrpc: --metadata is not of the form KEY=VALUE\n");
  expect_refused("--metadata", "=value", "ttrpc: --metadata is not of the form KEY=VALUE\n");
  expect_refused("--timeout", "2", "ttrpc: --timeout: not a duration; use one such as 250ms");
  expect_refused("--timeout", "", "ttrpc: --timeout: not a duration; use one such as 250ms");
  expect_refused("--connect-timeout", "-1s", "ttrpc: --connect-timeout: not a duration");
  expect_refused("--max-message-size", "17MiB",
                 "ttrpc: --max-message-size: out of range; use 1 to 16777215 bytes\n");
  ExpectRefused({"call", "unix:///x", "a.Svc/Do", "--raw", "-d"}, "--data");
}

}  // namespace
}  // namespace ttrpc::tool
