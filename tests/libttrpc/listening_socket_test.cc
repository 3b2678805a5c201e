// SPDX-License-Identifier: Apache-2.0
//
// Real sockets in a temporary directory. Tests that set owners need root and say so.
#include "ttrpc/listening_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "support/temp_folder.h"

namespace ttrpc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Address AddressOf(const std::string& text) {
  auto address = Address::Parse(text);
  EXPECT_TRUE(address) << text;
  return *address;
}

ListeningSocketOptions At(const std::string& path) {
  return ListeningSocketOptions(AddressOf("unix://" + path));
}

UniqueFd NewSocket(int type = SOCK_STREAM) {
  return UniqueFd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Returns 0 or the errno of connect(2).
int Connect(const UniqueFd& socket, const Address& address) {
  const SocketAddress raw = address.ToSocketAddress();
  const int result = ::connect(socket.get(), raw.get(), raw.length);
  return result == 0 ? 0 : errno;
}

// A socket of another program, which has no lock file. Since it does not listen, it is as stale as
// the socket of a process that has ended.
UniqueFd BindForeign(const std::string& path, int type = SOCK_STREAM) {
  UniqueFd socket = NewSocket(type);
  const SocketAddress raw = AddressOf("unix://" + path).ToSocketAddress();
  EXPECT_EQ(::bind(socket.get(), raw.get(), raw.length), 0);
  return socket;
}

struct stat StatOf(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

class ListeningSocketTest : public testing::Test {
 protected:
  ListeningSocket Create(const ListeningSocketOptions& options) {
    auto socket = ListeningSocket::Create(options);
    if (!socket) ADD_FAILURE() << socket.error();
    return *std::move(socket);
  }
  ListeningSocket Create() { return Create(At(path_)); }

  void ExpectError(StatusCode code, const std::string& message) {
    const auto socket = ListeningSocket::Create(At(path_));
    ASSERT_FALSE(socket);
    EXPECT_EQ(socket.error().code(), code);
    EXPECT_EQ(socket.error().message(), message);
  }

  test::TempFolder folder_;
  const std::string path_ = folder_ / "sock";
  const std::string in_use_ = "unix://" + path_ + " is in use";
};

TEST_F(ListeningSocketTest, AcceptsConnectionsUntilItEnds) {
  std::optional<ListeningSocket> socket = Create();
  EXPECT_THAT(folder_.List(), ElementsAre(".sock.lock", "sock"));
  const UniqueFd peer = NewSocket();
  EXPECT_EQ(Connect(peer, AddressOf("unix://" + path_)), 0);
  const UniqueFd accepted(::accept4(socket->fd(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(accepted);
  EXPECT_EQ(::accept4(socket->fd(), nullptr, nullptr, SOCK_CLOEXEC), -1);
  EXPECT_EQ(errno, EAGAIN);  // the socket is non-blocking
  EXPECT_TRUE(::fcntl(socket->fd(), F_GETFD) & FD_CLOEXEC);
  socket.reset();
  EXPECT_THAT(folder_.List(), IsEmpty());
}

// A gate: the kernel does not identify peers that connect from a virtual machine.
TEST_F(ListeningSocketTest, OnlyUnixSocketsListen) {
  for (const std::string& text : {std::string("vsock:1:1024"), "hvsock://" + path_ + ":1024"}) {
    const auto socket = ListeningSocket::Create(ListeningSocketOptions(AddressOf(text)));
    ASSERT_FALSE(socket.has_value());
    EXPECT_EQ(socket.error(),
              Status(StatusCode::kInvalidArgument,
                     text + ": a listener must be a Unix socket, so that its peer can be "
                            "authenticated"));
  }
  EXPECT_THAT(folder_.List(), IsEmpty());
}

TEST_F(ListeningSocketTest, ModeIsExactWhateverTheUmask) {
  for (const mode_t umask : {0000U, 0022U, 0777U}) {
    for (const mode_t mode : {0600U, 0660U, 0666U, 0777U}) {
      ListeningSocketOptions options = At(path_);
      options.mode = mode;
      const mode_t before = ::umask(umask);
      const ListeningSocket socket = Create(options);
      ::umask(before);
      EXPECT_EQ(StatOf(path_).st_mode, S_IFSOCK | mode);
    }
  }
}

TEST_F(ListeningSocketTest, OwnerAndGroup) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ListeningSocketOptions options = At(path_);
  options.owner = 1234;
  options.group = 5678;
  options.mode = 0660;
  {
    const ListeningSocket socket = Create(options);
    const struct stat made = StatOf(path_);
    EXPECT_EQ(made.st_uid, 1234U);
    EXPECT_EQ(made.st_gid, 5678U);
    EXPECT_EQ(made.st_mode & 07777U, 0660U);
  }
  options.owner.reset();
  const ListeningSocket socket = Create(options);
  EXPECT_EQ(StatOf(path_).st_uid, 0U);
  EXPECT_EQ(StatOf(path_).st_gid, 5678U);
}

TEST_F(ListeningSocketTest, AccessMayBeSetAnew) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ListeningSocket socket = Create();
  const ino_t inode = StatOf(path_).st_ino;
  ListeningSocketOptions options = At(path_);
  options.owner = 1234;
  options.group = 5678;
  options.mode = 0660;
  EXPECT_EQ(socket.SetAccess(options), Status());
  const struct stat set = StatOf(path_);
  EXPECT_EQ(set.st_ino, inode);
  EXPECT_EQ(set.st_uid, 1234U);
  EXPECT_EQ(set.st_gid, 5678U);
  EXPECT_EQ(set.st_mode & 07777U, 0660U);
  socket.CloseAndUnlink();
  EXPECT_THAT(folder_.List(), IsEmpty());
}

// Anyone who may write to the directory could put a link to a file of root there.
TEST_F(ListeningSocketTest, AccessToWhatIsNotOursIsNotSet) {
  ListeningSocket socket = Create();
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  const Status gone{StatusCode::kFailedPrecondition,
                    "unix://" + path_ + " was removed or replaced by another process"};
  EXPECT_EQ(socket.SetAccess(At(path_)), gone);
  const std::string precious = folder_ / "precious";
  std::ofstream(precious) << "text";
  ASSERT_EQ(::chmod(precious.c_str(), 0640), 0);
  ASSERT_EQ(::symlink(precious.c_str(), path_.c_str()), 0);
  ListeningSocketOptions options = At(path_);
  options.mode = 0666;
  EXPECT_EQ(socket.SetAccess(options), gone);
  EXPECT_EQ(StatOf(precious).st_mode & 07777U, 0640U);
}

TEST_F(ListeningSocketTest, StaleSocketIsReplaced) {
  { const UniqueFd stale = BindForeign(path_); }
  const ino_t before = StatOf(path_).st_ino;
  // A process that was killed leaves its lock file without a lock.
  { const std::ofstream lock(folder_ / ".sock.lock"); }
  const ListeningSocket socket = Create();
  EXPECT_NE(StatOf(path_).st_ino, before);
  EXPECT_EQ(Connect(NewSocket(), AddressOf("unix://" + path_)), 0);
  EXPECT_THAT(folder_.List(), ElementsAre(".sock.lock", "sock"));
}

TEST_F(ListeningSocketTest, LiveSocketIsNotStolen) {
  const UniqueFd live = BindForeign(path_);
  ASSERT_EQ(::listen(live.get(), 4), 0);
  const ino_t before = StatOf(path_).st_ino;
  ExpectError(StatusCode::kAlreadyExists, in_use_);
  EXPECT_EQ(StatOf(path_).st_ino, before);
  EXPECT_THAT(folder_.List(), ElementsAre("sock"));
}

TEST_F(ListeningSocketTest, LiveSocketWithAFullBacklogIsNotStolen) {
  const UniqueFd live = BindForeign(path_);
  ASSERT_EQ(::listen(live.get(), 0), 0);
  const UniqueFd waiting = NewSocket();
  ASSERT_EQ(Connect(waiting, AddressOf("unix://" + path_)), 0);
  ASSERT_EQ(Connect(NewSocket(), AddressOf("unix://" + path_)), EAGAIN);
  ExpectError(StatusCode::kAlreadyExists, in_use_);
  EXPECT_THAT(folder_.List(), ElementsAre("sock"));
}

TEST_F(ListeningSocketTest, SocketOfAnotherTypeIsNotStolen) {
  const UniqueFd datagram = BindForeign(path_, SOCK_DGRAM);
  ExpectError(StatusCode::kAlreadyExists, in_use_);
  EXPECT_THAT(folder_.List(), ElementsAre("sock"));
}

TEST_F(ListeningSocketTest, OursIsNotStolenAndStaysWhole) {
  const ListeningSocket socket = Create();
  ExpectError(StatusCode::kAlreadyExists, in_use_);
  EXPECT_THAT(folder_.List(), ElementsAre(".sock.lock", "sock"));
  EXPECT_EQ(Connect(NewSocket(), AddressOf("unix://" + path_)), 0);
}

TEST_F(ListeningSocketTest, LockThatIsHeldIsNotStolen) {
  const std::string lock = folder_ / ".sock.lock";
  const UniqueFd held(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(held.get(), LOCK_EX), 0);
  ExpectError(StatusCode::kAlreadyExists, in_use_);
  EXPECT_THAT(folder_.List(), ElementsAre(".sock.lock"));
  ASSERT_EQ(::flock(held.get(), LOCK_UN), 0);
  Create();
}

TEST_F(ListeningSocketTest, LockFileThatIsALinkIsNotFollowed) {
  ASSERT_EQ(::symlink((folder_ / "target").c_str(), (folder_ / ".sock.lock").c_str()), 0);
  EXPECT_FALSE(ListeningSocket::Create(At(path_)));
  EXPECT_THAT(folder_.List(), ElementsAre(".sock.lock"));
}

TEST_F(ListeningSocketTest, WhatIsNoSocketStays) {
  const std::string message =
      "unix://" + path_ + " is not a socket; remove the file or use another path";
  { std::ofstream(path_) << "precious"; }
  ExpectError(StatusCode::kFailedPrecondition, message);
  EXPECT_EQ(test::ReadFile(path_), "precious");
  ASSERT_EQ(::rename(path_.c_str(), (folder_ / "file").c_str()), 0);

  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  ExpectError(StatusCode::kFailedPrecondition, message);
  ASSERT_EQ(::rmdir(path_.c_str()), 0);

  // Links are not followed, neither to a file nor to a stale socket.
  for (const char* target : {"file", "stale", "nothing"}) {
    const UniqueFd stale = BindForeign(folder_ / "stale");
    ASSERT_EQ(::symlink((folder_ / target).c_str(), path_.c_str()), 0);
    ExpectError(StatusCode::kFailedPrecondition, message);
    EXPECT_TRUE(S_ISLNK(StatOf(path_).st_mode));
    EXPECT_THAT(folder_.List(), ElementsAre("file", "sock", "stale"));
    ASSERT_EQ(::unlink(path_.c_str()), 0);
    ASSERT_EQ(::unlink((folder_ / "stale").c_str()), 0);
  }
}

TEST_F(ListeningSocketTest, ForeignSocketAtTheEndStays) {
  ListeningSocket socket = Create();
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  const UniqueFd foreign = BindForeign(path_);
  const ino_t inode = StatOf(path_).st_ino;
  socket.CloseAndUnlink();
  EXPECT_EQ(StatOf(path_).st_ino, inode);
  EXPECT_THAT(folder_.List(), ElementsAre("sock"));  // the lock file belonged to the socket
}

TEST_F(ListeningSocketTest, ForeignLockFileAtTheEndStays) {
  ListeningSocket socket = Create();
  const std::string lock = folder_ / ".sock.lock";
  // The new file is made before the old one is gone, so the inode numbers must differ.
  ASSERT_EQ(::rename(lock.c_str(), (folder_ / "moved").c_str()), 0);
  { const std::ofstream foreign(lock); }
  socket.CloseAndUnlink();
  EXPECT_THAT(folder_.List(), ElementsAre(".sock.lock", "moved"));
}

TEST_F(ListeningSocketTest, ClosingTwiceTakesNothingFromTheNext) {
  ListeningSocket first = Create();
  first.CloseAndUnlink();
  const ListeningSocket second = Create();
  first.CloseAndUnlink();
  EXPECT_LT(first.fd(), 0);
  EXPECT_THAT(folder_.List(), ElementsAre(".sock.lock", "sock"));
}

// The socket that lost its path stays in use, and removes nothing of the new one when it ends.
TEST_F(ListeningSocketTest, OneThatLostItsPathIsMadeAgain) {
  ListeningSocket first = Create();
  const ListeningSocket::Files files = first.files().value();
  const auto kept = ListeningSocket::Recreate(At(path_), files);
  ASSERT_TRUE(kept) << kept.error();
  EXPECT_FALSE(*kept) << "the path is still there";
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  auto again = ListeningSocket::Recreate(At(path_), files);
  ASSERT_TRUE(again) << again.error();
  ASSERT_TRUE(*again);
  const ino_t inode = StatOf(path_).st_ino;
  first.CloseAndUnlink();
  EXPECT_EQ(StatOf(path_).st_ino, inode);
  EXPECT_THAT(folder_.List(), ElementsAre(".sock.lock", "sock"));
  EXPECT_EQ(Connect(NewSocket(), AddressOf("unix://" + path_)), 0);
  ExpectError(StatusCode::kAlreadyExists, in_use_);
  again->reset();
  EXPECT_THAT(folder_.List(), IsEmpty());
}

TEST_F(ListeningSocketTest, WhatHasThePathOfOneThatLostItStays) {
  const ListeningSocket socket = Create();
  const ListeningSocket::Files files = socket.files().value();
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  { std::ofstream(path_) << "precious"; }
  const auto file = ListeningSocket::Recreate(At(path_), files);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().message(),
            "unix://" + path_ + " is not a socket; remove the file or use another path");
  EXPECT_EQ(test::ReadFile(path_), "precious");
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  const UniqueFd live = BindForeign(path_);
  ASSERT_EQ(::listen(live.get(), 4), 0);
  const auto taken = ListeningSocket::Recreate(At(path_), files);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().message(), in_use_);
  EXPECT_THAT(folder_.List(), ElementsAre(".sock.lock", "sock")) << "the lock is still held";
}

// The contents of the directory are gone, or the directory was replaced.
TEST_F(ListeningSocketTest, OneThatLostItsFolderIsMadeAgain) {
  const std::string folder = folder_ / "run";
  ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  const ListeningSocket socket = Create(At(folder + "/sock"));
  ASSERT_EQ(::rename(folder.c_str(), (folder_ / "old").c_str()), 0);
  const auto missing = ListeningSocket::Recreate(At(folder + "/sock"), socket.files().value());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), StatusCode::kNotFound);
  ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  const auto again = ListeningSocket::Recreate(At(folder + "/sock"), socket.files().value());
  ASSERT_TRUE(again) << again.error();
  EXPECT_TRUE(*again);
  EXPECT_EQ(Connect(NewSocket(), AddressOf("unix://" + folder + "/sock")), 0);
}

