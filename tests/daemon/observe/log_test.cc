// SPDX-License-Identifier: Apache-2.0
#include "observe/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "audit_records.h"
#include "support/temp_folder.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

constexpr char kTimeRegex[] = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{6}Z";
constexpr char kHostile[] = "peer said \"x\n2024-01-01T00:00:00.000000Z info forged\x1b[2J\xff";

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

AuditConfig AuditAll() {
  AuditConfig config;
  config.calls = AuditCalls::kAll;
  return config;
}

class LogTest : public testing::Test {
 protected:
  ~LogTest() override { ShutDownLog(); }

  LogConfig FileConfig(LogFormat format = LogFormat::kText) const {
    LogConfig config;
    config.target = LogConfig::Target::kFile;
    config.path = path_;
    config.format = format;
    return config;
  }
  // Ends the log and returns all of its lines.
  std::vector<std::string> Finish() {
    ShutDownLog();
    return Lines(test::ReadFile(path_));
  }
  void AwaitText(const std::string& path, const std::string& text) {
    while (test::ReadFile(path).find(text) == std::string::npos) ::sched_yield();
  }

  test::TempFolder folder_;
  const std::string path_ = folder_ / "log";
};

TEST_F(LogTest, Text) {
  ASSERT_TRUE(SetUpLog(FileConfig()).ok());
  spdlog::info("ready");
  spdlog::warn("{} of {}", 1, 2);
  spdlog::error("bad");
  spdlog::debug("not at this level");
  const std::string time = kTimeRegex;
  EXPECT_THAT(Finish(),
              ElementsAre(MatchesRegex(time + " info ready"), MatchesRegex(time + " warn 1 of 2"),
                          MatchesRegex(time + " error bad")));
}

TEST_F(LogTest, Json) {
  LogConfig config = FileConfig(LogFormat::kJson);
  config.level = LogLevel::kTrace;
  ASSERT_TRUE(SetUpLog(config).ok());
  spdlog::trace("a");
  spdlog::debug("b");
  const auto lines = Finish();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], MatchesRegex(std::string("\\{\"time\":\"") + kTimeRegex +
                                     "\",\"level\":\"trace\",\"message\":\"a\"\\}"));
  EXPECT_EQ(nlohmann::json::parse(lines[1])["level"], "debug");
}

TEST_F(LogTest, HostileBytesStayInTheirLine) {
  ASSERT_TRUE(SetUpLog(FileConfig()).ok());
  spdlog::info("{}", kHostile);
  const auto text = Finish();
  ASSERT_EQ(text.size(), 1U);
  EXPECT_THAT(text[0], HasSubstr("peer said \"x\\n2024-01-01T00:00:00.000000Z info "
                                 "forged\\u001b[2J\\xff"));

  ::unlink(path_.c_str());
  ASSERT_TRUE(SetUpLog(FileConfig(LogFormat::kJson)).ok());
  spdlog::info("{}", kHostile);
  spdlog::info("{}", std::string(100000, '\n'));
  const auto json = Finish();
  ASSERT_EQ(json.size(), 2U);
  EXPECT_EQ(nlohmann::json::parse(json[0])["message"],
            "peer said \"x\n2024-01-01T00:00:00.000000Z info forged\x1b[2J\xEF\xBF\xBD");
  EXPECT_EQ(nlohmann::json::parse(json[1])["message"], std::string(8192, '\n') + "\xE2\x80\xA6");
}

TEST_F(LogTest, FileMode) {
  const mode_t umask_before = ::umask(0);
  ASSERT_TRUE(SetUpLog(FileConfig()).ok());
  ::umask(umask_before);
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
}

TEST_F(LogTest, Stderr) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const ttrpc::UniqueFd reader(ends[0]);
  ttrpc::UniqueFd writer(ends[1]);
  const ttrpc::UniqueFd saved(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  ASSERT_EQ(::dup2(writer.get(), STDERR_FILENO), STDERR_FILENO);
  const ttrpc::Status status = SetUpLog(LogConfig{});
  ASSERT_EQ(::dup2(saved.get(), STDERR_FILENO), STDERR_FILENO);
  writer.reset();
  ASSERT_TRUE(status.ok()) << status;
  spdlog::info("ready");
  ShutDownLog();
  char text[200];
  const ssize_t size = ::read(reader.get(), text, sizeof text);
  ASSERT_GT(size, 0);
  EXPECT_THAT(std::string(text, static_cast<size_t>(size)), testing::EndsWith("Z info ready\n"));
}

