// SPDX-License-Identifier: Apache-2.0
//
// `ttrpc-proxyctl explain` and `learn`, run as programs.
#include <signal.h>

#include "program.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kListener[] = R"([[listener]]
name = "shims"
address = "unix:///run/shims.sock"

[[backend]]
name = "shim"
address = "unix:///run/shim.sock"
)";
constexpr char kRules[] = R"(
[[rule]]
name = "on trial"
users = [1234]
methods = ["/a.B/*"]
action = "deny"
enforce = false

[[rule]]
name = "look"
users = [1234]
methods = ["/a.B/Get"]
metadata = { "ns" = "k8s.io" }
action = "allow"
backend = "shim"
)";

class CtlExplainTest : public CtlProgramTest {
 protected:
  std::string Config(const std::string& text) const { return Write("config.toml", text); }
};

TEST_F(CtlExplainTest, AsksTheDaemon) {
  AdminScript script;
  script.explain.set_allowed(true);
  script.explain.set_reason("rule \"x\" (c.toml:3) allows it");
  Serve(std::move(script));
  Expect(Run({"explain", "--listener", "shims", "--user", "1234", "--group", "5", "--groups",
              "6,root", "--method", "/a.B/Get", "--metadata", "ns=k8s.io"}),
         0,
         "allowed: rule \"x\" (c.toml:3) allows it\n"
         "  caller: uid 1234, gid 5, groups 6 0\n"
         "  streams: the client may not send data after its request\n",
         "");
  EXPECT_THAT(server_->calls(),
              ElementsAre("Explain listener: \"shims\" uid: 1234 gid: 5 groups: 6 groups: 0 "
                          "method: \"/a.B/Get\" metadata { key: \"ns\" value: \"k8s.io\" }"));
}

TEST_F(CtlExplainTest, AsksTheDaemonAboutAWorkload) {
  Serve({});
  const ToolResult result =
      Run({"explain", "--user", "root", "--group", "0", "--groups", "0", "--method", "/a.B/Get",
           "--namespace", "k8s.io", "--id", "web", "--annotation", "team=x"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("\n  workload: k8s.io/web, team = x\n"));
  EXPECT_THAT(server_->calls(),
              ElementsAre("Explain groups: 0 method: \"/a.B/Get\" namespace: \"k8s.io\" id: "
                          "\"web\" annotations { key: \"team\" value: \"x\" } user: \"root\""));
}

TEST_F(CtlExplainTest, AConfigurationDecidesByTheWorkload) {
  const std::string config = Config(R"([[listener]]
name = "shims"
discover = "containerd"
address = "unix:///run/shims/{namespace}/{id}.sock"

[[backend]]
name = "the shim itself"
address = "discovered"

[[rule]]
name = "own"
users = ["root"]
methods = ["/a.B/Get"]
namespaces = ["k8s.io"]
ids = ["{user}-*"]
annotations = { team = "x" }
action = "allow"
backend = "the shim itself"
)");
  const auto explain = [&](const std::string& id, const std::string& annotation) {
    return Run({"explain", "--config", config, "--user", "root", "--method", "/a.B/Get",
                "--namespace", "k8s.io", "--id", id, "--annotation", annotation})
        .out;
  };
  EXPECT_THAT(explain("root-web", "team=x"), StartsWith("allowed: rule \"own\""));
  EXPECT_THAT(explain("dev-web", "team=x"), StartsWith("denied: "));
  EXPECT_THAT(explain("root-web", "team=y"),
              HasSubstr("but only for a workload with an annotation team like \"x\""));
  EXPECT_THAT(explain("root-web", "tier=x"), StartsWith("denied: "));
}

TEST_F(CtlExplainTest, UsersAreLookedUp) {
  Serve({});
  EXPECT_EQ(Run({"explain", "--listener", "l", "--user", "root", "--method", "/s/M"}).status, 0);
  EXPECT_THAT(server_->calls()[0], StartsWith("Explain listener: \"l\" groups: 0"));
  Expect(Run({"explain", "--listener", "l", "--user", "no-such-user", "--method", "/s/M"}), 1, "",
         "ttrpc-proxyctl: user \"no-such-user\" does not exist; use an existing user name or a "
         "number\n");
  Expect(Run({"explain", "--listener", "l", "--user", "roott", "--method", "/s/M"}), 1, "",
         "ttrpc-proxyctl: user \"roott\" does not exist; did you mean \"root\"?\n");
  Expect(Run({"explain", "--listener", "l", "--user", "root", "--group", "no-such-group",
              "--method", "/s/M"}),
         1, "",
         "ttrpc-proxyctl: group \"no-such-group\" does not exist; use an existing group name or a "
         "number\n");
}

TEST_F(CtlExplainTest, AUidWithoutAnAccountIsAssumedToHaveNoGroups) {
  Serve({});
  const std::vector<std::string> args = {"explain", "--user", "3999999999", "--method", "s/M"};
  const std::string overflow = std::to_string(ttrpc::OverflowGid());
  const std::string start =
      "note: uid 3999999999 has no account on this machine; assuming gid " + overflow;
  ToolResult result = Run(args);
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err,
            start + " and no supplementary groups (use --group and --groups to change)\n");
  EXPECT_THAT(result.out, HasSubstr("caller: uid 3999999999, gid " + overflow + "\n"));
  EXPECT_EQ(server_->calls()[0], "Explain uid: 3999999999 gid: " + overflow + " method: \"/s/M\"");

  const auto run_with = [this, &args](const std::vector<std::string>& more) {
    std::vector<std::string> all = args;
    all.insert(all.end(), more.begin(), more.end());
    return Run(all).err;
  };
  EXPECT_EQ(run_with({"--group", "5"}), "") << "with --group nothing is assumed silently";
  EXPECT_EQ(run_with({"--groups", "5"}), start + " (use --group to change it)\n");
  EXPECT_EQ(run_with({"--group", "5", "--groups", "6"}), "");
  EXPECT_EQ(server_->calls()[3], "Explain uid: 3999999999 gid: 5 groups: 6 method: \"/s/M\"");
}

