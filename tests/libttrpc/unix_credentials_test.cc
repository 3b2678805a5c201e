// SPDX-License-Identifier: Apache-2.0
//
// Real sockets of real users. For cases that no kernel here produces, the program replaces
// getsockopt(2) of the C library with its own.
#include "ttrpc/unix_credentials.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <numeric>
#include <string>
#include <utility>

#include "run_as.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace {

// While this is set, it answers one option instead of the kernel, with 0 or an errno.
struct FakeOption {
  int option = -1;
  std::function<int(void* value, socklen_t* length)> answer;
};
FakeOption* fake_option = nullptr;

}  // namespace

extern "C" int getsockopt(int fd, int level, int option, void* value, socklen_t* length) noexcept {
  if (fake_option != nullptr && level == SOL_SOCKET && option == fake_option->option) {
    errno = fake_option->answer(value, length);
    return errno == 0 ? 0 : -1;
  }
  return static_cast<int>(::syscall(SYS_getsockopt, fd, level, option, value, length));
}

namespace ttrpc {
namespace {

using test::BecomeOrAbort;
using test::SocketpairAs;
using test::User;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Returns what ReadUnixCredentials() makes of a good socket if the kernel answers `option` with
// `answer`.
Result<UnixCredentials> ReadWithFake(int option,
                                     std::function<int(void* value, socklen_t* length)> answer) {
  const auto sockets = SocketpairAs({.uid = 1234, .gid = 2345, .groups = {77}});
  FakeOption fake{.option = option, .answer = std::move(answer)};
  fake_option = &fake;
  Result<UnixCredentials> result = ReadUnixCredentials(sockets[0].get(), {.pidfd = true});
  fake_option = nullptr;
  return result;
}

void ExpectUnauthenticated(const Result<UnixCredentials>& result, std::string_view what) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(result.error().message(), HasSubstr(std::string(what)));
}

auto GiveIds(ucred ids) {
  return [ids](void* value, socklen_t* length) {
    std::memcpy(value, &ids, sizeof(ids));
    *length = sizeof(ids);
    return 0;
  };
}

auto Fail(int error_number) {
  return [error_number](void*, socklen_t*) { return error_number; };
}

TEST(UnixCredentialsTest, GivesIdsAndGroupsOfThePeer) {
  const auto sockets = SocketpairAs({.uid = 1234, .gid = 2345, .groups = {77, 88, 2345}});
  const Result<UnixCredentials> credentials = ReadUnixCredentials(sockets[0].get());
  ASSERT_TRUE(credentials) << credentials.error();
  EXPECT_EQ(credentials->uid, 1234U);
  EXPECT_EQ(credentials->gid, 2345U);
  EXPECT_EQ(credentials->pid, ::getpid());
  EXPECT_THAT(credentials->groups, ElementsAre(77, 88, 2345));
  EXPECT_FALSE(credentials->pidfd);
}

TEST(UnixCredentialsTest, PeerMayHaveNoGroups) {
  const auto sockets = SocketpairAs({.uid = 1234, .gid = 2345, .groups = {}});
  const Result<UnixCredentials> credentials = ReadUnixCredentials(sockets[0].get());
  ASSERT_TRUE(credentials) << credentials.error();
  EXPECT_THAT(credentials->groups, IsEmpty());
}

TEST(UnixCredentialsTest, GivesAllGroupsHoweverMany) {
  for (size_t count : {31U, 32U, 33U, 1000U, 65536U}) {
    std::vector<gid_t> groups(count);
    std::iota(groups.begin(), groups.end(), 5000);
    const auto sockets = SocketpairAs({.uid = 1234, .gid = 2345, .groups = groups});
    const Result<UnixCredentials> credentials = ReadUnixCredentials(sockets[0].get());
    ASSERT_TRUE(credentials) << credentials.error();
    EXPECT_EQ(credentials->groups, groups) << count;
  }
}

TEST(UnixCredentialsTest, GroupsAreNotAskedForUnlessWanted) {
  int asked = 0;
  FakeOption fake{.option = SO_PEERGROUPS, .answer = [&asked](void*, socklen_t*) {
                    ++asked;
                    return EINVAL;
                  }};
  const auto sockets = SocketpairAs({.uid = 1234, .gid = 2345, .groups = {77}});
  fake_option = &fake;
  const auto credentials = ReadUnixCredentials(sockets[0].get(), {.groups = false});
  fake_option = nullptr;
  ASSERT_TRUE(credentials) << credentials.error();
  EXPECT_EQ(credentials->uid, 1234U);
  EXPECT_THAT(credentials->groups, IsEmpty());
  EXPECT_EQ(asked, 0);
}

TEST(UnixCredentialsTest, GroupsAreReadIntoABufferThatIsUsedAgain) {
  std::vector<gid_t> groups(5000);
  std::iota(groups.begin(), groups.end(), 5000);
  const auto many = SocketpairAs({.uid = 1234, .gid = 2345, .groups = groups});
  const auto few = SocketpairAs({.uid = 1234, .gid = 2345, .groups = {77, 88}});
  std::vector<gid_t> buffer;
  const auto first = ReadUnixGroups(many[0].get(), &buffer);
  ASSERT_TRUE(first) << first.error();
  EXPECT_EQ(std::vector<gid_t>(first->begin(), first->end()), groups);
  const gid_t* const place = buffer.data();
  const auto second = ReadUnixGroups(few[0].get(), &buffer);
  ASSERT_TRUE(second) << second.error();
  EXPECT_THAT(*second, ElementsAre(77, 88));
  EXPECT_EQ(buffer.data(), place);
}

TEST(UnixCredentialsTest, MoreGroupsThanAskedForAreCountedAndNotCopied) {
  const auto sockets = SocketpairAs({.uid = 1234, .gid = 2345, .groups = {77, 88, 99}});
  std::vector<gid_t> buffer;
  const auto groups = ReadUnixGroups(sockets[0].get(), &buffer, 2);
  ASSERT_FALSE(groups);
  EXPECT_EQ(groups.error().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(groups.error().message(), "the peer has 3 supplementary groups");
  EXPECT_THAT(buffer, testing::Each(0U));
  EXPECT_EQ(CountUnixGroups(sockets[0].get()).value(), 3U);
  const auto none = SocketpairAs({.uid = 1234, .gid = 2345, .groups = {}});
  EXPECT_EQ(CountUnixGroups(none[0].get()).value(), 0U);
  EXPECT_FALSE(CountUnixGroups(-1));
}

TEST(UnixCredentialsTest, EffectiveIdsCountNotTheRealOnes) {
  std::array<int, 2> fds = {-1, -1};
  test::RunAs({}, [&] {
    ASSERT_EQ(::syscall(SYS_setresgid, 0, 2345, 0), 0);
    ASSERT_EQ(::syscall(SYS_setresuid, 0, 1234, 0), 0);
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
  });
  const std::array<UniqueFd, 2> sockets = {UniqueFd(fds[0]), UniqueFd(fds[1])};
  const Result<UnixCredentials> credentials = ReadUnixCredentials(sockets[0].get());
  ASSERT_TRUE(credentials) << credentials.error();
  EXPECT_EQ(credentials->uid, 1234U);
  EXPECT_EQ(credentials->gid, 2345U);
}

TEST(UnixCredentialsTest, UnconnectedSocketIsRefused) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ExpectUnauthenticated(ReadUnixCredentials(socket.get()), "returned no uid");
}

TEST(UnixCredentialsTest, ListeningSocketIsRefused) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // This length makes the kernel pick a free abstract name.
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(sa_family_t)),
            0);
  ASSERT_EQ(::listen(socket.get(), 1), 0);
  ExpectUnauthenticated(ReadUnixCredentials(socket.get()), "the socket listens");
}