TEST_F(ListeningSocketTest, Moving) {
  ListeningSocket first = Create();
  ListeningSocket second = std::move(first);
  EXPECT_THAT(folder_.List(), ElementsAre(".sock.lock", "sock"));
  ListeningSocket other = Create(At(folder_ / "other"));
  EXPECT_THAT(folder_.List(), ElementsAre(".other.lock", ".sock.lock", "other", "sock"));
  other = std::move(second);
  EXPECT_THAT(folder_.List(), ElementsAre(".sock.lock", "sock"));
  EXPECT_GE(other.fd(), 0);
  other.CloseAndUnlink();
  EXPECT_THAT(folder_.List(), IsEmpty());
}

// The longest path of an address would exceed sockaddr_un behind /proc/self/fd/N/.
TEST_F(ListeningSocketTest, PathOf107Bytes) {
  const std::string path = folder_ / std::string(107 - folder_.path().size() - 1, 'n');
  ASSERT_EQ(path.size(), 107U);
  { const UniqueFd stale = BindForeign(path); }
  {
    const ListeningSocket socket = Create(At(path));
    EXPECT_EQ(Connect(NewSocket(), AddressOf("unix://" + path)), 0);
    EXPECT_FALSE(ListeningSocket::Create(At(path)));
  }
  EXPECT_THAT(folder_.List(), IsEmpty());
}