TEST_F(CtlExplainTest, AnExpectationMakesItATest) {
  AdminScript script;
  script.explain.set_reason("no rule matches");
  Serve(std::move(script));
  const auto explain = [this](const std::string& expected) {
    return Run({"explain", "--user", "root", "--method", "/s/M", "--expect", expected});
  };
  EXPECT_EQ(explain("deny").status, 0);
  EXPECT_EQ(explain("deny").err, "");
  const ToolResult other = explain("allow");
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.out, StartsWith("denied: no rule matches\n"));
  EXPECT_EQ(other.err, "ttrpc-proxyctl: --expect allow failed: the call is denied\n");

  const std::string config = Config(std::string(kListener) + kRules);
  const auto explain_file = [this, &config](const std::string& expected) {
    return Run({"explain", "--config", config, "--user", "1234", "--group", "0", "--groups", "0",
                "--method", "a.B/Get", "--metadata", "ns=k8s.io", "--expect", expected});
  };
  EXPECT_EQ(explain_file("allow").status, 0);
  EXPECT_EQ(explain_file("deny").status, 2);
  EXPECT_EQ(explain_file("deny").err,
            "ttrpc-proxyctl: --expect deny failed: the call is allowed\n");
  server_.reset();
  EXPECT_EQ(explain("deny").status, 1) << "without a daemon there is no decision";
}

