// SPDX-License-Identifier: Apache-2.0
#include "ctl/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace proxyd::ctl {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class CtlOptionsTest : public testing::Test {
 protected:
  std::optional<int> Parse(std::vector<const char*> words) {
    words.insert(words.begin(), "ttrpc-proxyctl");
    options_ = {};
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const auto status = ParseCommandLine(static_cast<int>(words.size()), words.data(), &options_);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return status;
  }
  void ExpectRefused(const std::vector<const char*>& words, const std::string& why) {
    EXPECT_EQ(Parse(words), 64) << words.back();
    EXPECT_THAT(err_, HasSubstr(why));
    EXPECT_EQ(out_, "");
  }

  Options options_;
  std::string out_, err_;
};

TEST_F(CtlOptionsTest, DefaultsAreSensible) {
  ASSERT_EQ(Parse({"status"}), std::nullopt);
  EXPECT_EQ(options_.command, Command::kStatus);
  EXPECT_EQ(options_.address->ToString(), "unix:///run/ttrpc-proxy/admin.sock");
  EXPECT_EQ(options_.timeout, seconds(10));
  EXPECT_FALSE(options_.json);
  EXPECT_EQ(options_.watch, std::nullopt);
}

TEST_F(CtlOptionsTest, EachCommandIsKnown) {
  const std::vector<std::pair<const char*, Command>> commands = {
      {"status", Command::kStatus}, {"peers", Command::kPeers},
      {"calls", Command::kCalls},   {"rules", Command::kRules},
      {"users", Command::kUsers},   {"backends", Command::kBackends},
      {"reload", Command::kReload}, {"drain", Command::kDrain},
      {"tap", Command::kTap},       {"workloads", Command::kWorkloads}};
  for (const auto& [name, command] : commands) {
    ASSERT_EQ(Parse({name}), std::nullopt) << name;
    EXPECT_EQ(options_.command, command) << name;
  }
  ASSERT_EQ(Parse({"log-level", "debug"}), std::nullopt);
  EXPECT_EQ(options_.command, Command::kLogLevel);
  EXPECT_EQ(options_.log_level, "debug");
  ASSERT_EQ(Parse({"names", "rules"}), std::nullopt);
  EXPECT_EQ(options_.command, Command::kNames);
  EXPECT_EQ(options_.names, "rules");
  ASSERT_EQ(Parse({"method-sets"}), std::nullopt);
  EXPECT_EQ(options_.command, Command::kMethodSets);
  EXPECT_EQ(options_.method_set, "");
  ASSERT_EQ(Parse({"method-sets", "@nri-plugin"}), std::nullopt);
  EXPECT_EQ(options_.method_set, "@nri-plugin");
  ASSERT_EQ(Parse({"workloads", "--listener", "shims", "--watch"}), std::nullopt);
  EXPECT_EQ(options_.workloads_listener, "shims");
  EXPECT_EQ(options_.watch, seconds(2));
  ASSERT_EQ(Parse({"close", "7", "18446744073709551615"}), std::nullopt);
  EXPECT_EQ(options_.command, Command::kClose);
  EXPECT_THAT(options_.peers, ElementsAre(7, UINT64_MAX));
}

TEST_F(CtlOptionsTest, CommonOptionsAreAcceptedOnEitherSide) {
  for (const std::vector<const char*>& words : std::vector<std::vector<const char*>>{
           {"--address", "unix-abstract:x", "--json", "--timeout", "2", "peers", "--limit", "5"},
           {"peers", "--limit=5", "--address=unix://@x", "--json", "--timeout=2000ms"}}) {
    ASSERT_EQ(Parse(words), std::nullopt) << err_;
    EXPECT_EQ(options_.command, Command::kPeers);
    EXPECT_EQ(options_.address->ToString(), "unix-abstract:x");
    EXPECT_TRUE(options_.json);
    EXPECT_EQ(options_.timeout, seconds(2));
    EXPECT_EQ(options_.limit, 5U);
  }
}