TEST(UnixCredentialsTest, SocketOfAnotherFamilyIsRefused) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ExpectUnauthenticated(ReadUnixCredentials(socket.get()), "returned no uid");
}

TEST(UnixCredentialsTest, WhatIsNoSocketIsRefused) {
  ExpectUnauthenticated(ReadUnixCredentials(-1), std::strerror(EBADF));
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ExpectUnauthenticated(ReadUnixCredentials(file.get()), std::strerror(ENOTSOCK));
}

TEST(UnixCredentialsTest, NoIdsIsRefused) {
  ExpectUnauthenticated(ReadWithFake(SO_PEERCRED, Fail(ENOPROTOOPT)), "SO_PEERCRED: ");
}

TEST(UnixCredentialsTest, TooShortIdsAreRefused) {
  ExpectUnauthenticated(ReadWithFake(SO_PEERCRED,
                                     [](void*, socklen_t* length) {
                                       *length = sizeof(pid_t);
                                       return 0;
                                     }),
                        "returned too few bytes");
}

TEST(UnixCredentialsTest, UidOfMinusOneIsRefused) {
  ExpectUnauthenticated(
      ReadWithFake(SO_PEERCRED, GiveIds({.pid = 1, .uid = static_cast<uid_t>(-1), .gid = 0})),
      "returned no uid");
}

