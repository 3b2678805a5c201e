// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <utility>

namespace ttrpc {
namespace {

int OpenNull() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFdTest, IsNoneByDefaultAndForNegative) {
  EXPECT_FALSE(UniqueFd());
  EXPECT_FALSE(UniqueFd(-1).valid());
}

TEST(UniqueFdTest, ClosesAtItsEnd) {
  const int fd = OpenNull();
  {
    const UniqueFd owner(fd);
    ASSERT_TRUE(owner.valid());
    EXPECT_EQ(owner.get(), fd);
    EXPECT_TRUE(IsOpen(fd));
  }
  EXPECT_FALSE(IsOpen(fd));
}

TEST(UniqueFdTest, ReleaseLeavesItOpen) {
  const int fd = OpenNull();
  {
    UniqueFd owner(fd);
    EXPECT_EQ(owner.release(), fd);
    EXPECT_FALSE(owner);
  }
  EXPECT_TRUE(IsOpen(fd));
  ::close(fd);
}

TEST(UniqueFdTest, MoveHandsItOnAndClosesWhatWasThere) {
  const int first = OpenNull();
  const int second = OpenNull();
  UniqueFd a(first);
  UniqueFd b(second);
  b = std::move(a);
  EXPECT_EQ(b.get(), first);
  EXPECT_TRUE(IsOpen(first));
  EXPECT_FALSE(IsOpen(second));
  const UniqueFd c(std::move(b));
  EXPECT_EQ(c.get(), first);
  EXPECT_TRUE(IsOpen(first));
}

TEST(UniqueFdTest, MoveToItselfKeepsIt) {
  UniqueFd owner(OpenNull());
  UniqueFd& same = owner;
  owner = std::move(same);
  EXPECT_TRUE(owner.valid());
  EXPECT_TRUE(IsOpen(owner.get()));
}

TEST(UniqueFdTest, ResetClosesAndTakesOver) {
  const int first = OpenNull();
  const int second = OpenNull();
  UniqueFd owner(first);
  owner.reset(second);
  EXPECT_FALSE(IsOpen(first));
  EXPECT_TRUE(IsOpen(second));
  owner.reset();
  EXPECT_FALSE(IsOpen(second));
  EXPECT_FALSE(owner);
}

}  // namespace
}  // namespace ttrpc
