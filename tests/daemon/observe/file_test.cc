// SPDX-License-Identifier: Apache-2.0
//
// The audit's file and the layers below it, with real files. RLIMIT_FSIZE takes the place of a full
// disk: it cuts writes short in the same way, and can be lifted again.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <sstream>
#include <string>

#include "audit_records.h"
#include "observe/line_file.h"
#include "observe/log.h"
#include "support/temp_folder.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// While this exists, no file of this process grows beyond `bytes`.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

// Collects the lines of the default logger.
class CapturedLog {
 public:
  CapturedLog() {
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
    logger->set_pattern("%l %v");
    before_ = spdlog::default_logger();
    spdlog::set_default_logger(std::move(logger));
  }
  ~CapturedLog() { spdlog::set_default_logger(before_); }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    std::istringstream in(text_.str());
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

class LineFileTest : public testing::Test {
 protected:
  LineFile Open(const std::string& path) {
    auto file = LineFile::Open(path, deadline_);
    EXPECT_TRUE(file) << file.error();
    return *std::move(file);
  }

  test::TempFolder folder_;
  WriteDeadline deadline_;
  const std::string path_ = folder_ / "lines";
};

TEST_F(LineFileTest, CreatedWithItsModeAndAppendedTo) {
  const mode_t umask_before = ::umask(0);
  EXPECT_EQ(Open(path_).Append("one\n"), 0);
  ::umask(umask_before);
  EXPECT_EQ(Open(path_).Append("two\nthree\n"), 0);
  EXPECT_EQ(test::ReadFile(path_), "one\ntwo\nthree\n");
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
}

TEST_F(LineFileTest, SymbolicLinkIsNotFollowed) {
  ASSERT_EQ(::symlink((folder_ / "target").c_str(), path_.c_str()), 0);
  const auto file = LineFile::Open(path_, deadline_);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message(), HasSubstr(path_));
  EXPECT_THAT(folder_.List(), ElementsAre("lines"));
}

TEST_F(LineFileTest, MissingFolder) {
  const auto file = LineFile::Open(folder_ / "none/lines", deadline_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), ttrpc::StatusCode::kNotFound);
}

TEST_F(LineFileTest, ReopenFollowsTheName) {
  LineFile file = Open(path_);
  EXPECT_EQ(file.Append("old\n"), 0);
  ASSERT_EQ(::rename(path_.c_str(), (folder_ / "lines.1").c_str()), 0);
  EXPECT_EQ(file.Append("still old\n"), 0);
  EXPECT_TRUE(file.Reopen().ok());
  EXPECT_EQ(file.Append("new\n"), 0);
  EXPECT_EQ(test::ReadFile(folder_ / "lines.1"), "old\nstill old\n");
  EXPECT_EQ(test::ReadFile(path_), "new\n");
}

TEST_F(LineFileTest, ReopenThatFailsKeepsTheOldFile) {
  LineFile file = Open(path_);
  ASSERT_EQ(::rename(path_.c_str(), (folder_ / "lines.1").c_str()), 0);
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  EXPECT_FALSE(file.Reopen().ok());
  EXPECT_EQ(file.Append("kept\n"), 0);
  EXPECT_EQ(test::ReadFile(folder_ / "lines.1"), "kept\n");
}

TEST_F(LineFileTest, FullDiskLeavesWholeLinesAndIsRecoveredFrom) {
  LineFile file = Open(path_);
  ASSERT_EQ(file.Append("first\n"), 0);
  {
    const FileSizeLimit full(10);
    EXPECT_EQ(file.Append("second\n"), EFBIG);  // four of its bytes fit
    EXPECT_EQ(test::ReadFile(path_), "first\n");
    EXPECT_EQ(file.Append("x\n"), 0);
    EXPECT_EQ(file.Append("third\n"), EFBIG);
  }
  EXPECT_EQ(file.Append("second\n"), 0);
  EXPECT_EQ(test::ReadFile(path_), "first\nx\nsecond\n");
}

// A pipe keeps the bytes that fit, and they cannot be removed. The cut line is ended instead.
TEST_F(LineFileTest, CutLineIsEndedBeforeTheNext) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  const ttrpc::UniqueFd reader(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(reader);
  LineFile file = Open(path_);
  const int capacity = ::fcntl(reader.get(), F_SETPIPE_SZ, 8192);
  ASSERT_GT(capacity, 0);
  deadline_.Set(std::chrono::steady_clock::now());
  const std::string line(static_cast<size_t>(capacity) + 10, 'x');
  EXPECT_EQ(file.Append(line + "\n"), ETIMEDOUT);
  std::string got(line.size() * 2, '\0');
  EXPECT_EQ(::read(reader.get(), got.data(), got.size()), capacity);
  EXPECT_EQ(file.Append("next\n"), 0);
  const ssize_t size = ::read(reader.get(), got.data(), got.size());
  ASSERT_GT(size, 0);
  EXPECT_EQ(got.substr(0, static_cast<size_t>(size)), "\nnext\n");
}