TEST_F(CtlExplainTest, AConfigurationNeedsNoDaemon) {
  const std::string config = Config(std::string(kListener) + kRules);
  const std::vector<std::string> args = {"explain", "--config", config,     "--user",  "1234",
                                         "--group", "0",        "--method", "/a.B/Get"};
  Expect(Run(args), 0,
         "denied: no rule matches on listener \"shims\": uid 1234 may not call /a.B/Get\n"
         "  caller: uid 1234, gid 0\n"
         "  not enforced: rule \"on trial\" (" +
             config +
             ":9) matches first and would deny the call\n"
             "  note: rule \"look\" (" +
             config +
             ":16) allows this method to uid 1234, but only with metadata ns = \"k8s.io\"\n",
         "");
  std::vector<std::string> with_metadata = args;
  with_metadata.insert(with_metadata.end(), {"--metadata", "ns=k8s.io"});
  EXPECT_THAT(Run(with_metadata).out, StartsWith("allowed: rule \"look\" (" + config + ":16) "));
  const nlohmann::json json = Json(with_metadata);
  EXPECT_EQ(json["admitted"], true);
  EXPECT_EQ(json["allowed"], true);
  EXPECT_EQ(json["rule"]["name"], "look");
  EXPECT_EQ(json["rule"]["line"], 16);
  EXPECT_EQ(json["rule"]["backend"], "shim");
  EXPECT_EQ(json["shadows"][0]["name"], "on trial");
  EXPECT_FALSE(Json(args).contains("rule"));
}

TEST_F(CtlExplainTest, ABadConfigurationIsReportedAsTheDaemonReportsIt) {
  const std::string config = Config("[daemon]\ncolour = 1\n[log]\nlevel = 5\n");
  const ToolResult result =
      Run({"explain", "--config", config, "--user", "root", "--method", "/s/M"});
  EXPECT_EQ(result.status, 78);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr(config + ":2:1: "));
  EXPECT_THAT(result.err, HasSubstr("\n" + config + ":4:9: "));
}

TEST_F(CtlExplainTest, ANameThatDoesNotResolveYetExitsAsTheDaemonDoes) {
  const std::string config = Config(std::string(kListener) + "users = [\"nobody-of-that-name\"]\n");
  EXPECT_EQ(Run({"explain", "--config", config, "--user", "root", "--method", "/s/M"}).status, 75);
  EXPECT_EQ(Run({"learn", "--audit", "-", "--config", config}).status, 75);
}

TEST_F(CtlExplainTest, AnUnknownListenerIsReported) {
  const std::string config = Config(kListener);
  Expect(
      Run({"explain", "--config", config, "--user", "root", "--method", "/s/M", "--listener", "x"}),
      1, "", "ttrpc-proxyctl: no listener \"x\"; use \"shims\"\n");
  Config("");
  Expect(Run({"explain", "--config", config, "--user", "root", "--method", "/s/M"}), 1, "",
         "ttrpc-proxyctl: --listener is needed; the configuration has none\n");
}

constexpr char kStart[] = R"({"time":"2024-01-31T23:59:59.000001Z","event":)";

std::string Line(const std::string& more) {
  return std::string(kStart) + more +
         R"(,"uid":0,"service":"a.B","method":"Get","kind":"unary","enforced":true})" + "\n";
}
const std::string kSeen = Line(R"("call","listener":"shims","backend":"shim")");
const std::string kSeenElsewhere = Line(R"("call","listener":"gone","backend":"shim")");
const std::string kDeniedLine = Line(R"("deny","listener":"shims")");

TEST_F(CtlExplainTest, LearnPrintsRulesThatAConfigurationTakes) {
  const std::string audit = Write("audit", kSeen + kSeen);
  const ToolResult result = Run({"learn", "--audit", audit});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, HasSubstr("\n# 2 calls\n[[rule]]\nname = \"learned 1\"\n"));
  EXPECT_THAT(result.out, HasSubstr("\nusers = [0]  # root\n"));
  Expect(Run({"learn", "--audit", "-"}, kSeen + kSeen), 0, result.out, "");

  const std::string config = Config(kListener + result.out);
  const auto explain = [&](const std::string& method) {
    return Run({"explain", "--config", config, "--user", "root", "--method", method}).out;
  };
  EXPECT_THAT(explain("/a.B/Get"), StartsWith("allowed"));
  EXPECT_THAT(explain("/a.B/Set"), StartsWith("denied"));
}

