// SPDX-License-Identifier: Apache-2.0
//
// The command line, the configuration's files, and the exit statuses 0, 1, 64 and 78; 75 is in
// startup_test.cc.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "harness/proxy_test.h"
#include "support/all_matches.h"

namespace integration {
namespace {

using ::test::AllMatches;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kBadCommandLine = 64;
constexpr int kBadConfiguration = 78;

class CommandLineTest : public ProxyTest {
 protected:
  CommandResult Check() const { return RunDaemon({"--config", config_path(), "--check"}); }

  void ExpectBadConfiguration(const std::string& message) const {
    for (const auto& mode :
         std::vector<std::vector<std::string>>{{}, {"--check"}, {"--print-config"}}) {
      std::vector<std::string> args = {"--config", config_path()};
      args.insert(args.end(), mode.begin(), mode.end());
      const CommandResult result = RunDaemon(args);
      EXPECT_EQ(result.status, kBadConfiguration);
      EXPECT_THAT(result.err, HasSubstr(message));
      EXPECT_EQ(result.out, "");
    }
    EXPECT_FALSE(std::filesystem::exists(front_path())) << "the daemon listened nevertheless";
  }
};

TEST_F(CommandLineTest, VersionAndHelp) {
  const CommandResult version = RunDaemon({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_THAT(version.out, ContainsRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  const CommandResult help = RunDaemon({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* option : {"--config", "--check", "--print-config", "--log-level", "--version"}) {
    EXPECT_THAT(help.out, HasSubstr(option));
  }
}

// A reader must not take cut output for the whole.
TEST_F(CommandLineTest, OutputThatCannotBeWrittenIsAFailure) {
  WriteConfig({});
  for (const std::string option : {"--version", "--help", "--print-config"}) {
    const CommandResult result =
        RunCommand({.args = {"sh", "-c", "exec \"$TTRPC_PROXYD\" --config \"$0\" \"$1\" >/dev/full",
                             config_path(), option}});
    EXPECT_EQ(result.status, 74) << option;
    EXPECT_EQ(result.err, "ttrpc-proxyd: standard output: No space left on device\n") << option;
  }
  const CommandResult closed =
      RunCommand({.args = {"sh", "-c", "exec \"$TTRPC_PROXYD\" --config \"$0\" --print-config >&-",
                           config_path()}});
  EXPECT_EQ(closed.status, 74);
  EXPECT_EQ(closed.err, "ttrpc-proxyd: standard output: Bad file descriptor\n");
}

// Messages of libraries that the daemon uses count as well. Here they are about a lack of
// descriptors.
TEST_F(CommandLineTest, WhateverAStartThatFailsSaysIsALineOfTheLog) {
  WriteConfig({.head = "[daemon]\nsandbox = false\n"});
  size_t lines = 0;
  for (int descriptors = 4; descriptors <= 8; ++descriptors) {
    const CommandResult result = RunCommand(
        {.args = {"sh", "-c", "ulimit -n \"$0\"; exec timeout 5 \"$TTRPC_PROXYD\" --config \"$1\"",
                  std::to_string(descriptors), config_path()}});
    EXPECT_EQ(result.out, "");
    std::istringstream err(result.err);
    for (std::string line; std::getline(err, line); ++lines) {
      if (line.starts_with(folder_.path())) continue;  // the configuration could not be read
      EXPECT_THAT(line, ContainsRegex("^[0-9]{4}-[0-9-]+T[0-9:.]+Z (info|warn|error) "))
          << descriptors;
    }
  }
  EXPECT_GT(lines, 0U);
}

TEST_F(CommandLineTest, TheManPageHasEachOptionThatThereIsAndNoOther) {
  std::set<std::string> options;
  for (const std::string& forms :
       AllMatches(RunDaemon({"--help"}).out, "\n +((?:-[A-Za-z],)?--[A-Za-z-]+)"))
    options.merge(AllMatches(forms, "(--?[A-Za-z-]+)"));
  EXPECT_EQ(options.size(), 7U);
  std::set<std::string> documented;
  for (const std::string& item : AllMatches(ReadFile(DAEMON_MAN_PAGE), "\n\\.It (Fl .*)")) {
    for (const std::string& name : AllMatches(item, "Fl ([A-Za-z-]+)"))
      documented.insert("-" + name);
  }
  EXPECT_EQ(documented, options);
}

TEST_F(CommandLineTest, TheManPagesExamplesOfAnOptionRunAsPrinted) {
  WriteConfig({});
  std::filesystem::copy_file(config_path(), folder_ / "new.toml");
  const std::set<std::string> commands =
      AllMatches(ReadFile(DAEMON_MAN_PAGE), "\n(ttrpc-proxyd [^\n]*--config new\\.toml)(?=\n)");
  EXPECT_EQ(commands.size(), 2U);
  for (const std::string& command : commands) {
    const CommandResult result =
        RunCommand({.args = {"sh", "-c", "PATH=\"${TTRPC_PROXYD%/*}:$PATH\" && " + command},
                    .directory = folder_.path()});
    EXPECT_EQ(result.status, 0) << command << ": " << result.err;
  }
}

TEST_F(CommandLineTest, BadCommandLineExits64) {
  WriteConfig({});
  using Row = std::pair<std::vector<std::string>, std::string>;
  for (const auto& [args, err] : std::vector<Row>{
           {{"--no-such-option"},
            "unknown option \"--no-such-option\"; see \"ttrpc-proxyd --help\""},
           {{"--chek=1"}, "unknown option \"--chek\"; did you mean \"--check\"?"},
           {{"--config"}, "--config: 1 required FILE missing; see \"ttrpc-proxyd --help\""},
           {{"--config", config_path(), "superfluous"},
            "unexpected argument \"superfluous\"; see \"ttrpc-proxyd --help\""},
           {{"--log-level", "loud"},
            "--log-level is \"loud\"; use trace, debug, info, warn or error"},
           {{"--log-level", "wran"}, "--log-level is \"wran\"; did you mean \"warn\"?"}}) {
    const CommandResult result = RunDaemon(args);
    EXPECT_EQ(result.status, kBadCommandLine) << args.back();
    EXPECT_EQ(result.err, "ttrpc-proxyd: " + err + "\n");
    EXPECT_EQ(result.out, "");
  }
}

TEST_F(CommandLineTest, CheckOfAGoodConfigurationIsSilentAndListensNowhere) {
  // Any machine has enough descriptors for these limits.
  WriteConfig({.head = "[limits]\nconnections = 300\n",
               .rules = "[[rule]]\nname = \"unary\"\nusers = [\"root\"]\n"
                        "methods = [\"/test.Unary/*\"]\naction = \"allow\"\nbackend = \"back\"\n"});
  const CommandResult result = Check();
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out + result.err, "");
  EXPECT_FALSE(std::filesystem::exists(front_path()));
}

// --check prints the warning, and so does a start, which here then fails because the path is in
// use.
class DescriptorWarningTest : public CommandLineTest {
 protected:
  void SetUp() override {
    WriteConfig({.head = "[[listener]]\nname = \"other\"\naddress = \"unix://" +
                         (folder_ / "other.sock") + "\"\n"});
    socket_ = Bind(front_path());
    ASSERT_EQ(::listen(socket_.get(), 1), 0);
  }
  // Runs the daemon in a shell whose limit is 1000.
  CommandResult Run(const std::string& option) const {
    return RunCommand(
        {.args = {"sh", "-c", "ulimit -n 1000; exec \"$TTRPC_PROXYD\" --config \"$0\" \"$1\"",
                  config_path(), option},
         .environment = {"SYSTEMD_UNIT_PATH=" + (folder_ / "units")}});
  }
  void WriteUnit(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = std::filesystem::path(folder_ / "units") / path;
    std::filesystem::create_directories(file.parent_path());
    WriteFile(file, text);
  }

  const std::string needs_ =
      "config.toml: warning: connections = 16384 in [limits] needs 32838 file descriptors with as "
      "many connections to backends, but ";
  ttrpc::UniqueFd socket_;
};

TEST_F(DescriptorWarningTest, AStartKnowsItsLimit) {
  const CommandResult result = Run("--log-level=warn");
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr(needs_ + "the daemon may open only 1000; "));
}

TEST_F(DescriptorWarningTest, ACheckKnowsNoOtherThanTheUnits) {
  const CommandResult alone = Run("--check");
  EXPECT_EQ(alone.status, 0);
  EXPECT_THAT(alone.err,
              HasSubstr(needs_ + "this process may open only 1000 (the limit of the daemon is "
                                 "unknown); lower it, or raise LimitNOFILE= (ulimit -n)\n"));
  WriteUnit("ttrpc-proxy.service", "[Service]\nExecStart=/x\nLimitNOFILE=65536\n");
  EXPECT_THAT(Run("--check").err, Not(HasSubstr("descriptors")));
  WriteUnit("ttrpc-proxy.service.d/less.conf", "[Service]\nLimitNOFILE=1024:2048\n");
  const CommandResult with_drop_in = Run("--check");
  EXPECT_EQ(with_drop_in.status, 0);
  EXPECT_THAT(with_drop_in.err, HasSubstr(needs_ + "the daemon may open only 2048; "));
}

// --check refuses what a start refuses.
class PlaceCheckTest : public CommandLineTest {
 protected:
  void ExpectRefusedByBoth(const std::string& error) {
    for (const char* option : {"--check", "--log-level=info"}) {
      const CommandResult result = RunDaemon({"--config", config_path(), option});
      EXPECT_EQ(result.status, kBadConfiguration) << option;
      EXPECT_THAT(result.err, HasSubstr(error)) << option;
    }
  }
  // Returns the warnings about a configuration that has no errors.
  std::string Warnings() const {
    const CommandResult result = Check();
    EXPECT_EQ(result.status, 0) << result.err;
    return result.err;
  }
};

TEST_F(PlaceCheckTest, APlaceThatIsSpelledInTwoWays) {
  std::filesystem::create_directory(folder_ / "sub");
  std::filesystem::create_symlink("sub", folder_ / "link");
  for (const std::string& place : {folder_ / "./front.sock", folder_ / "sub/../front.sock",
                                   folder_ / "/front.sock", folder_ / "link/../front.sock"}) {
    WriteConfig({.rules = std::string(kDefaultRules) +
                          "[[listener]]\nname = \"again\"\naddress = \"unix://" + place + "\"\n"});
    ExpectRefusedByBoth("listener \"again\" unix://" + place +
                        " is at the same place as listener \"front\" unix://" + front_path() +
                        "; use another path\n");
  }
}

TEST_F(PlaceCheckTest, OneFileForLogAndAudit) {
  const std::string file = folder_ / "log";
  const auto write = [&](const std::string& audit) {
    WriteConfig({.head = "[log]\ntarget = \"file:" + file +
                         "\"\n[audit]\ntarget = \"file:" + audit + "\"\n"});
    return "[audit] target file:" + audit + " is at the same place as [log] target file:" + file;
  };
  ExpectRefusedByBoth(write(file));
  ExpectRefusedByBoth(write(folder_ / "./log"));
  WriteFile(file, "");
  std::filesystem::create_hard_link(file, folder_ / "another-name");
  ExpectRefusedByBoth(write(folder_ / "another-name"));
}

TEST_F(PlaceCheckTest, ADeviceForLogAndAuditIsFine) {
  WriteConfig(
      {.head = "[log]\ntarget = \"file:/dev/null\"\n[audit]\ntarget = \"file:/dev/null\"\n"});
  EXPECT_EQ(Check().status, 0);
}

TEST_F(PlaceCheckTest, MissingFoldersAndLinks) {
  for (const std::string section : {"log", "audit"}) {
    WriteConfig({.head = "[" + section + "]\ntarget = \"file:/dev/stdout\"\n"});
    ExpectRefusedByBoth("[" + section +
                        "] target file:/dev/stdout: the file cannot be written: Too "
                        "many levels of symbolic links");
    WriteConfig({.head = "[" + section + "]\ntarget = \"file:" + (folder_ / "no/file") + "\"\n"});
    ExpectRefusedByBoth("directory " + (folder_ / "no") + " cannot be written: No such file");
  }
  WriteConfig({.rules = std::string(kDefaultRules) +
                        "[[listener]]\nname = \"l\"\naddress = \"unix://" +
                        (folder_ / "no/l.sock") + "\"\n"});
  ExpectRefusedByBoth("directory " + (folder_ / "no") + " cannot be written: No such file");
}

TEST_F(PlaceCheckTest, SomethingElseInASocketsPlace) {
  WriteConfig({});
  WriteFile(front_path(), "precious");
  const CommandResult result = Check();
  EXPECT_EQ(result.status, kBadConfiguration);
  EXPECT_THAT(result.err,
              HasSubstr("listener \"front\" unix://" + front_path() +
                        ": the path exists and is not a socket; remove it or use another path\n"));
}

TEST_F(PlaceCheckTest, AnAuditThatOthersMayChangeIsWarnedAbout) {
  const std::string file = folder_ / "audit";
  const std::string label = config_path() + ": warning: [audit] target file:" + file + ": ";
  WriteConfig({.head = "[audit]\ntarget = \"file:" + file + "\"\n"});
  WriteFile(file, "");
  EXPECT_THAT(Warnings(), Not(HasSubstr("[audit]")));
  ASSERT_EQ(::chown(file.c_str(), 1234, 0), 0);
  EXPECT_THAT(Warnings(),
              HasSubstr(label + "the file is owned by uid 1234; make root its owner\n"));
  ASSERT_EQ(::chown(file.c_str(), 0, 1234), 0);
  ASSERT_EQ(::chmod(file.c_str(), 0660), 0);
  EXPECT_THAT(Warnings(),
              HasSubstr(label + "the file is writable by gid 1234; change that with chmod g-w\n"));
}

TEST_F(PlaceCheckTest, FoldersThatOthersMayWriteAreWarnedAbout) {
  const TempDir other;
  const std::string& path = other.path();
  const std::string socket = "unix://" + path + "/l.sock";
  WriteConfig({.head = "[audit]\ntarget = \"file:" + path + "/audit\"\n",
               .rules = std::string(kDefaultRules) + "[[listener]]\nname = \"l\"\naddress = \"" +
                        socket + "\"\n"});
  EXPECT_THAT(Warnings(), Not(HasSubstr(path)));
  ASSERT_EQ(::chmod(path.c_str(), 01777), 0);
  const std::string directory =
      "directory " + path + " is writable by others; change that with chmod o-w; ";
  EXPECT_THAT(Warnings(),
              HasSubstr("listener \"l\" " + socket + ": " + directory +
                        "otherwise another user can lock the socket's lock file and keep the "
                        "daemon from listening\n"));
  EXPECT_THAT(Warnings(), HasSubstr("[audit] target file:" + path + "/audit: " + directory +
                                    "otherwise another user can replace the file\n"));
  // A user who may rename a directory on the way decides what is at the path.
  ASSERT_EQ(::chmod(path.c_str(), 0777), 0);
  std::filesystem::create_directory(other / "sub");
  WriteConfig({.head = "[audit]\ntarget = \"file:" + path + "/sub/audit\"\n"});
  EXPECT_THAT(Warnings(), HasSubstr("[audit] target file:" + path + "/sub/audit: " + directory));
}

// Any user of the machine could stop the daemon through it.
TEST_F(PlaceCheckTest, AnAdminServiceForEverybodyIsWarnedAbout) {
  WriteConfig({.head = "[admin]\naddress = \"unix://" + (folder_ / "admin.sock") +
                       "\"\nusers = [\"*\"]\n"});
  EXPECT_THAT(Warnings(), HasSubstr("users in [admin] contains \"*\""));
}

TEST_F(CommandLineTest, CheckWarnsAndExitsZero) {
  WriteConfig({.rules = std::string(kDefaultRules) + R"(
[[backend]]
name = "left over"
address = "unix:///nowhere/left-over.sock"

[[rule]]
name = "never reached"
users = ["root"]
methods = ["/test.Unary/Do"]
action = "deny"
)"});
  const CommandResult result = Check();
  EXPECT_EQ(result.status, 0);
  const std::string said = result.out + result.err;
  EXPECT_THAT(said, ContainsRegex("config.toml:[0-9]+:[0-9]+: .*left over"));
  EXPECT_THAT(said, ContainsRegex("config.toml:[0-9]+:[0-9]+: .*never reached"));
}

TEST_F(CommandLineTest, PrintConfigReadsBackTheSame) {
  WriteConfig({.head = "[daemon]\ndrain_timeout = \"3s\"\n[audit]\ncalls = \"all\"\n"
                       "[limits]\nmessage_size = \"64KiB\"\n[timeouts]\ncall_max = \"1m\"\n",
               .listener = "owner = \"daemon\"\ngroup = \"4321\"\nmode = \"0640\"\n"
                           "unknown_fields = \"drop\"\ncall = \"5s\"\n",
               .backend = "users = [\"root\", 1234]\nforward_identity = true\n"
                          "on_disconnect = \"fail-calls\"\nconnect_timeout = \"250ms\"\n",
               .rules = std::string(kDefaultRules) + R"(
[[rule]]
name = "quotes \" and \\ and \u00e9"
users = ["*", 65534, "10-20"]
groups = [7]
methods = ["/a.*/B*", "/c/D"]
metadata = { "key" = "va\"lue" }
action = "allow"
backend = "back"
call_max = "1500ms"
enforce = false
audit = "none"
)"});
  const CommandResult first = RunDaemon({"--config", config_path(), "--print-config"});
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr(front_path()));
  WriteFile(folder_ / "printed.toml", first.out);
  const CommandResult second = RunDaemon({"--config", folder_ / "printed.toml", "--print-config"});
  EXPECT_EQ(second.status, 0) << second.err;
  EXPECT_EQ(second.out, first.out);
}

TEST_F(CommandLineTest, AllErrorsAreToldAtOnceWithTheirPositions) {
  WriteFile(config_path(), R"([daemon]
drain_timeout = 5

[[listener]]
name = "front"
address = "tcp:127.0.0.1:80"
colour = "red"

[[rule]]
name = "r"
users = ["no-such-user-anywhere"]
methods = ["/a/B"]
action = "allow"
backend = "dangling"
)");
  const CommandResult result = RunDaemon({"--config", config_path()});
  EXPECT_EQ(result.status, kBadConfiguration);
  for (const char* position : {":2:", ":6:", ":7:", ":11:", ":14:"}) {
    EXPECT_THAT(result.err, HasSubstr(config_path() + position));
  }
}

TEST_F(CommandLineTest, SyntaxErrorInOneFileDoesNotHideThoseOfAnother) {
  WriteConfig({.head = "[audit]\ncolour = 1\n"});
  std::filesystem::create_directory(folder_ / "conf.d");
  WriteFile(folder_ / "conf.d/10-broken.toml", "[[rule]]\nname = \n");
  ExpectBadConfiguration(folder_ / "conf.d/10-broken.toml:2:");
  ExpectBadConfiguration(config_path() + ":2:");
}

TEST_F(CommandLineTest, FilesOfConfDAreAppendedInNameOrder) {
  WriteConfig({.rules = ""});
  std::filesystem::create_directory(folder_ / "conf.d");
  const std::string rule = "users = [\"root\"]\nmethods = [\"/test.Unary/Do\"]\n";
  WriteFile(folder_ / "conf.d/20-later.toml",
            "[[rule]]\nname = \"later\"\n" + rule + "action = \"allow\"\nbackend = \"back\"\n");
  WriteFile(folder_ / "conf.d/10-first.toml",
            "[[rule]]\nname = \"first\"\nmethods = [\"/test.Unary/No\"]\naction = \"deny\"\n");
  WriteFile(folder_ / "conf.d/30-not-read.conf", "this is no TOML");
  StartBackend();
  StartDaemon();
  RawPeer peer = Peer();
  ExpectEcho(peer, 1);
  const CommandResult printed = RunDaemon({"--config", config_path(), "--print-config"});
  EXPECT_LT(printed.out.find("first"), printed.out.find("later"));
  EXPECT_NE(printed.out.find("later"), std::string::npos);
}

TEST_F(CommandLineTest, PlainKeySetTwiceIsAnError) {
  WriteConfig({.head = "[audit]\ncalls = \"all\"\n"});
  std::filesystem::create_directory(folder_ / "conf.d");
  WriteFile(folder_ / "conf.d/10-again.toml", "[audit]\ncalls = \"none\"\n");
  ExpectBadConfiguration(folder_ / "conf.d/10-again.toml:2:");
}

TEST_F(CommandLineTest, WhatIsNotSupportedYetIsAnError) {
  WriteConfig({.head = "[daemon]\nworkers = 2\n"});
  ExpectBadConfiguration("not supported yet");
}

TEST_F(CommandLineTest, ConfigurationThatOthersMayWriteIsRefused) {
  WriteConfig({});
  for (const mode_t mode : {0646, 0666, 0602}) {
    ASSERT_EQ(::chmod(config_path().c_str(), mode), 0);
    ExpectBadConfiguration(config_path());
  }
  ASSERT_EQ(::chmod(config_path().c_str(), 0664), 0);
  EXPECT_EQ(Check().status, 0) << "root's group may write it";
  ASSERT_EQ(::chown(config_path().c_str(), 0, 4321), 0);
  ExpectBadConfiguration(config_path());
  ASSERT_EQ(::chmod(config_path().c_str(), 0644), 0);
  EXPECT_EQ(Check().status, 0) << "another group may read it";
}

TEST_F(CommandLineTest, ConfigurationOfAnotherOwnerIsRefused) {
  WriteConfig({});
  ASSERT_EQ(::chown(config_path().c_str(), 1234, 0), 0);
  ExpectBadConfiguration(config_path());
}

TEST_F(CommandLineTest, ConfDFileThatOthersMayWriteIsRefused) {
  WriteConfig({});
  std::filesystem::create_directory(folder_ / "conf.d");
  WriteFile(folder_ / "conf.d/10-extra.toml", "");
  EXPECT_EQ(Check().status, 0);
  ASSERT_EQ(::chmod((folder_ / "conf.d/10-extra.toml").c_str(), 0666), 0);
  ExpectBadConfiguration(folder_ / "conf.d/10-extra.toml");
}

TEST_F(CommandLineTest, ConfigurationThatIsNotThereOrNoFileIsRefused) {
  ExpectBadConfiguration(config_path());
  std::filesystem::create_directory(config_path());
  ExpectBadConfiguration(config_path());
}

}  // namespace
}  // namespace integration
