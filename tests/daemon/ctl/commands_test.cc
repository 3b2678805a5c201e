// SPDX-License-Identifier: Apache-2.0
//
// The commands that make a single call to the daemon, and their errors.
#include <pty.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"
#include "ttrpc/unique_fd.h"

namespace proxyd::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using ttrpc::StatusCode;

// kHostile is in each text of HostileScript(): escape sequences, a line break, and a C1 control.
const std::string kHostile = "evil\x1b[2J\n\u009b";

AdminScript HostileScript() {
  AdminScript script;
  script.status.set_version(kHostile);
  script.status.set_config_file(kHostile);
  script.status.add_listeners()->set_name(kHostile);
  script.peers.add_peers()->set_listener(kHostile);
  script.peers.set_total(1);
  v1::Call* call = script.calls.add_calls();
  call->set_service(kHostile);
  call->set_method(kHostile);
  call->set_kind(kHostile);
  script.calls.set_total(1);
  script.rules.add_rules()->set_name(kHostile);
  script.users.add_users()->set_connections(1);
  v1::Backend* backend = script.backends.add_backends();
  backend->set_name(kHostile);
  backend->set_last_error(kHostile);
  v1::Workload* workload = script.workloads.add_workloads();
  workload->set_namespace_(kHostile);
  workload->set_id(kHostile);
  workload->set_problem(kHostile);
  script.workloads.set_total(1);
  script.reload.add_warnings(kHostile);
  script.log_level.set_previous(kHostile);
  script.explain.set_reason(kHostile);
  script.explain.add_notes(kHostile);
  return script;
}

const std::vector<std::vector<std::string>> kCommands = {
    {"status"},     {"peers"},
    {"calls"},      {"rules"},
    {"users"},      {"backends"},
    {"workloads"},  {"reload"},
    {"drain"},      {"log-level", "debug"},
    {"close", "7"}, {"explain", "--listener", "l", "--user", "root", "--method", "/s/M"}};

class CtlCommandsTest : public CtlProgramTest {};

TEST_F(CtlCommandsTest, EachShowsItsReply) {
  AdminScript script;
  script.status.set_version("1.2.3");
  script.peers.add_peers()->set_id(77);
  script.calls.add_calls()->set_method("Do");
  script.rules.add_rules()->set_name("look");
  script.users.add_users()->set_connections(5);
  script.backends.add_backends()->set_name("shim");
  script.workloads.add_workloads()->set_id("web");
  Serve(std::move(script));
  const std::vector<std::pair<std::string, std::string>> shown = {
      {"status", "ttrpc-proxyd 1.2.3, running"},
      {"peers", "  77  "},
      {"calls", "//Do\n"},
      {"rules", "look  "},
      {"users", "root  "},
      {"backends", "shim  "},
      {"workloads", "web  "}};
  for (const auto& [command, words] : shown) {
    const ToolResult result = Run({command});
    EXPECT_EQ(result.status, 0) << command;
    EXPECT_EQ(result.err, "") << command;
    EXPECT_THAT(result.out, HasSubstr(words)) << command;
  }
  EXPECT_EQ(Run({"peers", "--limit", "5"}).status, 0);
  EXPECT_EQ(Run({"workloads", "--listener", "shims"}).status, 0);
  EXPECT_THAT(
      server_->calls(),
      ElementsAre("GetStatus", "ListPeers", "ListCalls", "ListRules", "ListUsers", "ListBackends",
                  "ListWorkloads", "ListPeers limit: 5", "ListWorkloads listener: \"shims\""));
}

TEST_F(CtlCommandsTest, MetricsArePrintedWhole) {
  AdminScript script;
  script.metrics = {"# TYPE a gauge\na 1\n", "", "# TYPE b gauge\nb{c=\"\\\\\"} 2\n"};
  Serve(script);
  Expect(Run({"metrics"}), 0, "# TYPE a gauge\na 1\n# TYPE b gauge\nb{c=\"\\\\\"} 2\n", "");
  EXPECT_EQ(Run({"metrics", "--json"}).status, 64);
  script.failures["GetMetrics"] = {ttrpc::StatusCode::kInternal, "it fails"};
  Serve(script);
  Expect(Run({"metrics"}), 1, "", "ttrpc-proxyctl: it fails\n");
}

