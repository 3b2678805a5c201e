// SPDX-License-Identifier: Apache-2.0
#include "proxy/reaper.h"

#include <gtest/gtest.h>

#include <list>
#include <memory>
#include <string>
#include <utility>

#include "support/run_until.h"

namespace proxyd {
namespace {

class ReaperTest : public ::testing::Test {
 protected:
  // Records when it is destroyed.
  struct Noted {
    Noted(std::string* destroyed, char letter) : to(destroyed), name(letter) {}
    Noted(const Noted&) = delete;
    Noted& operator=(const Noted&) = delete;
    ~Noted() { *to += name; }
    std::string* to;
    char name;
  };
  std::unique_ptr<Noted> New(char name) { return std::make_unique<Noted>(&destroyed_, name); }
  void RunUntilReaped(int times) {
    ::test::RunUntil(loop_, [this, times] { return reaped_ == times; });
  }

  std::string destroyed_;
  int reaped_ = 0;
  ttrpc::EventLoop loop_;
  Reaper reaper_{loop_.io(), [this] { ++reaped_; }};
};

TEST_F(ReaperTest, WhatHasEndedIsDestroyedLaterInItsOrder) {
  reaper_.DestroyLater(New('a'));
  std::list<Noted> list;
  list.emplace_back(&destroyed_, 'b');
  reaper_.DestroyLater(std::move(list));
  reaper_.DestroyLater(New('c'));
  EXPECT_EQ(destroyed_, "");
  RunUntilReaped(1);
  EXPECT_EQ(destroyed_, "abc");
}

TEST_F(ReaperTest, WhatEndsMeanwhileIsDestroyedNext) {
  struct Last {
    Reaper* reaper;
    std::unique_ptr<Noted> next;
    ~Last() { reaper->DestroyLater(std::move(next)); }
  };
  reaper_.DestroyLater(std::unique_ptr<Last>(new Last{.reaper = &reaper_, .next = New('b')}));
  RunUntilReaped(1);
  EXPECT_EQ(destroyed_, "");
  RunUntilReaped(2);
  EXPECT_EQ(destroyed_, "b");
}

TEST_F(ReaperTest, ItMayBeAskedWithNothingToDestroy) {
  reaper_.ReapSoon();
  RunUntilReaped(1);
}

TEST_F(ReaperTest, ItsOwnEndDestroysWhatIsLeft) {
  {
    Reaper short_lived(loop_.io(), [] { FAIL(); });
    short_lived.DestroyLater(New('a'));
  }
  EXPECT_EQ(destroyed_, "a");
}

TEST_F(ReaperTest, ItMayBeDestroyedByWhatItCalls) {
  std::unique_ptr<Reaper> own;
  own = std::make_unique<Reaper>(loop_.io(), [&own] { own.reset(); });
  own->ReapSoon();
  ::test::RunUntil(loop_, [&own] { return own == nullptr; });
}

}  // namespace
}  // namespace proxyd