TEST_F(CtlOptionsTest, WatchTakesAnOptionalInterval) {
  ASSERT_EQ(Parse({"rules", "--watch"}), std::nullopt);
  EXPECT_EQ(options_.watch, seconds(2));
  ASSERT_EQ(Parse({"rules", "--watch", "--json"}), std::nullopt);
  EXPECT_EQ(options_.watch, seconds(2));
  ASSERT_EQ(Parse({"rules", "--watch=0.5"}), std::nullopt);
  EXPECT_EQ(options_.watch, milliseconds(500));
  ASSERT_EQ(Parse({"rules", "--watch", "1m"}), std::nullopt);
  EXPECT_EQ(options_.watch, seconds(60));
  ExpectRefused({"rules", "--watch=0"}, "--watch: ");
  ExpectRefused({"rules", "--watch=x"}, "--watch: ");
}

TEST_F(CtlOptionsTest, ReloadOfAProcessHasALongerTimeout) {
  ASSERT_EQ(Parse({"reload"}), std::nullopt);
  EXPECT_EQ(options_.reload_pid, std::nullopt);
  EXPECT_EQ(options_.timeout, seconds(10));
  ASSERT_EQ(Parse({"reload", "--pid", "12"}), std::nullopt) << err_;
  EXPECT_EQ(options_.reload_pid, 12);
  EXPECT_EQ(options_.timeout, seconds(30));
  ASSERT_EQ(Parse({"--timeout", "5", "reload", "--pid=12"}), std::nullopt);
  EXPECT_EQ(options_.timeout, seconds(5));
  for (const char* pid : {"0", "-1", "4294967296", "x"})
    ExpectRefused({"reload", "--pid", pid}, "--pid: ");
}

TEST_F(CtlOptionsTest, Explain) {
  ASSERT_EQ(Parse({"explain", "--listener", "l", "--user", "u", "--method", "/s/M", "--groups",
                   "a,7", "--metadata", "k=v=w", "--metadata", "l=", "--namespace", "k8s.io",
                   "--id", "web-1", "--annotation", "a.b/c=d=e"}),
            std::nullopt)
      << err_;
  EXPECT_EQ(options_.explain.listener, "l");
  EXPECT_EQ(options_.explain.who.user, "u");
  EXPECT_EQ(options_.explain.who.group, std::nullopt);
  ASSERT_TRUE(options_.explain.who.groups);
  EXPECT_THAT(*options_.explain.who.groups, ElementsAre("a", "7"));
  EXPECT_EQ(options_.explain.method, "/s/M");
  EXPECT_THAT(options_.explain.metadata, ElementsAre(Pair("k", "v=w"), Pair("l", "")));
  EXPECT_EQ(options_.explain.name_space, "k8s.io");
  EXPECT_EQ(options_.explain.id, "web-1");
  EXPECT_THAT(options_.explain.annotations, ElementsAre(Pair("a.b/c", "d=e")));
  ASSERT_EQ(Parse({"explain", "--config", "c", "--user", "u", "--method", "/s/M"}), std::nullopt);
  EXPECT_EQ(options_.explain.who.groups, std::nullopt);

  ASSERT_EQ(Parse({"explain", "--user", "u", "--method", "s.T/M"}), std::nullopt) << err_;
  EXPECT_EQ(options_.explain.listener, "") << "the only listener";
  EXPECT_EQ(options_.explain.method, "/s.T/M") << "the first slash is added";
  EXPECT_EQ(options_.explain.expect, std::nullopt);
  ASSERT_EQ(Parse({"explain", "--user", "u", "--method", "/s/M", "--expect", "allow"}),
            std::nullopt);
  EXPECT_EQ(options_.explain.expect, true);
  ASSERT_EQ(Parse({"explain", "--user", "u", "--method", "/s/M", "--expect", "deny"}),
            std::nullopt);
  EXPECT_EQ(options_.explain.expect, false);

  ExpectRefused({"explain", "--user", "u", "--method", "/s/M", "--expect", "allowed"},
                "--expect: unknown action \"allowed\"; did you mean \"allow\"?\n");
  ExpectRefused({"explain", "--listener", "l", "--method", "/s/M"},
                "ttrpc-proxyctl: --user is required; see ttrpc-proxyctl explain --help\n");
  ExpectRefused({"explain", "--listener", "l", "--user", "u"}, "--method");
  ExpectRefused({"explain", "--listener", "l", "--user", "u", "--method", "s"}, "--method: ");
  ExpectRefused(
      {"explain", "--listener", "l", "--user", "u", "--method", "/s/M", "--metadata", "k"},
      "--metadata: \"k\" is not valid; write KEY=VALUE\n");
  ExpectRefused({"explain", "--listener", "l", "--user", "u", "--method", "/s/M", "--metadata",
                 "k=1", "--metadata", "k=2"},
                "--metadata: key \"k\" is given twice; give each key once\n");
  ExpectRefused({"explain", "--user", "u", "--method", "/s/M", "--annotation", "=v"},
                "--annotation: \"=v\" is not valid; write KEY=VALUE\n");
}