TEST(UnixCredentialsTest, GidOfMinusOneIsRefused) {
  ExpectUnauthenticated(
      ReadWithFake(SO_PEERCRED, GiveIds({.pid = 1, .uid = 0, .gid = static_cast<gid_t>(-1)})),
      "returned no gid");
}

TEST(UnixCredentialsTest, PidOfZeroIsNoFailure) {
  const auto result = ReadWithFake(SO_PEERCRED, GiveIds({.pid = 0, .uid = 5, .gid = 6}));
  ASSERT_TRUE(result) << result.error();
  EXPECT_EQ(result->pid, 0);
  EXPECT_EQ(result->uid, 5U);
}

TEST(UnixCredentialsTest, NoGroupsFromTheKernelIsRefused) {
  for (int error_number : {ENOPROTOOPT, ENODATA, EINVAL}) {
    ExpectUnauthenticated(ReadWithFake(SO_PEERGROUPS, Fail(error_number)), "SO_PEERGROUPS: ");
  }
}

TEST(UnixCredentialsTest, GroupsThatNeverFitAreRefused) {
  int calls = 0;
  ExpectUnauthenticated(ReadWithFake(SO_PEERGROUPS,
                                     [&calls](void*, socklen_t* length) {
                                       ++calls;
                                       *length += sizeof(gid_t);
                                       return ERANGE;
                                     }),
                        "SO_PEERGROUPS: ");
  EXPECT_EQ(calls, 2);
}

TEST(UnixCredentialsTest, MoreGroupsThanAProcessCanHaveAreRefused) {
  ExpectUnauthenticated(ReadWithFake(SO_PEERGROUPS,
                                     [](void*, socklen_t* length) {
                                       *length = 65537 * sizeof(gid_t);
                                       return ERANGE;
                                     }),
                        "too many groups");
}

TEST(UnixCredentialsTest, MoreGroupsThanThereIsRoomForAreRefused) {
  ExpectUnauthenticated(ReadWithFake(SO_PEERGROUPS,
                                     [](void*, socklen_t* length) {
                                       *length += sizeof(gid_t);
                                       return 0;
                                     }),
                        "SO_PEERGROUPS: ");
}

TEST(UnixCredentialsTest, NoPidfdIsNoFailure) {
  for (int error_number : {ENOPROTOOPT, EINVAL, ESRCH, EMFILE}) {
    const auto result = ReadWithFake(SO_PEERPIDFD, Fail(error_number));
    ASSERT_TRUE(result) << result.error();
    EXPECT_EQ(result->uid, 1234U);
    EXPECT_THAT(result->groups, ElementsAre(77));
    EXPECT_FALSE(result->pidfd);
  }
}