TEST_F(CtlCommandsTest, NamesAreLinesForAProgram) {
  AdminScript script;
  script.status.add_listeners()->set_name("shims");
  script.status.add_listeners()->set_name("agents");
  script.rules.add_rules()->set_name("monitoring may look");
  script.backends.add_backends()->set_name(kHostile);
  Serve(std::move(script));
  Expect(Run({"names", "listeners"}), 0, "shims\nagents\n", "");
  Expect(Run({"names", "rules"}), 0, "monitoring may look\n", "");
  Expect(Run({"names", "backends"}), 0, "evil\\x1b[2J\\x0a\\u009b\n", "");
  server_.reset();
  EXPECT_EQ(Run({"names", "rules"}).status, 1);
}

TEST_F(CtlCommandsTest, AnIncompleteListIsMarked) {
  AdminScript script;
  script.calls.add_calls();
  script.calls.set_total(5);
  script.peers.add_peers();
  script.peers.set_total(6);
  script.peers.set_cut(true);
  script.rules.add_rules();
  script.rules.set_total(7);
  script.rules.set_cut(true);
  Serve(std::move(script));
  EXPECT_THAT(Run({"calls"}).out, HasSubstr("\nlisted 1 of 5 calls; use --limit to list more\n"));
  EXPECT_THAT(Run({"peers"}).out, HasSubstr("\nlisted 1 of 6 peers; one reply cannot hold more\n"));
  EXPECT_THAT(Run({"rules"}).out, HasSubstr("\nlisted 1 of 7 rules; one reply cannot hold more\n"));
}

TEST_F(CtlCommandsTest, OutputThatCannotBeWrittenIsAFailure) {
  for (const char* words : {"--version", "--help", "tap --help", "method-sets"}) {
    Expect(ttrpc::tool::RunToolOntoFullDevice(words), 74, "",
           "ttrpc-proxyctl: standard output: No space left on device\n");
  }
}

TEST_F(CtlCommandsTest, EachActionReportsItsResult) {
  AdminScript script;
  script.reload.add_warnings("c.toml:3:1: warning: rule \"x\" can never match");
  script.log_level.set_previous("info");
  Serve(std::move(script));
  Expect(Run({"reload"}), 0, "Configuration reloaded.\n",
         "c.toml:3:1: warning: rule \"x\" can never match\n");
  Expect(Run({"drain"}), 0, "The daemon is draining.\n", "");
  Expect(Run({"log-level", "debug"}), 0, "Changed the log level from info to debug.\n", "");
  Expect(Run({"close", "7", "8"}), 0, "Closed peer 7.\nClosed peer 8.\n", "");
  Expect(Run({"close", "--listener", "shims"}), 0, "Closed 0 peers.\n", "");
  EXPECT_THAT(server_->calls(),
              ElementsAre("Reload", "Drain", "SetLogLevel level: \"debug\"", "ClosePeer id: 7",
                          "ClosePeer id: 8", "ClosePeer listener: \"shims\""));
}