TEST_F(CtlOptionsTest, Tap) {
  ASSERT_EQ(Parse({"tap",        "--user",    "root",      "--user",    "7",
                   "--listener", "l",         "--rule",    "r",         "--method",
                   "s/*",        "--outcome", "ok",        "--outcome", "NOT_FOUND",
                   "--event",    "message",   "--payload", "1KiB",      "--descriptor-set",
                   "d",          "--count",   "3",         "--backend", "b"}),
            std::nullopt)
      << err_;
  EXPECT_THAT(options_.tap.users, ElementsAre("root", "7"));
  EXPECT_THAT(options_.tap.outcomes, ElementsAre("OK", "NOT_FOUND"));
  EXPECT_THAT(options_.tap.backends, ElementsAre("b"));
  EXPECT_EQ(options_.tap.method, "/s/*");
  EXPECT_EQ(options_.tap.payload_bytes, 1024U);
  EXPECT_EQ(options_.tap.count, 3U);
  ASSERT_EQ(Parse({"tap"}), std::nullopt);
  EXPECT_EQ(options_.tap.payload_bytes, 0U);
  ASSERT_EQ(Parse({"tap", "--payload"}), std::nullopt);
  EXPECT_EQ(options_.tap.payload_bytes, 65536U);
  ASSERT_EQ(Parse({"tap", "--descriptor-set", "d"}), std::nullopt);
  EXPECT_EQ(options_.tap.payload_bytes, 65536U) << "--descriptor-set implies --payload";

  ExpectRefused({"tap", "--event", "x"},
                "--event: unknown event \"x\"; use connect, refuse, call, deny, disconnect or "
                "message\n");
  ExpectRefused({"tap", "--event", "calls"},
                "--event: unknown event \"calls\"; did you mean \"call\"?\n");
  ExpectRefused({"tap", "--outcome", "x"}, "--outcome: unknown status \"X\"; use OK, CANCELLED, ");
  ExpectRefused({"tap", "--outcome", "permission_denid"}, "did you mean \"PERMISSION_DENIED\"?\n");
  ExpectRefused({"tap", "--payload", "65537"}, "--payload: ");
  ExpectRefused({"tap", "--count", "0"}, "--count");
}

TEST_F(CtlOptionsTest, Learn) {
  ASSERT_EQ(Parse({"learn", "--audit", "-", "--include-denied", "--backend", "b"}), std::nullopt)
      << err_;
  EXPECT_EQ(options_.learn.audit, "-");
  EXPECT_TRUE(options_.learn.include_denied);
  EXPECT_EQ(options_.learn.backend, "b");
  ASSERT_EQ(Parse({"learn", "--tap"}), std::nullopt) << err_;
  EXPECT_EQ(options_.learn.tap_for, std::nullopt);
  ASSERT_EQ(Parse({"learn", "--tap=30", "--config", "c"}), std::nullopt) << err_;
  EXPECT_EQ(options_.learn.tap_for, seconds(30));

  ExpectRefused({"learn"}, "ttrpc-proxyctl: learn has no input; use --audit FILE or --tap\n");
  ExpectRefused({"learn", "--audit", "a", "--tap"}, "--tap");
  ExpectRefused({"learn", "--audit", "a", "--include-denied"}, "--backend");
  ExpectRefused({"learn", "--audit", "a", "--backend", "b"}, "--include-denied");
  ExpectRefused({"learn", "--audit", "a", "--json"}, "learn cannot print JSON; omit --json\n");
}

