// SPDX-License-Identifier: Apache-2.0
#include "run/exit_status.h"

#include <gtest/gtest.h>
#include <sysexits.h>

#include <cstdlib>
#include <string>

#include "support/temp_folder.h"

namespace proxyd {
namespace {

using ttrpc::Status;
using ttrpc::StatusCode;

TEST(ExitStatusTest, OnlyWhatLastsIsAnErrorOfTheConfiguration) {
  EXPECT_EQ(ExitStatusOf(Status(StatusCode::kPermissionDenied, "")), EX_CONFIG);
  EXPECT_EQ(ExitStatusOf(Status(StatusCode::kUnimplemented, "")), EX_CONFIG);
  EXPECT_EQ(ExitStatusOf(Status(StatusCode::kResourceExhausted, "")), EXIT_FAILURE);
  EXPECT_EQ(ExitStatusOf(Status(StatusCode::kInternal, "")), EXIT_FAILURE);
}

TEST(ExitStatusTest, OnlyAStatusThatIsTriedAgainIsCounted) {
  const test::TempFolder folder;
  ::setenv("RUNTIME_DIRECTORY", folder.path().c_str(), 1);
  const std::string count = folder / "failed-starts";
  for (const int status : {EXIT_SUCCESS, EX_USAGE, EX_CONFIG}) {
    EXPECT_EQ(PauseBeforeRetry(status), status);
    EXPECT_EQ(test::ReadFile(count), "");
  }
  EXPECT_EQ(PauseBeforeRetry(EX_TEMPFAIL), EX_TEMPFAIL);  // the first failure causes no pause
  EXPECT_EQ(test::ReadFile(count), "1\n");
  ::unsetenv("RUNTIME_DIRECTORY");
}

}  // namespace
}  // namespace proxyd