TEST_F(ListeningSocketTest, MissingFolder) {
  const std::string folder = folder_ / "none";
  const auto socket = ListeningSocket::Create(At(folder + "/sock"));
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code(), StatusCode::kNotFound);
  EXPECT_EQ(socket.error().message(),
            "unix://" + folder + "/sock: " + folder + ": No such file or directory");
}

TEST_F(ListeningSocketTest, FolderThatIsAFile) {
  { const std::ofstream file(path_); }
  const auto socket = ListeningSocket::Create(At(path_ + "/sock"));
  ASSERT_FALSE(socket);
  EXPECT_THAT(socket.error().message(), HasSubstr("Not a directory"));
}

// Each step after bind(2) can fail. Here the descriptors run out at one step after the other.
TEST_F(ListeningSocketTest, NothingIsLeftBehindWhereverItFails) {
  // The descriptors start above those that the test itself has open.
  const int lowest = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
  ASSERT_GE(lowest, 0);
  ASSERT_EQ(::close(lowest), 0);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  int failures = 0;
  for (rlim_t spare = 0;; ++spare) {
    ASSERT_LT(spare, 20U);
    const rlimit limit{.rlim_cur = static_cast<rlim_t>(lowest) + spare,
                       .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    auto socket = ListeningSocket::Create(At(path_));
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    if (socket) break;
    ++failures;
    EXPECT_THAT(socket.error().message(), HasSubstr("Too many open files"));
    EXPECT_THAT(folder_.List(), IsEmpty()) << "with descriptors to spare: " << spare;
  }
  EXPECT_GE(failures, 4);  // directory, lock, socket and the bound file
}

TEST_F(ListeningSocketTest, NothingIsLeftBehindWhenTheOwnerCannotBeSet) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give it up";
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0777), 0);
  ASSERT_EQ(::seteuid(65533), 0);
  ListeningSocketOptions options = At(path_);
  options.owner = 0;
  const auto socket = ListeningSocket::Create(options);
  ASSERT_EQ(::seteuid(0), 0);
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(socket.error().message(), HasSubstr("owner and group"));
  EXPECT_THAT(folder_.List(), IsEmpty());
}