TEST_F(CtlExplainTest, LearnReportsWhatItCannotUse) {
  const std::string suppressed = std::string(kStart) + R"("deny","uid":0,"suppressed":12})" + "\n";
  const ToolResult result =
      Run({"learn", "--audit", "-"},
          "a line of the log\n" + kSeen + kSeen.substr(0, 60) + "\n" + kDeniedLine + suppressed);
  EXPECT_EQ(result.status, 1) << "one line could not be read";
  EXPECT_EQ(result.err,
            "standard input:3: error: the line is not valid JSON; it was truncated or changed, and "
            "is skipped\n"
            "note: skipped lines that are not from ttrpc-proxyd's audit: 1\n"
            "warning: the rules may be incomplete; events suppressed or lost: 12\n"
            "note: denied calls not included: 1; use --include-denied to include them\n");
  EXPECT_THAT(result.out, HasSubstr("# 1 call\n"));
  const ToolResult empty = Run({"learn", "--audit", "-"}, "nothing\n");
  EXPECT_EQ(empty.status, 1);
  EXPECT_EQ(empty.out, "");
  EXPECT_THAT(empty.err, HasSubstr("no calls found; an audit contains allowed calls only with "
                                   "calls = \"all\"\n"));
  EXPECT_THAT(Run({"learn", "--audit", folder_ / "none"}).err,
              HasSubstr("none: No such file or directory"));
  EXPECT_EQ(Run({"learn", "--audit", folder_.path()}).status, 1);
}

TEST_F(CtlExplainTest, LearnCanIncludeDeniedCalls) {
  const ToolResult result =
      Run({"learn", "--audit", "-", "--include-denied", "--backend", "other"}, kDeniedLine);
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, HasSubstr("backend = \"other\"\n"));
}

TEST_F(CtlExplainTest, LearnSkipsCallsThatAConfigurationCannotHave) {
  const std::string config =
      Config(std::string(kListener) + "[[rule]]\nname = \"learned 1\"\naction = \"deny\"\n");
  const ToolResult result =
      Run({"learn", "--audit", "-", "--config", config}, kSeen + kSeenElsewhere);
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err,
            "warning: skipped /a.B/Get called by uid 0; " + config + " has no listener \"gone\"\n");
  EXPECT_THAT(result.out, HasSubstr("name = \"learned 2\"\nlisteners = [\"shims\"]\n"));
  EXPECT_THAT(result.out, Not(HasSubstr("gone")));
  Config("nonsense");
  EXPECT_EQ(Run({"learn", "--audit", "-", "--config", config}, kSeen).status, 78);
}

v1::TapEvent TapCall() {
  v1::TapEvent event;
  event.set_event("call");
  event.set_listener("shims");
  event.set_uid(0);
  event.set_service("a.B");
  event.set_method("Get");
  event.set_kind("stream");
  event.set_enforced(true);
  event.set_backend("shim");
  return event;
}

TEST_F(CtlExplainTest, LearnTapsTheDaemonUntilItEnds) {
  v1::TapEvent last = TapCall();
  last.set_dropped(5);
  Serve({.events = {TapCall(), last}, .tap_ends = ttrpc::Status()});
  const ToolResult result = Run({"learn", "--tap"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err,
            "ttrpc-proxyctl: the daemon ended the tap\n"
            "warning: the rules may be incomplete; events suppressed or lost: 5\n");
  EXPECT_THAT(result.out, HasSubstr("# 2 calls\n"));
  EXPECT_THAT(result.out, HasSubstr("streams = true"));
  EXPECT_THAT(server_->calls(), ElementsAre("Tap events: \"call\" events: \"deny\""));
}

TEST_F(CtlExplainTest, LearnTapsTheDaemonUntilItIsInterrupted) {
  Serve({});
  for (const int number : {SIGINT, SIGTERM}) {
    ToolProcess process(Args({"learn", "--tap"}));
    server_->WaitForCalls(number == SIGINT ? 1 : 2);
    process.Signal(number);
    const ToolResult result = process.Wait();
    EXPECT_EQ(result.status, 1);
    EXPECT_THAT(result.err, HasSubstr("no calls found"));
  }
}

TEST_F(CtlExplainTest, LearnTapsTheDaemonForAWhile) {
  Serve({});
  EXPECT_THAT(Run({"learn", "--tap=0.05"}).err, HasSubstr("no calls found"));
}

}  // namespace
}  // namespace proxyd::ctl
