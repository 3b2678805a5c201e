// SPDX-License-Identifier: Apache-2.0
#include "config/rpc_names.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace proxyd {
namespace {

static_assert(IsServiceName("containerd.task.v2.Task") && !IsServiceName("a*"));
static_assert(IsMethodName("State") && !IsMethodName("a.b"));

TEST(RpcNamesTest, AreOfTheseBytes) {
  for (int c = 0; c < 256; ++c) {
    const std::string name = "a" + std::string(1, static_cast<char>(c));
    const bool word =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    EXPECT_EQ(IsMethodName(name), word) << c;
    EXPECT_EQ(IsServiceName(name), word || c == '.') << c;
    EXPECT_EQ(IsNameOf(kMethodPatternBytes, name), word || c == '*') << c;
    EXPECT_EQ(IsNameOf(kServicePatternBytes, name), word || c == '.' || c == '*') << c;
  }
}

TEST(RpcNamesTest, AreOf1To256Bytes) {
  for (const auto kind : {kMethodBytes, kServiceBytes, kMethodPatternBytes, kServicePatternBytes}) {
    EXPECT_FALSE(IsNameOf(kind, ""));
    EXPECT_TRUE(IsNameOf(kind, "a"));
    EXPECT_TRUE(IsNameOf(kind, std::string(256, 'a')));
    EXPECT_FALSE(IsNameOf(kind, std::string(257, 'a')));
  }
}

TEST(ParseMethodNameTest, TakesWhatARequestMayHave) {
  const auto name = ParseMethodName("/a.b.C_1/Do_it");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->service, "a.b.C_1");
  EXPECT_EQ(name->method, "Do_it");
  EXPECT_TRUE(ParseMethodName("/" + std::string(256, 's') + "/M"));
  for (const std::string& text :
       {std::string(), std::string("/"), std::string("//"), std::string("/s"), std::string("/s/"),
        std::string("//M"), std::string("s/M"), std::string("/s/M/"), std::string("/s/a.b"),
        std::string("/s/*"), std::string("/s/M "), "/" + std::string(257, 's') + "/M"}) {
    EXPECT_FALSE(ParseMethodName(text)) << text;
  }
}

TEST(ParseMethodPatternTest, TakesStarsInEitherPart) {
  EXPECT_EQ(ParseMethodPattern("/a.b*/*"), (MethodPattern{.service = "a.b*", .method = "*"}));
  EXPECT_EQ(ParseMethodPattern("/s/M"), (MethodPattern{.service = "s", .method = "M"}));
  for (const std::string_view text :
       {"", "*", "/", "//", "/*", "/*/", "//*", "*/*", "/*/*/", "/*/a.b", "/s/M ", "/a-b/*"}) {
    EXPECT_FALSE(ParseMethodPattern(text)) << text;
  }
}

TEST(ReservedMetadataTest, IsThePrefixInAnyCase) {
  for (const std::string_view key :
       {kUidMetadata, kGidMetadata, kPidMetadata, std::string_view("ttrpc-proxy-"),
        std::string_view("TTRPC-Proxy-Anything")}) {
    EXPECT_TRUE(IsReservedMetadata(key)) << key;
  }
  for (const std::string_view key : {"", "ttrpc-proxy", "x-ttrpc-proxy-uid", "ttrpc_proxy_uid"}) {
    EXPECT_FALSE(IsReservedMetadata(key)) << key;
  }
}

}  // namespace
}  // namespace proxyd
