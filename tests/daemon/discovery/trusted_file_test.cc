// SPDX-License-Identifier: Apache-2.0
#include "discovery/trusted_file.h"

#include "harness.h"

namespace proxyd {
namespace {

using test::WriteTrusted;
using ttrpc::StatusCode;

class TrustedFileTest : public testing::Test {
 protected:
  ttrpc::Result<std::string> Read(const std::string& name, size_t limit = 10) {
    const ttrpc::UniqueFd directory(
        ::open(folder_.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    return ReadTrustedFile(directory.get(), name, limit);
  }
  void ExpectRefused(const std::string& name, const std::string& what) {
    const auto content = Read(name);
    ASSERT_FALSE(content);
    EXPECT_EQ(content.error(), ttrpc::Status(StatusCode::kFailedPrecondition, what));
  }

  ::test::TempFolder folder_;
};

TEST_F(TrustedFileTest, ReadsUpToTheLimit) {
  for (const size_t size : {0U, 1U, 9U, 10U}) {
    WriteTrusted(folder_ / "file", std::string(size, 'x'));
    const auto content = Read("file");
    ASSERT_TRUE(content) << content.error();
    EXPECT_EQ(*content, std::string(size, 'x'));
  }
  WriteTrusted(folder_ / "file", std::string(11, 'x'));
  EXPECT_EQ(Read("file").error(),
            ttrpc::Status(StatusCode::kOutOfRange, "file: more than 10 bytes"));
}

// The size of a file in /proc is 0, whatever it contains.
TEST_F(TrustedFileTest, ReadsAFileThatSaysNoSize) {
  const ttrpc::UniqueFd proc(::open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(ReadTrustedFile(proc.get(), "status", 3).error().code(), StatusCode::kOutOfRange);
  const auto content = ReadTrustedFile(proc.get(), "status", 1U << 20U);
  ASSERT_TRUE(content) << content.error();
  EXPECT_TRUE(content->starts_with("Name:"));
}

TEST_F(TrustedFileTest, AMissingFileIsNotFound) {
  EXPECT_EQ(Read("none").error().code(), StatusCode::kNotFound);
}

TEST_F(TrustedFileTest, RefusesLinks) {
  WriteTrusted(folder_ / "file", "x");
  ASSERT_EQ(::symlink("file", (folder_ / "link").c_str()), 0);
  ExpectRefused("link", "link: not a regular file");
}

TEST_F(TrustedFileTest, RefusesWhatIsNoFileWithoutWaiting) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  ExpectRefused("pipe", "pipe: not a regular file");
  test::LeaveSocket(folder_ / "socket");
  ExpectRefused("socket", "socket: not a regular file");
  ASSERT_EQ(::mkdir((folder_ / "directory").c_str(), 0700), 0);
  ExpectRefused("directory", "directory: not a regular file");
}

TEST_F(TrustedFileTest, RefusesAFileThatOthersMayWriteTo) {
  WriteTrusted(folder_ / "file", "x");
  for (const mode_t mode : {0620U, 0602U, 0666U}) {
    ASSERT_EQ(::chmod((folder_ / "file").c_str(), mode), 0);
    ExpectRefused("file", "file: a group or others may write to it");
  }
  ASSERT_EQ(::chmod((folder_ / "file").c_str(), 0644), 0);
  EXPECT_TRUE(Read("file"));
}

TEST_F(TrustedFileTest, RefusesTheFileOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  WriteTrusted(folder_ / "file", "x");
  ASSERT_EQ(::chown((folder_ / "file").c_str(), 1234, 0), 0);
  ExpectRefused("file", "file: belongs to uid 1234, which is neither root nor the daemon's user");
}

TEST_F(TrustedFileTest, AStickyDirectoryOfRootsIsTrusted) {
  struct stat info {};
  info.st_mode = S_IFDIR | 01777;
  EXPECT_TRUE(CheckTrusted(info, "x").ok());
  info.st_mode = S_IFDIR | 0777;
  EXPECT_FALSE(CheckTrusted(info, "x").ok());
  info.st_mode = S_IFREG | 01666;
  EXPECT_FALSE(CheckTrusted(info, "x").ok());
}

}  // namespace
}  // namespace proxyd
