// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <sstream>

namespace ttrpc {
namespace {

TEST(StatusTest, DefaultIsOk) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.ToString(), "OK");
}

TEST(StatusTest, SaysCodeAndMessage) {
  const Status status(StatusCode::kPermissionDenied, "uid 1000 may not call /svc/Method");
  EXPECT_FALSE(status.ok());
  std::ostringstream out;
  out << status;
  EXPECT_EQ(out.str(), "PERMISSION_DENIED: uid 1000 may not call /svc/Method");
  EXPECT_EQ(Status(StatusCode::kDataLoss, "").ToString(), "DATA_LOSS");
}

TEST(StatusTest, NamesEveryCodeAndNoOther) {
  EXPECT_EQ(StatusCodeName(StatusCode::kOk), "OK");
  EXPECT_EQ(StatusCodeName(StatusCode::kUnauthenticated), "UNAUTHENTICATED");
  EXPECT_EQ(StatusCodeName(static_cast<StatusCode>(16)), "UNAUTHENTICATED");
  for (int32_t code :
       {17, -1, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()}) {
    EXPECT_EQ(StatusCodeName(static_cast<StatusCode>(code)), "UNRECOGNIZED") << code;
  }
}

TEST(StatusTest, OfErrno) {
  const Status status = ErrnoStatus(ENOENT, "open /x");
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.message(), std::string("open /x: ") + std::strerror(ENOENT));
  EXPECT_EQ(ErrnoStatus(EPERM, "").code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrnoStatus(EACCES, "").code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrnoStatus(EEXIST, "").code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(ErrnoStatus(ENOTEMPTY, "").code(), StatusCode::kAlreadyExists);
  for (const int other : {EINVAL, EADDRINUSE, EMFILE, ECONNREFUSED, ETIMEDOUT, EXDEV}) {
    EXPECT_EQ(ErrnoStatus(other, "").code(), StatusCode::kUnknown) << other;
  }
}

TEST(ResultTest, HoldsValueOrError) {
  const Result<int> value(7);
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(*value, 7);
  const Result<int> error(Status(StatusCode::kNotFound, "no"));
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error(), Status(StatusCode::kNotFound, "no"));
}

TEST(ResultTest, HandsOutWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 7);
}

TEST(ResultDeathTest, ValueThatIsNotThereAborts) {
  const Result<int> error(Status(StatusCode::kNotFound, "no"));
  EXPECT_DEATH((void)error.value(), "");
}

TEST(ResultTest, AnOkStatusIsNoError) {
  const Result<int> result = Status();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().ToString(), "INTERNAL: ttrpc: an OK status is not an error");
  const Result<int> dropped = Status(StatusCode::kOk, "fine");
  ASSERT_FALSE(dropped);
  EXPECT_EQ(dropped.error().code(), StatusCode::kInternal);
}

}  // namespace
}  // namespace ttrpc