TEST_F(LineFileTest, PipeWithoutReaderIsAnErrorNotAWait) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(LineFile::Open(path_, deadline_));
}

TEST(FileAuditTargetTest, FailureAndRecoveryAreSaidOnce) {
  const test::TempFolder folder;
  const std::string path = folder / "audit";
  const CapturedLog log;
  auto target = MakeFileAuditTarget(path);
  ASSERT_TRUE(target) << target.error();
  const std::string a = LinesOf(Packed("a"));
  const std::string c = LinesOf(Packed("c"));
  EXPECT_TRUE((*target)->Write(Packed("a")));
  {
    const FileSizeLimit full(a.size() + 2);
    for (int i = 0; i < 3; ++i) EXPECT_FALSE((*target)->Write(Packed("b")));
  }
  for (int i = 0; i < 3; ++i) EXPECT_TRUE((*target)->Write(Packed("c")));
  EXPECT_EQ(test::ReadFile(path), a + c + c + c);
  EXPECT_THAT(log.lines(), ElementsAre("error audit: cannot write " + path + ": File too large",
                                       "info audit: writing " + path + " again"));
}

TEST(FileAuditTargetTest, NoSpaceLeftOnDevice) {
  const CapturedLog log;
  auto target = MakeFileAuditTarget("/dev/full");
  ASSERT_TRUE(target) << target.error();
  EXPECT_FALSE((*target)->Write(Packed()));
  EXPECT_THAT(log.lines(),
              ElementsAre("error audit: cannot write /dev/full: No space left on device"));
}

TEST(FileAuditTargetTest, CannotBeOpened) {
  const test::TempFolder folder;
  const auto target = MakeFileAuditTarget(folder / "none/audit");
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().code(), ttrpc::StatusCode::kNotFound);
}

TEST(FileAuditTargetTest, ReopenThroughTheAudit) {
  const test::TempFolder folder;
  const std::string path = folder / "audit";
  auto target = MakeFileAuditTarget(path);
  ASSERT_TRUE(target) << target.error();
  {
    Audit audit(AuditConfig{}, *std::move(target));
    AuditRecord record;
    record.method = "Before";
    audit.Record(record);
    while (test::ReadFile(path).find('\n') == std::string::npos) ::sched_yield();
    ASSERT_EQ(::rename(path.c_str(), (folder / "audit.1").c_str()), 0);
    audit.Reopen();
    record.method = "After";
    audit.Record(record);
  }
  EXPECT_THAT(test::ReadFile(folder / "audit.1"), HasSubstr("\"Before\""));
  EXPECT_THAT(test::ReadFile(path), HasSubstr("\"After\""));
  EXPECT_THAT(test::ReadFile(path), testing::Not(HasSubstr("\"Before\"")));
}

// A target that writes the first record that it gets, and hangs at the others.
class HalfTarget final : public AuditTarget {
 public:
  explicit HalfTarget(std::atomic<bool>* begun) : begun_(begun) {}
  bool Write(std::string_view records) override {
    std::string_view others = records;
    UnpackAuditRecord(&others);
    kept_ = records.size() - others.size();
    *begun_ = true;
    while (!given_up_) ::sched_yield();
    return false;
  }
  size_t kept() const override { return kept_; }
  void GiveUp() override { given_up_ = true; }

 private:
  std::atomic<bool>* begun_;
  size_t kept_ = 0;
  std::atomic<bool> given_up_ = false;
};

TEST(FileAuditTargetTest, HasWhatTheTargetBeforeItDidNotTake) {
  for (const auto on_error : {AuditConfig::OnError::kDrop, AuditConfig::OnError::kRefuseCalls}) {
    const test::TempFolder folder;
    const std::string path = folder / "audit";
    AuditConfig config;
    config.calls = AuditCalls::kAll;
    config.on_error = on_error;
    std::atomic<bool> begun = false;
    Audit audit(config, std::make_unique<HalfTarget>(&begun));
    AuditRecord record;
    for (const char* method : {"First", "Second", "Third"}) {
      record.method = method;
      audit.Record(record);
    }
    while (!begun) ::sched_yield();
    record.method = "Fourth";
    audit.Record(record);
    auto next = MakeFileAuditTarget(path);
    ASSERT_TRUE(next) << next.error();
    audit.Reconfigure(config, *std::move(next));
    const auto count = [&path] {
      const std::string text = test::ReadFile(path);
      return std::count(text.begin(), text.end(), '\n');
    };
    while (count() < 3) ::sched_yield();
    EXPECT_EQ(audit.lost(), 0U);
    audit.Stop();
    EXPECT_EQ(count(), 3);
    EXPECT_THAT(test::ReadFile(path), testing::Not(HasSubstr("\"First\"")));
  }
}

}  // namespace
}  // namespace proxyd
