// SPDX-License-Identifier: Apache-2.0
//
// Sockets whose directory is locked by their caller.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "support/no_more_descriptors.h"
#include "support/temp_folder.h"
#include "ttrpc/listening_socket.h"

namespace ttrpc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

bool Connects(const Address& address) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const SocketAddress raw = address.ToSocketAddress();
  return ::connect(socket.get(), raw.get(), raw.length) == 0;
}

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777U;
}

class ListeningSocketLockTest : public testing::Test {
 protected:
  ListeningSocketLockTest() : options_(*Address::Parse("unix://" + path_)) {
    options_.lock = false;
  }
  ListeningSocket Make(const ListeningSocketOptions& options) {
    auto socket = ListeningSocket::Create(options);
    if (!socket) ADD_FAILURE() << socket.error();
    return *std::move(socket);
  }

  test::TempFolder folder_;
  const std::string path_ = folder_ / "sock";
  ListeningSocketOptions options_;
};

// The caller has locked the directory, and needs many sockets in it.
TEST_F(ListeningSocketLockTest, WithoutALockHasNoOtherFileAndNoOtherDescriptor) {
  ListeningSocketOptions options = options_;
  const auto descriptors = [] {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  const auto before = descriptors();
  std::optional<ListeningSocket> socket = Make(options);
  EXPECT_THAT(folder_.List(), ElementsAre("sock"));
  EXPECT_EQ(socket->path(), path_);
  EXPECT_EQ(descriptors(), before + 1);
  EXPECT_TRUE(Connects(options.address));
  options.mode = 0666;
  EXPECT_TRUE(socket->SetAccess(options).ok());
  EXPECT_EQ(ModeOf(path_), 0666U);
  const auto second = ListeningSocket::Create(options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), Status(StatusCode::kAlreadyExists, "unix://" + path_ + " is in use"));
  socket.reset();
  EXPECT_THAT(folder_.List(), IsEmpty());
}

TEST_F(ListeningSocketLockTest, WithoutALockLeavesTheFileOfAnotherAlone) {
  ListeningSocketOptions options = options_;
  std::optional<ListeningSocket> socket = Make(options);
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  EXPECT_EQ(socket->SetAccess(options).code(), StatusCode::kFailedPrecondition);
  const ListeningSocket other = Make(options);
  socket.reset();
  EXPECT_THAT(folder_.List(), ElementsAre("sock"));
}

TEST_F(ListeningSocketLockTest, APathMayBeRemovedWhileTheSocketIsInUse) {
  ListeningSocketOptions options = options_;
  const ListeningSocket socket = Make(options);
  EXPECT_TRUE(Connects(options.address));
  ListeningSocket::RemovePath(options.address, *socket.files());
  EXPECT_THAT(folder_.List(), IsEmpty());
  EXPECT_GE(socket.fd(), 0);
  // The path may have a new owner by the second time.
  const ListeningSocket next = Make(options);
  ListeningSocket::RemovePath(options.address, *socket.files());
  EXPECT_THAT(folder_.List(), ElementsAre("sock"));
}

// A daemon that has run out of descriptors must not leave the sockets of workloads behind.
TEST_F(ListeningSocketLockTest, APathIsRemovedWithoutAnotherDescriptor) {
  std::optional<ListeningSocket> socket = Make(options_);
  {
    const test::NoMoreDescriptors none;
    socket.reset();
  }
  EXPECT_THAT(folder_.List(), IsEmpty());
  socket = Make(options_);
  {
    const test::NoMoreDescriptors none;
    ListeningSocket::RemovePath(options_.address, *socket->files());
  }
  EXPECT_THAT(folder_.List(), IsEmpty());
}

}  // namespace
}  // namespace ttrpc
