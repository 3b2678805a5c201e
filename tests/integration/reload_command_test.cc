// SPDX-License-Identifier: Apache-2.0
//
// `ttrpc-proxyctl reload --pid`, as in the unit: its exit status is the outcome of the reload, with
// and without an admin service. The test plays the service manager, which passes the runtime
// directory to both programs.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "harness/admin_test.h"

namespace integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ReloadCommandTest : public AdminTest {
 protected:
  void StartInService(const Scene& scene = {}) {
    WriteConfig(scene);
    StartBackend();
    daemon_ = std::make_unique<DaemonProcess>(
        std::vector<std::string>{"--config", config_path(), "--log-level", "debug"},
        DaemonSurroundings{.environment = {environment()}});
    ASSERT_TRUE(daemon_->WaitUntilReady());
  }
  CommandResult ReloadCommand(const std::string& options = "") const {
    return RunCommand(
        {.args = {"sh", "-c", "exec \"$TTRPC_PROXYCTL\" reload --pid \"$0\" " + options,
                  std::to_string(daemon_->pid())},
         .environment = {environment()}});
  }
  void ExpectTaken(const CommandResult& result) const {
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.out, "Configuration reloaded.\n");
  }
  void ExpectRefused(const CommandResult& result, const std::string& why) const {
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr(why));
    EXPECT_THAT(result.err,
                HasSubstr("reload refused; the daemon keeps its current configuration\n"));
  }
  std::string environment() const { return "RUNTIME_DIRECTORY=" + runtime_.path(); }
  std::string verdict() const { return runtime_ / "reload"; }

  const TempDir runtime_;
};

TEST_F(ReloadCommandTest, EndsAsTheReloadDid) {
  StartInService();
  ExpectTaken(ReloadCommand());
  WriteConfig({.head = "[limits]\nconnections = \"many\"\n"});
  ExpectRefused(ReloadCommand(), config_path() + ":2:15: ");
  // The reload needs a directory outside the sandbox, then one that does not exist.
  const TempDir other;
  const auto at = [](const std::string& path) {
    return Scene{.rules = std::string(kDefaultRules) +
                          "[[listener]]\nname = \"more\"\naddress = \"unix://" + path + "\"\n"};
  };
  WriteConfig(at(other / "more.sock"));
  ExpectRefused(ReloadCommand(), "needs a restart: " + other.path() + " is outside the sandbox\n");
  WriteConfig(at(folder_ / "no/more.sock"));
  ExpectRefused(ReloadCommand(), folder_ / "no");
  WriteConfig({});
  ExpectTaken(ReloadCommand());
  daemon_->WaitForLines(
      3, [](const std::string& line) { return line.find("reload refused: ") != line.npos; });
  struct stat info {};
  ASSERT_EQ(::stat(verdict().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  EXPECT_THAT(ReadFile(verdict()), HasSubstr("\nresult=ok\n"));
}

TEST_F(ReloadCommandTest, AsksTheAdminServiceWhereThereIsOne) {
  StartInService({.head = Head()});
  Dial();
  const std::string address = "--address unix://" + admin_path();
  ExpectTaken(ReloadCommand(address));
  daemon_->WaitForLines(
      1, [](const std::string& line) { return line.find("\"method\":\"Reload\"") != line.npos; });
  WriteConfig({.head = Head() + "[limits]\nconnections = \"many\"\n"});
  ExpectRefused(ReloadCommand(address), config_path() + ":");
  // An admin service at another address is found by the pid. Each refusal counts.
  ExpectRefused(ReloadCommand(), config_path() + ":");
  EXPECT_EQ(Status().reloads(), 1U);
  EXPECT_EQ(Status().reloads_refused(), 2U);
}

// A caller that the admin service does not admit may still send the signal.
TEST_F(ReloadCommandTest, AnAdminServiceThatLetsNobodyInIsPassedBy) {
  StartInService({.head = Head("users = [40001]\n")});
  ExpectTaken(ReloadCommand("--address unix://" + admin_path()));
  EXPECT_THAT(daemon_->log(), Not(HasSubstr("\"method\":\"Reload\"")));
}

TEST_F(ReloadCommandTest, AnotherDaemonsAdminServiceIsNotAsked) {
  StartInService({.head = Head()});
  Dial();
  const TempDir other;
  WriteFile(other / "config.toml", "");
  DaemonProcess second({"--config", other / "config.toml"},
                       {.environment = {"RUNTIME_DIRECTORY=" + other.path()}});
  ASSERT_TRUE(second.WaitUntilReady());
  const CommandResult result = RunCommand(
      {.args = {"sh", "-c", "exec \"$TTRPC_PROXYCTL\" --address \"$1\" reload --pid \"$0\"",
                std::to_string(second.pid()), "unix://" + admin_path()},
       .environment = {"RUNTIME_DIRECTORY=" + other.path()}});
  ExpectTaken(result);
  EXPECT_EQ(Status().reloads(), 0U);
  second.Signal(SIGTERM);
  EXPECT_EQ(second.WaitForExit(), 0);
  EXPECT_FALSE(std::filesystem::exists(other / "reload"));
}

TEST_F(ReloadCommandTest, IsRefusedWhileTheDaemonDrains) {
  StartInService();
  RawPeer idle = Peer();
  RawPeer peer = Peer();
  EXPECT_TRUE(peer.Send(Request(1, {.method = "Hold"})));
  backend_->WaitForMessages(0, 1);
  daemon_->Signal(SIGTERM);
  idle.ExpectEnd();
  ExpectRefused(ReloadCommand(), "draining\n");
  backend_->Send(0, Response(1, "last"));
  EXPECT_EQ(peer.Receive(), Response(1, "last"));
  EXPECT_EQ(daemon_->WaitForExit(), 0);
}

// An older verdict does not count, nor does one that another user could have written.
TEST_F(ReloadCommandTest, WaitsForItsOwnVerdict) {
  StartInService();
  WriteFile(verdict(), "read_us=1\nresult=refused\nerror=old\n");
  ExpectTaken(ReloadCommand());
  daemon_->Signal(SIGSTOP);
  const CommandResult late = ReloadCommand("--timeout 100ms");
  daemon_->Signal(SIGCONT);
  EXPECT_EQ(late.status, 1);
  EXPECT_THAT(late.err, HasSubstr("the daemon did not write a result to " + verdict()));
  WriteFile(verdict(), "read_us=9000000000000000\nresult=refused\nerror=foreign\n");
  ASSERT_EQ(::chown(verdict().c_str(), 40001, 40001), 0);
  ExpectTaken(ReloadCommand());
}

TEST_F(ReloadCommandTest, AProcessThatIsNotThereIsSaidSo) {
  const CommandResult result =
      RunCommand({.args = {"sh", "-c", "exec \"$TTRPC_PROXYCTL\" reload --pid 2147483647"},
                  .environment = {environment()}});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("process 2147483647: "));
}

}  // namespace
}  // namespace integration