TEST_F(CtlCommandsTest, EachPrintsJson) {
  AdminScript script;
  script.status.set_version("1.2.3");
  script.status.set_peers(5'000'000'000);
  Serve(script);
  const nlohmann::json status = Json({"status"});
  EXPECT_EQ(status["version"], "1.2.3");
  EXPECT_EQ(status["peers"], "5000000000") << "protobuf's mapping of 64 bits";
  EXPECT_EQ(status["config_file"], "") << "unset fields are included, under their .proto names";
  EXPECT_EQ(Json({"peers"})["total"], "0");
  Serve(HostileScript());
  for (const std::vector<std::string>& command : kCommands) {
    EXPECT_TRUE(Json(command).is_object()) << command[0];
  }
  EXPECT_EQ(Json({"calls"})["calls"][0]["service"], kHostile);
}

TEST_F(CtlCommandsTest, HostileTextIsEscapedInAllOutput) {
  Serve(HostileScript());
  for (const bool json : {false, true}) {
    for (std::vector<std::string> command : kCommands) {
      if (json) command.emplace_back("--json");
      const ToolResult result = Run(command);
      EXPECT_EQ(result.status, 0) << command[0];
      for (const std::string& text : {result.out, result.err}) {
        EXPECT_THAT(text, Not(HasSubstr("\x1b"))) << command[0];
        EXPECT_THAT(text, Not(HasSubstr("\u009b"))) << command[0];
        EXPECT_THAT(text, Not(HasSubstr("evil\x1b"))) << command[0];
      }
    }
  }
  EXPECT_THAT(Run({"calls"}).out, HasSubstr("/evil\\x1b[2J\\x0a\\u009b/evil"));
  EXPECT_THAT(Run({"reload"}).err, StartsWith("evil\\x1b[2J\n"));
}

TEST_F(CtlCommandsTest, ARefusedReloadPrintsTheErrors) {
  AdminScript script;
  script.failures["Reload"] = {
      StatusCode::kFailedPrecondition,
      "c.toml:1:2: error: x is wrong\nc.toml:3:4: error: \x1b[2J is wrong"};
  Serve(std::move(script));
  Expect(Run({"reload"}), 1, "",
         "c.toml:1:2: error: x is wrong\nc.toml:3:4: error: \\x1b[2J is wrong\n"
         "ttrpc-proxyctl: reload refused; the daemon keeps its current configuration\n");
}

TEST_F(CtlCommandsTest, WhatTheDaemonRefusesIsReported) {
  AdminScript script;
  script.failures["Reload"] = {StatusCode::kUnavailable, "draining"};
  script.failures["ClosePeer"] = {StatusCode::kNotFound, "no peer 7"};
  script.failures["ListRules"] = {StatusCode::kUnimplemented, ""};
  script.failures["Explain"] = {StatusCode::kNotFound, "no listener \"l\""};
  Serve(std::move(script));
  Expect(Run({"reload"}), 1, "", "ttrpc-proxyctl: draining\n");
  Expect(Run({"close", "7"}), 1, "", "ttrpc-proxyctl: no peer 7\n");
  Expect(Run({"rules"}), 1, "", "ttrpc-proxyctl: UNIMPLEMENTED\n");
  Expect(Run({"explain", "--listener", "l", "--user", "root", "--method", "/s/M"}), 1, "",
         "ttrpc-proxyctl: no listener \"l\"\n");
}

TEST_F(CtlCommandsTest, AnUnreachableDaemonIsReported) {
  Expect(Run({"status"}), 1, "",
         "ttrpc-proxyctl: cannot connect to unix://" + socket() +
             ": No such file or directory; check that ttrpc-proxyd is running and that its "
             "configuration has an [admin] section\n");
  Write("admin.sock", "");
  EXPECT_THAT(Run({"reload"}).err,
              HasSubstr("Connection refused; check that ttrpc-proxyd is running"));
}

TEST_F(CtlCommandsTest, ADaemonThatDoesNotAdmitUsIsReported) {
  Serve({.lets_nobody_in = true});
  for (const std::vector<std::string>& command : kCommands) {
    Expect(Run(command), 1, "",
           "ttrpc-proxyctl: the daemon closed the connection without a reply; check that its "
           "configuration lists your user in [admin] users\n");
  }
  EXPECT_THAT(Run({"tap"}).err, HasSubstr("lists your user in [admin] users"));
}

TEST_F(CtlCommandsTest, ADaemonThatDoesNotReplyTimesOut) {
  Serve({.hangs = true});
  Expect(Run({"status", "--timeout", "50ms"}), 1, "",
         "ttrpc-proxyctl: the daemon did not reply in time; use --timeout to wait longer\n");
}

TEST_F(CtlCommandsTest, NoColoursWithoutATerminal) {
  AdminScript script;
  script.rules.add_rules()->set_action("deny");
  Serve(std::move(script));
  EXPECT_THAT(Run({"rules"}).out, Not(HasSubstr("\x1b")));
}

// Runs the program on a terminal of its own with `rows` rows, reads its output until that contains
// `until`, then interrupts it from the keyboard. Returns the output.
std::string OnTerminal(const std::vector<std::string>& args, uint16_t rows,
                       const std::string& until) {
  const char* program = ::getenv("TTRPC_PROXYCTL");
  std::vector<char*> argv = {const_cast<char*>(program)};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  const winsize size = {.ws_row = rows, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  int master = -1;
  const pid_t pid = ::forkpty(&master, nullptr, nullptr, &size);
  if (pid == 0) {
    // The tests ignore SIGINT if a shell started them in the background.
    ::signal(SIGINT, SIG_DFL);
    ::execv(program, argv.data());
    ::_exit(127);
  }
  const ttrpc::UniqueFd terminal(master);
  std::string out;
  char bytes[4096];
  while (out.find(until) == std::string::npos) {
    const ssize_t n = ::read(master, bytes, sizeof bytes);
    if (n <= 0) break;
    out.append(bytes, static_cast<size_t>(n));
  }
  EXPECT_EQ(::write(master, "\x03", 1), 1);
  while (::read(master, bytes, sizeof bytes) > 0) {
  }
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
  return out;
}

TEST_F(CtlCommandsTest, ATerminalHasColours) {
  AdminScript script;
  script.rules.add_rules()->set_action("deny");
  Serve(std::move(script));
  ::setenv("TERM", "xterm", 1);
  ::unsetenv("NO_COLOR");
  const std::vector<std::string> args = Args({"rules"});
  EXPECT_THAT(OnTerminal(args, 24, "matched: 0"), HasSubstr("\x1b[31mdeny\x1b[0m"));
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_THAT(OnTerminal(args, 24, "matched: 0"), Not(HasSubstr("\x1b")));
  ::unsetenv("NO_COLOR");
  ::setenv("TERM", "dumb", 1);
  EXPECT_THAT(OnTerminal(args, 24, "matched: 0"), Not(HasSubstr("\x1b")));
}

TEST_F(CtlCommandsTest, WatchOnATerminalStaysInPlaceAndWithinIt) {
  AdminScript script;
  for (uint32_t uid = 100; uid < 120; ++uid) script.users.add_users()->set_uid(uid);
  Serve(std::move(script));
  ::setenv("NO_COLOR", "1", 1);
  const std::string out =
      OnTerminal(Args({"users", "--watch=0.01"}), 5, "more lines\x1b[K\r\n\x1b[J\x1b[?7h");
  ::unsetenv("NO_COLOR");
  EXPECT_THAT(out, StartsWith("\x1b[H\x1b[?7lUID  USER"));
  EXPECT_THAT(out, HasSubstr("\x1b[K\r\n101  "));
  EXPECT_THAT(out, Not(HasSubstr("\n102  ")));
  EXPECT_THAT(out, HasSubstr("… 18 more lines\x1b[K\r\n"));
}

TEST_F(CtlCommandsTest, WatchOnATerminalCutsNoLine) {
  AdminScript script;
  v1::Backend* backend = script.backends.add_backends();
  backend->set_name("shim");
  backend->add_addresses("unix:///run/containerd/s/0123456789abcdef");
  backend->set_tried(true);
  const std::string error = "unix:///run/containerd/s/0123456789abcdef: Connection refused by it";
  backend->set_last_error(error);
  Serve(std::move(script));
  ::setenv("NO_COLOR", "1", 1);
  const std::string frames =
      OnTerminal(Args({"backends", "--watch=0.01"}), 24, "\x1b[K\r\n\x1b[J\x1b[?7h");
  ::unsetenv("NO_COLOR");
  const std::string out = frames.substr(0, frames.find("\x1b[J"));  // the first one
  EXPECT_THAT(out, StartsWith("\x1b[H\x1b[?7lBACKEND"));
  std::string whole;
  std::istringstream rows(out.substr(std::string("\x1b[H\x1b[?7l").size()));
  for (std::string row; std::getline(rows, row);) {
    const std::string shown = row.substr(0, row.find("\x1b[K"));
    EXPECT_LE(shown.size(), 80U) << "the terminal would cut it";
    whole += shown;
  }
  EXPECT_THAT(whole, HasSubstr("  " + error));
}

TEST_F(CtlCommandsTest, WatchRefreshesUntilInterrupted) {
  AdminScript script;
  script.users.add_users()->set_connections(5);
  Serve(std::move(script));
  ToolProcess process(Args({"users", "--watch=0.01"}));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(process.ReadLine(), StartsWith("UID  USER"));
    EXPECT_THAT(process.ReadLine(), StartsWith("  0  root"));
    EXPECT_EQ(process.ReadLine(), "") << "an empty line separates two refreshes";
  }
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait().status, 128 + SIGINT);
}

TEST_F(CtlCommandsTest, WatchContinuesAfterARestart) {
  Serve({});
  ToolProcess process(Args({"status", "--watch=0.01", "--json"}));
  EXPECT_TRUE(nlohmann::json::parse(process.ReadLine()).is_object());
  server_.reset();
  AdminScript script;
  script.status.set_version("2");
  Serve(std::move(script));
  while (nlohmann::json::parse(process.ReadLine())["version"] != "2") {
  }
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait().status, 128 + SIGTERM);
}

TEST_F(CtlCommandsTest, ClosedStandardOutputIsReported) {
  Serve({});
  ToolProcess process(Args({"status"}), true);
  process.CloseOutput();
  const ToolResult result = process.Wait();
  EXPECT_EQ(result.status, 74);
  EXPECT_EQ(result.err, "ttrpc-proxyctl: standard output: Broken pipe\n");
}

}  // namespace
}  // namespace proxyd::ctl