// A process of another user that has connected and waits to be killed.
class ConnectedChild {
 public:
  explicit ConnectedChild(const User& user) {
    const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    socklen_t length = sizeof(sa_family_t);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener.get(), generic, length), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    length = sizeof(address);
    EXPECT_EQ(::getsockname(listener.get(), generic, &length), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      BecomeOrAbort(user);
      const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
      if (::connect(fd, generic, length) != 0) ::_exit(1);
      for (;;) ::pause();
    }
    socket_ = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  ~ConnectedChild() { KillAndReap(); }
  ConnectedChild(const ConnectedChild&) = delete;
  ConnectedChild& operator=(const ConnectedChild&) = delete;

  pid_t pid() const { return pid_; }
  int socket() const { return socket_.get(); }
  void Kill() const { ::kill(pid_, SIGKILL); }
  void KillAndReap() {
    if (reaped_) return;
    Kill();
    EXPECT_EQ(::waitpid(pid_, nullptr, 0), pid_);
    reaped_ = true;
  }

 private:
  pid_t pid_ = -1;
  UniqueFd socket_;
  bool reaped_ = false;
};

TEST(UnixCredentialsTest, PidfdNamesTheProcessThatConnected) {
  ConnectedChild child({.uid = 1234, .gid = 2345, .groups = {77}});
  const auto credentials = ReadUnixCredentials(child.socket(), {.pidfd = true});
  ASSERT_TRUE(credentials) << credentials.error();
  EXPECT_EQ(credentials->pid, child.pid());
  EXPECT_EQ(credentials->uid, 1234U);
  EXPECT_EQ(credentials->gid, 2345U);
  EXPECT_THAT(credentials->groups, ElementsAre(77));
  if (!credentials->pidfd) GTEST_SKIP() << "this kernel has no SO_PEERPIDFD";
  EXPECT_EQ(::fcntl(credentials->pidfd.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  pollfd ended = {.fd = credentials->pidfd.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&ended, 1, 0), 0);
  child.Kill();
  EXPECT_EQ(::poll(&ended, 1, 10'000), 1);
}

TEST(UnixCredentialsTest, PeerThatIsGoneKeepsItsIds) {
  ConnectedChild child({.uid = 1234, .gid = 2345, .groups = {77}});
  child.KillAndReap();
  const auto credentials = ReadUnixCredentials(child.socket(), {.pidfd = true});
  ASSERT_TRUE(credentials) << credentials.error();
  EXPECT_EQ(credentials->uid, 1234U);
  EXPECT_THAT(credentials->groups, ElementsAre(77));
}

// Runs in a child with its own user namespace, where only root is mapped.
bool MapRootOnly() {
  std::ofstream("/proc/self/setgroups") << "deny";
  const bool uid_mapped = static_cast<bool>(std::ofstream("/proc/self/uid_map") << "0 0 1\n"
                                                                                << std::flush);
  const bool gid_mapped = static_cast<bool>(std::ofstream("/proc/self/gid_map") << "0 0 1\n"
                                                                                << std::flush);
  return uid_mapped && gid_mapped;
}

TEST(UnixCredentialsTest, UnmappedPeerShowsAsOverflowIds) {
  const auto sockets = SocketpairAs({.uid = 1234, .gid = 2345, .groups = {77}});
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::unshare(CLONE_NEWUSER) != 0) ::_exit(77);
    if (!MapRootOnly()) ::_exit(2);
    const auto credentials = ReadUnixCredentials(sockets[0].get());
    const bool overflow = credentials && credentials->uid == OverflowUid() &&
                          credentials->gid == OverflowGid() &&
                          credentials->groups == std::vector<gid_t>{OverflowGid()};
    ::_exit(overflow ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    GTEST_SKIP() << "user namespaces are disabled, or this is a chroot";
  }
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(UnixCredentialsTest, OverflowIdsAreTheKernels) {
  uint32_t uid = 0;
  uint32_t gid = 0;
  ASSERT_TRUE(std::ifstream("/proc/sys/kernel/overflowuid") >> uid);
  ASSERT_TRUE(std::ifstream("/proc/sys/kernel/overflowgid") >> gid);
  EXPECT_EQ(OverflowUid(), uid);
  EXPECT_EQ(OverflowGid(), gid);
}

}  // namespace
}  // namespace ttrpc