TEST_F(ListeningSocketTest, Abstract) {
  // The directory's name is unique to this test, and so is the abstract name.
  const ListeningSocketOptions options(AddressOf("unix-abstract:" + path_));
  {
    const ListeningSocket socket = Create(options);
    EXPECT_EQ(Connect(NewSocket(), options.address), 0);
    const auto second = ListeningSocket::Create(options);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), StatusCode::kAlreadyExists);
    EXPECT_EQ(second.error().message(), "unix-abstract:" + path_ + " is in use");
  }
  EXPECT_EQ(Connect(NewSocket(), options.address), ECONNREFUSED);
  Create(options);
  EXPECT_THAT(folder_.List(), IsEmpty());
}

TEST_F(ListeningSocketTest, AdoptsOneThatListensAndLeavesItsPathAlone) {
  UniqueFd given = BindForeign(path_);
  ASSERT_EQ(::listen(given.get(), 1), 0);
  ASSERT_EQ(::fcntl(given.get(), F_SETFL, 0), 0);
  ASSERT_EQ(::fcntl(given.get(), F_SETFD, 0), 0);
  {
    const auto socket = ListeningSocket::Adopt(std::move(given));
    ASSERT_TRUE(socket);
    EXPECT_NE(::fcntl(socket->fd(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(::fcntl(socket->fd(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(Connect(NewSocket(), AddressOf("unix://" + path_)), 0);
  }
  EXPECT_EQ(Connect(NewSocket(), AddressOf("unix://" + path_)), ECONNREFUSED);
  EXPECT_THAT(folder_.List(), ElementsAre("sock"));
}

TEST_F(ListeningSocketTest, AdoptsNothingElse) {
  const Status no_stream(StatusCode::kInvalidArgument, "not a Unix stream socket");
  EXPECT_EQ(ListeningSocket::Adopt(NewSocket(SOCK_DGRAM)).error(), no_stream);
  EXPECT_EQ(ListeningSocket::Adopt(NewSocket(SOCK_SEQPACKET)).error(), no_stream);
  EXPECT_EQ(ListeningSocket::Adopt(UniqueFd(::socket(AF_INET, SOCK_STREAM, 0))).error(), no_stream);
  EXPECT_EQ(ListeningSocket::Adopt(UniqueFd()).error(), no_stream);
  EXPECT_EQ(ListeningSocket::Adopt(UniqueFd(::open("/dev/null", O_RDWR))).error(), no_stream);
  EXPECT_EQ(ListeningSocket::Adopt(NewSocket()).error(),
            Status(StatusCode::kInvalidArgument, "the socket does not listen"));
}

}  // namespace
}  // namespace ttrpc