TEST_F(LogTest, ErrorsLeaveTheLogAsItWas) {
  LogConfig config = FileConfig();
  config.path = folder_ / "none/log";
  const ttrpc::Status status = SetUpLog(config);
  EXPECT_EQ(status.code(), ttrpc::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr(config.path));
  ASSERT_TRUE(SetUpLog(FileConfig()).ok());
  config.level = LogLevel::kError;
  EXPECT_FALSE(SetUpLog(config).ok());
  spdlog::info("still here");
  EXPECT_THAT(Finish(), ElementsAre(HasSubstr("still here")));
}

TEST_F(LogTest, SetUpAgainWhileOthersLog) {
  ASSERT_TRUE(SetUpLog(FileConfig()).ok());
  std::thread other([] {
    for (int i = 0; i < 500; ++i) spdlog::info("line");
  });
  LogConfig config = FileConfig();
  config.path = folder_ / "log.2";
  for (int i = 0; i < 20; ++i) {
    config.path = folder_ / (i % 2 == 0 ? "log.2" : "log");
    ASSERT_TRUE(SetUpLog(config).ok());
  }
  other.join();
  const size_t first = Finish().size();
  EXPECT_EQ(first + Lines(test::ReadFile(folder_ / "log.2")).size(), 500U);
}

TEST_F(LogTest, Reopen) {
  ASSERT_TRUE(SetUpLog(FileConfig()).ok());
  spdlog::info("before");
  AwaitText(path_, "before");
  ASSERT_EQ(::rename(path_.c_str(), (folder_ / "log.1").c_str()), 0);
  ReopenLog();
  while (::access(path_.c_str(), F_OK) != 0) ::sched_yield();  // without any line to write
  spdlog::info("after");
  EXPECT_THAT(Finish(), ElementsAre(HasSubstr("after")));
  EXPECT_THAT(Lines(test::ReadFile(folder_ / "log.1")), ElementsAre(HasSubstr("before")));
}

TEST_F(LogTest, ReopenThatFailsIsSaidInTheOldFile) {
  ASSERT_TRUE(SetUpLog(FileConfig()).ok());
  ASSERT_EQ(::rename(path_.c_str(), (folder_ / "log.1").c_str()), 0);
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  ReopenLog();
  AwaitText(folder_ / "log.1",
            "log: cannot open " + path_ + ": Is a directory; the old file stays in use");
  spdlog::info("goes on");
  AwaitText(folder_ / "log.1", "goes on");
}

