// SPDX-License-Identifier: Apache-2.0
#include "observe/process_labels.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace proxyd {
namespace {

std::string NameWhenItIs(const std::string& name) {
  char before[16] = {};
  ::prctl(PR_GET_NAME, before);
  ::prctl(PR_SET_NAME, name.c_str());
  const std::string comm(ReadProcessLabels(::getpid()).comm());
  ::prctl(PR_SET_NAME, before);
  return comm;
}

TEST(ProcessLabelsTest, CommIsWhatTheProcessCallsItself) {
  EXPECT_EQ(NameWhenItIs("exporter"), "exporter");
  EXPECT_EQ(NameWhenItIs("fifteen-letters"), "fifteen-letters");
  EXPECT_EQ(NameWhenItIs("a\nb \x1b[1m)"), "a\nb \x1b[1m)");
  EXPECT_EQ(NameWhenItIs(""), "");
}

TEST(ProcessLabelsTest, LoginuidIsTheKernels) {
  std::ifstream file("/proc/self/loginuid");
  uint32_t loginuid = kNoLoginUid;
  file >> loginuid;
  EXPECT_EQ(ReadProcessLabels(::getpid()).loginuid(), loginuid);
}

TEST(ProcessLabelsTest, AProcessThatHasGoneHasNone) {
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(gone, nullptr, 0), gone);
  for (const pid_t pid : {gone, 0, -1}) {
    EXPECT_EQ(ReadProcessLabels(pid).comm(), "");
    EXPECT_EQ(ReadProcessLabels(pid).loginuid(), kNoLoginUid);
  }
}

}  // namespace
}  // namespace proxyd
