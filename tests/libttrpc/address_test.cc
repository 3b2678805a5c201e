// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <string>

namespace ttrpc {
namespace {

using testing::HasSubstr;

Address MustParse(std::string_view text) {
  Result<Address> address = Address::Parse(text);
  EXPECT_TRUE(address.has_value()) << text;
  return std::move(address).value();
}

std::string ErrorOf(std::string_view text) {
  const Result<Address> address = Address::Parse(text);
  if (address) return "parsed as " + address->ToString();
  EXPECT_EQ(address.error().code(), StatusCode::kInvalidArgument);
  return address.error().message();
}

TEST(AddressTest, ReadsPath) {
  const Address address = MustParse("unix:///run/a/b.sock");
  EXPECT_EQ(address.kind(), Address::Kind::kUnixPath);
  EXPECT_EQ(address.name(), "/run/a/b.sock");
  EXPECT_EQ(address.ToString(), "unix:///run/a/b.sock");
}

TEST(AddressTest, ReadsBothSpellingsOfAbstractName) {
  for (std::string_view text : {"unix-abstract:/containerd-shim/x", "unix://@/containerd-shim/x"}) {
    const Address address = MustParse(text);
    EXPECT_EQ(address.kind(), Address::Kind::kUnixAbstract);
    EXPECT_EQ(address.name(), "/containerd-shim/x");
    EXPECT_EQ(address.ToString(), "unix-abstract:/containerd-shim/x");
  }
}

TEST(AddressTest, WhatItWritesReadsBackTheSame) {
  for (std::string_view text : {"unix:///x", "unix:///with @ and space", "unix-abstract:@x",
                                "unix-abstract:unix:///x", "unix://@@"}) {
    const Address address = MustParse(text);
    EXPECT_EQ(MustParse(address.ToString()), address) << text;
  }
}

TEST(AddressTest, PathAndAbstractNameDiffer) {
  EXPECT_FALSE(MustParse("unix:///x") == MustParse("unix-abstract:/x"));
  EXPECT_FALSE(MustParse("unix:///x") == MustParse("unix:///y"));
}

TEST(AddressTest, RefusesOtherKinds) {
  EXPECT_EQ(ErrorOf(""),
            "unknown kind of address, expected unix:///ABSOLUTE/PATH or unix-abstract:NAME");
  for (std::string_view text : {"/run/x", "unix:/run/x", "unix:x", "UNIX:///x", " unix:///x",
                                "tcp:127.0.0.1:1", "http://x"}) {
    EXPECT_THAT(ErrorOf(text), HasSubstr("unknown kind of address")) << text;
  }
}

TEST(AddressTest, SaysWhichKindsAreToCome) {
  EXPECT_EQ(ErrorOf("vsock:3:1024"),
            "vsock: addresses are not supported yet, expected unix:///ABSOLUTE/PATH or "
            "unix-abstract:NAME");
  EXPECT_THAT(ErrorOf("hvsock:///x:1"), HasSubstr("hvsock: addresses are not supported yet"));
  EXPECT_THAT(ErrorOf("systemd:x"), HasSubstr("systemd: addresses are not supported yet"));
}

TEST(AddressTest, RefusesWhatIsNoPathOfASocket) {
  EXPECT_THAT(ErrorOf("unix://"), HasSubstr("path is empty"));
  EXPECT_THAT(ErrorOf("unix://run/x"), HasSubstr("path is relative"));
  EXPECT_THAT(ErrorOf("unix:///"), HasSubstr("path names a folder"));
  EXPECT_THAT(ErrorOf("unix:///run/"), HasSubstr("path names a folder"));
}

TEST(AddressTest, RefusesEmptyAbstractName) {
  EXPECT_THAT(ErrorOf("unix-abstract:"), HasSubstr("abstract name is empty"));
  EXPECT_THAT(ErrorOf("unix://@"), HasSubstr("abstract name is empty"));
}

TEST(AddressTest, RefusesNulByteWhereverItStands) {
  for (std::string text : {"unix:///aXb", "unix-abstract:Xab", "unix://@aX"}) {
    text[text.find('X')] = '\0';
    EXPECT_THAT(ErrorOf(text), HasSubstr("contains a NUL byte"));
  }
}

TEST(AddressTest, HoldsAsMuchAsASockaddr) {
  const std::string name(106, 'x');
  for (const std::string prefix : {"unix:///", "unix-abstract:/", "unix://@/"}) {
    EXPECT_EQ(MustParse(prefix + name).name().size(), 107U);
    EXPECT_THAT(ErrorOf(prefix + name + "x"), HasSubstr("has 108 bytes, expected at most 107"));
  }
}

TEST(AddressTest, SockaddrOfPathEndsInNul) {
  sockaddr_un out;
  std::memset(&out, 0xff, sizeof(out));
  const socklen_t length = MustParse("unix:///ab").ToSockaddr(&out);
  EXPECT_EQ(out.sun_family, AF_UNIX);
  EXPECT_EQ(length, offsetof(sockaddr_un, sun_path) + 4);
  EXPECT_EQ(std::string(out.sun_path, 4), std::string("/ab\0", 4));
}

TEST(AddressTest, SockaddrOfAbstractNameIsNotPadded) {
  sockaddr_un out;
  std::memset(&out, 0xff, sizeof(out));
  const socklen_t length = MustParse("unix-abstract:ab").ToSockaddr(&out);
  EXPECT_EQ(out.sun_family, AF_UNIX);
  EXPECT_EQ(length, offsetof(sockaddr_un, sun_path) + 3);
  EXPECT_EQ(std::string(out.sun_path, 3), std::string("\0ab", 3));
}

TEST(AddressTest, SockaddrOfLongestNameFits) {
  const std::string name(106, 'x');
  sockaddr_un out;
  EXPECT_EQ(MustParse("unix:///" + name).ToSockaddr(&out), sizeof(out));
  EXPECT_EQ(out.sun_path[107], '\0');
  EXPECT_EQ(MustParse("unix-abstract:/" + name).ToSockaddr(&out), sizeof(out));
  EXPECT_EQ(out.sun_path[107], 'x');
}

}  // namespace
}  // namespace ttrpc