TEST_F(CtlOptionsTest, UnknownAndMissingWordsAreRefused) {
  ExpectRefused({}, "ttrpc-proxyctl: no command is given; use status, ");
  ExpectRefused({"nonsense"}, "ttrpc-proxyctl: unknown command \"nonsense\"; use status, ");
  ExpectRefused({"staus"}, "ttrpc-proxyctl: unknown command \"staus\"; did you mean \"status\"?\n");
  ExpectRefused({"--json", "relaod", "--timeout", "1"}, "did you mean \"reload\"?\n");
  ExpectRefused({"callls", "--limit", "5"}, "did you mean \"calls\"?\n");
  ExpectRefused({"--jsn"}, "ttrpc-proxyctl: unknown option \"--jsn\"; did you mean \"--json\"?\n");
  ExpectRefused({"peers", "--limt=5"}, "unknown option \"--limt\"; did you mean \"--limit\"?\n");
  ExpectRefused({"names"}, "ttrpc-proxyctl: KIND is required; see ttrpc-proxyctl names --help\n");
  ExpectRefused({"names", "users"},
                "KIND: unknown kind \"users\"; use listeners, rules or backends\n");
  ExpectRefused({"names", "rule"}, "KIND: unknown kind \"rule\"; did you mean \"rules\"?\n");
  ExpectRefused({"names", "rules", "--json"}, "names cannot print JSON; omit --json\n");
  ExpectRefused({"status", "nonsense"},
                "unexpected argument \"nonsense\"; see ttrpc-proxyctl status --help\n");
  ExpectRefused({"status", "peers"}, "unexpected argument \"peers\"");
  ExpectRefused({"status", "--limit", "5"},
                "unknown option \"--limit\"; use --help, --watch, --version, --address, --timeout "
                "or --json\n");
  ExpectRefused({"reload", "--watch"}, "unknown option \"--watch\"");
  ExpectRefused({"peers", "--limit", "0"},
                "--limit: \"0\" is not valid; use a number from 1 to 4294967295\n");
  ExpectRefused({"peers", "--limit"},
                "ttrpc-proxyctl: --limit needs a value; see ttrpc-proxyctl peers --help\n");
  ExpectRefused({"explain", "--user", "u", "--user", "v", "--method", "/s/M"},
                "--user is given more than once; see ttrpc-proxyctl explain --help\n");
  ExpectRefused({"log-level"}, "LEVEL is required");
  ExpectRefused({"log-level", "loud"},
                "LEVEL: unknown level \"loud\"; use trace, debug, info, warn or error\n");
  ExpectRefused({"close"}, "PEER or --listener is required; see ttrpc-proxyctl close --help\n");
  ExpectRefused({"close", "7", "--listener", "shims"}, "excludes");
  ExpectRefused({"close", "seven"}, "PEER: \"seven\" is not valid; use a number from 1 ");
  ExpectRefused({"close", "-1"}, "PEER: \"-1\" is not valid; use a number from 1 ");
  ExpectRefused({"status", "--address", "tcp:x"}, "--address: ");
  ExpectRefused({"status", "--timeout", "0"}, "--timeout: ");
}

TEST_F(CtlOptionsTest, HelpAndVersionArePrinted) {
  EXPECT_EQ(Parse({"--version"}), 0);
  EXPECT_THAT(out_, testing::StartsWith("ttrpc-proxyctl "));
  EXPECT_EQ(Parse({"--help"}), 0);
  EXPECT_THAT(out_, HasSubstr("explain"));
  EXPECT_EQ(Parse({"tap", "--help"}), 0);
  EXPECT_THAT(out_, HasSubstr("--descriptor-set"));
}

}  // namespace
}  // namespace proxyd::ctl
