// SPDX-License-Identifier: Apache-2.0
#include "policy/payload_scanner.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "support/allocation_count.h"

namespace proxyd {
namespace {

constexpr std::array<WantedField, 1> kWantedId = {{{.number = 1, .name = "id"}}};

// Returns `id=VALUE`, or the message of the error.
std::string Scanned(std::string_view payload) {
  std::array<std::string_view, 1> values = {"before"};
  const ttrpc::Status status = ScanPayload(payload, kWantedId, values);
  if (status.ok()) return "id=" + std::string(values[0]);
  EXPECT_EQ(status.code(), ttrpc::StatusCode::kInvalidArgument);
  return status.message();
}

std::string WrongPayload(std::string_view what) {
  return "payload cannot be checked: " + std::string(what);
}

using std::string_literals::operator""s;

const std::string kIdField = "\x0a\x05web-1";

TEST(PayloadScannerTest, ReadsTheField) {
  EXPECT_EQ(Scanned(kIdField), "id=web-1");
  EXPECT_EQ(Scanned(""), "id=");
  EXPECT_EQ(Scanned("\x0a\x00"s), "id=");
  EXPECT_EQ(Scanned("\x12\x01x"s + kIdField + "\x1a\x00"s), "id=web-1") << "among other fields";
  EXPECT_EQ(Scanned("\x18\x96\x01"s + kIdField), "id=web-1") << "after a varint";
  EXPECT_EQ(Scanned("\x19"s + std::string(8, 'x') + "\x1d"s + std::string(4, 'x') + kIdField),
            "id=web-1");
  EXPECT_EQ(Scanned("\x8a\x00\x05web-1"s), "id=web-1") << "a tag that is longer than it need be";
  EXPECT_EQ(Scanned("\x0a\x02\xc3\xa9"s), "id=\xc3\xa9");
}

// Go's reader takes the last of two values, and another reader might take the first.
TEST(PayloadScannerTest, RefusesWhatReadersCouldReadDifferently) {
  EXPECT_EQ(Scanned(kIdField + kIdField), WrongPayload("id repeated"));
  EXPECT_EQ(Scanned(kIdField + "\x0a\x00"s), WrongPayload("id repeated"));
  EXPECT_EQ(Scanned("\x0a\x00"s + kIdField), WrongPayload("id repeated"));
  EXPECT_EQ(Scanned("\x08\x01"s), WrongPayload("id has the wrong wire type"));
  EXPECT_EQ(Scanned(kIdField + "\x08\x01"s), WrongPayload("id has the wrong wire type"));
  EXPECT_EQ(Scanned("\x0d"
                    "abcd"s),
            WrongPayload("id has the wrong wire type"));
  EXPECT_EQ(Scanned("\x0a\x01\xff"s), WrongPayload("id is not valid UTF-8"));
  EXPECT_EQ(Scanned("\x0a\x03\xed\xa0\x80"s), WrongPayload("id is not valid UTF-8"));
}

TEST(PayloadScannerTest, RefusesWhatIsNoMessageToItsEnd) {
  EXPECT_EQ(Scanned(kIdField + "\x12"s), WrongPayload("truncated or over-long varint"));
  EXPECT_EQ(Scanned(kIdField + "\x12\x02x"s), WrongPayload("truncated field"));
  EXPECT_EQ(Scanned(kIdField + "\x00\x00"s), WrongPayload("field number 0"));
  EXPECT_EQ(Scanned(kIdField + "\x1b\x1c"s), WrongPayload("group"));
  EXPECT_EQ(Scanned(kIdField + "\x1f"s), WrongPayload("invalid wire type"));
  for (size_t length = 1; length < kIdField.size(); ++length)
    EXPECT_NE(Scanned(kIdField.substr(0, length)).find("payload cannot be checked"),
              std::string::npos);
}

TEST(PayloadScannerTest, ReadsSeveralFieldsInOnePass) {
  constexpr std::array<WantedField, 2> kWanted = {
      {{.number = 16, .name = "second"}, {.number = 1, .name = "id"}}};
  std::array<std::string_view, 2> values;
  const std::string both = kIdField + "\x82\x01\x01x"s;
  ASSERT_TRUE(ScanPayload(both, kWanted, values).ok());
  EXPECT_EQ(values[0], "x");
  EXPECT_EQ(values[1], "web-1");
}

TEST(PayloadScannerTest, AllocatesNothing) {
  std::array<std::string_view, 1> values;
  const size_t before = test::AllocationCount();
  ASSERT_TRUE(ScanPayload(kIdField, kWantedId, values).ok());
  EXPECT_EQ(test::AllocationCount(), before);
}

}  // namespace
}  // namespace proxyd