// The target is a pipe that the test does not read.
class BlockedLogTest : public LogTest {
 protected:
  BlockedLogTest() {
    EXPECT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    reader_.reset(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    EXPECT_GT(::fcntl(reader_.get(), F_SETPIPE_SZ, 4096), 0);
    EXPECT_TRUE(SetUpLog(FileConfig()).ok());
  }

  // Waits for the next bytes in the pipe and returns them.
  std::string Read() {
    pollfd ready{.fd = reader_.get(), .events = POLLIN, .revents = 0};
    ::poll(&ready, 1, -1);
    char bytes[4096];
    const ssize_t size = ::read(reader_.get(), bytes, sizeof bytes);
    return size > 0 ? std::string(bytes, static_cast<size_t>(size)) : std::string();
  }

  // Returns the number of lines in `text`, plus the number that it reports as lost.
  static size_t LinesAndLosses(const std::string& text) {
    static const std::regex kLost(".* warn log: ([0-9]+) lines were lost");
    size_t count = 0;
    for (const std::string& line : Lines(text.substr(0, text.rfind('\n') + 1))) {
      std::smatch said;
      count += std::regex_match(line, said, kLost) ? std::stoul(said[1]) : 1;
    }
    return count;
  }

  ttrpc::UniqueFd reader_;
};

TEST_F(BlockedLogTest, CallersDoNotWaitAndLossesAreSaid) {
  constexpr size_t kLines = 5000;
  for (size_t i = 0; i < kLines; ++i) spdlog::info("line {}", i);
  spdlog::info("the last");
  std::string text;
  // The oldest lines are lost. The losses are reported, possibly in several lines.
  while (text.find("the last\n") == std::string::npos || LinesAndLosses(text) < kLines + 1) {
    text += Read();
  }
  EXPECT_EQ(LinesAndLosses(text), kLines + 1);
  EXPECT_THAT(text, HasSubstr(" lines were lost\n"));
}

TEST_F(BlockedLogTest, ShuttingDownDoesNotWaitForEver) {
  for (int i = 0; i < 5000; ++i) spdlog::info("line {}", i);
  const auto start = std::chrono::steady_clock::now();
  ShutDownLog();  // one second in all, not one for each of the thousand waiting lines
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  spdlog::error("goes nowhere");
  EXPECT_FALSE(Read().empty());
}

// Each line is either in the pipe or in the new file.
TEST_F(BlockedLogTest, AnotherTargetTakesOverWhatWaits) {
  constexpr size_t kLines = 5000;
  for (size_t i = 0; i < kLines; ++i) spdlog::info("line {}", i);
  LogConfig config = FileConfig();
  config.path = folder_ / "log.2";
  ASSERT_TRUE(SetUpLog(config).ok());
  spdlog::info("the last");
  ShutDownLog();
  std::string text = test::ReadFile(config.path);
  EXPECT_THAT(text, HasSubstr("the last\n"));
  std::string piped = Read();
  EXPECT_EQ(LinesAndLosses(text) + LinesAndLosses(piped), kLines + 1);
}

TEST_F(BlockedLogTest, AuditThatIsReplacedHasEachLineOnce) {
  // The audit has a pipe of its own, which blocks like the log's.
  const std::string pipe = folder_ / "audit";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const ttrpc::UniqueFd reader(::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_GT(::fcntl(reader.get(), F_SETPIPE_SZ, 4096), 0);
  auto target = MakeFileAuditTarget(pipe);
  ASSERT_TRUE(target) << target.error();
  Audit audit(AuditAll(), *std::move(target));
  constexpr size_t kRecords = 1000;
  AuditRecord record;
  record.event = AuditEvent::kCall;
  for (size_t i = 0; i < kRecords; ++i) audit.Record(record);
  pollfd ready{.fd = reader.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&ready, 1, -1), 1);
  const std::string file = folder_ / "audit.2";
  auto next = MakeFileAuditTarget(file);
  ASSERT_TRUE(next) << next.error();
  audit.Reconfigure(AuditAll(), *std::move(next));
  audit.Stop();
  std::string piped(4096, '\0');
  const ssize_t size = ::read(reader.get(), piped.data(), piped.size());
  ASSERT_GT(size, 0);
  piped.resize(static_cast<size_t>(size));
  const auto whole = static_cast<size_t>(std::count(piped.begin(), piped.end(), '\n'));
  EXPECT_GT(whole, 0U);
  EXPECT_EQ(Lines(test::ReadFile(file)).size() + whole, kRecords);
}

TEST_F(LogTest, AuditLinesAreNotWrapped) {
  LogConfig config = FileConfig(LogFormat::kJson);
  config.level = LogLevel::kError;
  ASSERT_TRUE(SetUpLog(config).ok());
  EXPECT_TRUE(MakeLogAuditTarget()->Write(Packed("a") + Packed("b")));
  EXPECT_EQ(test::ReadFile(path_),
            "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"event\":\"connect\",\"method\":\"a\"}\n"
            "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"event\":\"connect\",\"method\":\"b\"}\n");
}

TEST_F(LogTest, AuditIntoALogThatFails) {
  LogConfig config = FileConfig();
  config.path = "/dev/full";
  ASSERT_TRUE(SetUpLog(config).ok());
  EXPECT_FALSE(MakeLogAuditTarget()->Write(Packed()));
}

constexpr char kJournal[] = "/run/systemd/journal/socket";

// Mounts an empty directory at the fixed path, in a new mount namespace. Ends the process if that
// is not possible.
void EnterEmptyRun() {
  if (::unshare(CLONE_NEWNS) != 0) ::_exit(77);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(77);
  if (::mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0) ::_exit(77);
  std::filesystem::create_directories("/run/systemd/journal");
}

ttrpc::UniqueFd FakeJournal() {
  ttrpc::UniqueFd journal(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(address.sun_path, kJournal, sizeof address.sun_path - 1);
  if (::bind(journal.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    ::_exit(1);
  return journal;
}

LogConfig JournalConfig() {
  LogConfig config;
  config.target = LogConfig::Target::kJournal;
  return config;
}

// Returns 0 if the test passed.
int LogToFakeJournal() {
  EnterEmptyRun();
  const ttrpc::UniqueFd journal = FakeJournal();
  if (!SetUpLog(JournalConfig()).ok()) return 2;
  spdlog::warn("{}", kHostile);
  AuditRecord record;
  record.event = AuditEvent::kDeny;
  record.uid = 1000;
  record.method = "Do";
  record.enforced = true;
  record.code = ttrpc::StatusCode::kPermissionDenied;
  std::string denial;
  PackAuditRecord(record, {}, &denial);
  record = {};
  record.event = AuditEvent::kDeny;
  record.enforced = false;
  record.listener = "a\nb\xff";
  std::string shadow;
  PackAuditRecord(record, {}, &shadow);
  MakeLogAuditTarget()->Write(denial + shadow);
  ShutDownLog();
  // Two threads write, so the order is not fixed.
  std::multiset<std::string> entries;
  char bytes[4096];
  for (ssize_t size = 0; (size = ::recv(journal.get(), bytes, sizeof bytes, MSG_DONTWAIT)) > 0;)
    entries.emplace(bytes, static_cast<size_t>(size));
  const std::string identifier = "SYSLOG_IDENTIFIER=ttrpc-proxyd\n";
  // A value with several lines is sent with its length.
  const std::string two_lines =
      std::string("TTRPC_PROXY_LISTENER\n\6\0\0\0\0\0\0\0", 29) + "a\nb\xEF\xBF\xBD\n";
  const std::string denied =
      "TTRPC_PROXY_TIME=1970-01-01T00:00:00.000000Z\nTTRPC_PROXY_EVENT=deny\n";
  const std::multiset<std::string> expected = {
      "MESSAGE=peer said \"x\\n2024-01-01T00:00:00.000000Z info forged\\u001b[2J\\xff\n"
      "PRIORITY=4\n" +
          identifier,
      R"(MESSAGE={"time":"1970-01-01T00:00:00.000000Z","event":"deny","uid":1000,"method":"Do",)"
      R"("enforced":true,"code":"PERMISSION_DENIED"})"
      "\nPRIORITY=5\n" +
          identifier + denied +
          "TTRPC_PROXY_UID=1000\nTTRPC_PROXY_METHOD=Do\nTTRPC_PROXY_ENFORCED=true\n"
          "TTRPC_PROXY_CODE=PERMISSION_DENIED\n",
      "MESSAGE=" + LinesOf(shadow) + "PRIORITY=6\n" + identifier + denied + two_lines +
          "TTRPC_PROXY_ENFORCED=false\n",
  };
  if (entries == expected) return 0;
  for (const std::string& entry : entries)
    std::fprintf(stderr, "the journal got: %s\n", entry.c_str());
  return 3;
}

int LogWithoutJournal() {
  EnterEmptyRun();
  const ttrpc::Status status = SetUpLog(JournalConfig());
  if (status.code() != ttrpc::StatusCode::kNotFound) return 2;
  if (status.message() !=
      "cannot connect to the journal: /run/systemd/journal/socket: No such file or directory; "
      "start systemd-journald, or set [log] target to \"stderr\" or \"file:/abs/path\"")
    return 3;
  FakeJournal().reset();  // its file stays, and nobody listens on it
  const std::string refused = SetUpLog(JournalConfig()).message();
  return refused.find("/socket: Connection refused; start") != std::string::npos ? 0 : 4;
}

int JournalComesAndGoes() {
  EnterEmptyRun();
  ttrpc::UniqueFd journal = FakeJournal();
  if (!SetUpLog(JournalConfig()).ok()) return 2;
  const auto target = MakeLogAuditTarget();
  if (!target->Write(Packed())) return 3;
  journal.reset();
  if (target->Write(Packed()) || target->kept() != 0) return 4;
  ::unlink(kJournal);
  if (target->Write(Packed())) return 5;
  Audit audit(AuditAll(), MakeLogAuditTarget());
  audit.Record(AuditRecord());
  while (audit.lost() != 1) ::sched_yield();
  journal = FakeJournal();
  return target->Write(Packed()) ? 0 : 6;
}

// Nobody reads the socket, so its queue fills. Neither a reload nor the end waits for it.
int JournalThatHangs(const std::string& file) {
  EnterEmptyRun();
  const ttrpc::UniqueFd journal = FakeJournal();
  if (!SetUpLog(JournalConfig()).ok()) return 2;
  std::string records;
  for (size_t i = 0; i < 5000; ++i) records.append(Packed());
  const auto target = MakeLogAuditTarget();
  std::thread writer([&target, &records] { target->Write(records); });
  // The write has begun, and cannot end.
  char bytes[64];
  if (::recv(journal.get(), bytes, sizeof bytes, MSG_PEEK) <= 0) return 3;
  LogConfig config;
  config.target = LogConfig::Target::kFile;
  config.path = file;
  if (!SetUpLog(config).ok()) return 4;
  writer.join();
  size_t entries = 0;
  while (::recv(journal.get(), bytes, sizeof bytes, MSG_DONTWAIT) > 0) ++entries;
  return Lines(test::ReadFile(file)).size() + entries == 5000 ? 0 : 5;
}

// Runs a test in a child process with a /run of its own, and checks how it ended.
void ExpectWell(const std::function<int()>& run) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(run());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77)
    GTEST_SKIP() << "no mounts of our own here: no CAP_SYS_ADMIN, or this is a chroot";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(LogTest, Journal) { ExpectWell(LogToFakeJournal); }

TEST_F(LogTest, NoJournalIsAnError) { ExpectWell(LogWithoutJournal); }

TEST_F(LogTest, JournalThatGoesAwayLosesLinesAndIsFoundAgain) { ExpectWell(JournalComesAndGoes); }

TEST_F(LogTest, JournalThatHangsIsReplaced) {
  ExpectWell([this] { return JournalThatHangs(path_); });
}

}  // namespace
}  // namespace proxyd
