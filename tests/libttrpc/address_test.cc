// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/vm_sockets.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <utility>

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

TEST(AddressTest, ReadsVsock) {
  const Address address = MustParse("vsock:3:1024");
  EXPECT_EQ(address.kind(), Address::Kind::kVsock);
  EXPECT_EQ(address.cid(), 3U);
  EXPECT_EQ(address.port(), 1024U);
  EXPECT_EQ(address.name(), "");
  EXPECT_FALSE(address.is_unix());
  EXPECT_EQ(address.ToString(), "vsock:3:1024");
  EXPECT_EQ(MustParse("vsock:0:4294967294").port(), 4294967294U);
}

TEST(AddressTest, ReadsHybridVsock) {
  const Address address = MustParse("hvsock:///run/vm:1/v.sock:1024");
  EXPECT_EQ(address.kind(), Address::Kind::kHybridVsock);
  EXPECT_EQ(address.name(), "/run/vm:1/v.sock");
  EXPECT_EQ(address.port(), 1024U);
  EXPECT_TRUE(address.is_unix());
  EXPECT_EQ(address.ToString(), "hvsock:///run/vm:1/v.sock:1024");
}

TEST(AddressTest, ReadsTheFormsOfContainerdAndKata) {
  constexpr std::pair<std::string_view, std::string_view> kForms[] = {
      {"vsock://3:1024", "vsock:3:1024"},
      {"ttrpc+vsock://3:1024", "vsock:3:1024"},
      {"ttrpc+unix:///run/a.sock", "unix:///run/a.sock"},
      {"ttrpc+unix://@a", "unix-abstract:a"},
      {"hvsock:///run/kata/1/root/kata.hvsock:1024", "hvsock:///run/kata/1/root/kata.hvsock:1024"},
      // The prefix belongs to the scheme alone.
      {"unix:///ttrpc+unix:///x", "unix:///ttrpc+unix:///x"},
  };
  for (const auto& [text, canonical] : kForms) {
    EXPECT_EQ(MustParse(text).ToString(), canonical) << text;
    EXPECT_EQ(MustParse(text), MustParse(canonical)) << text;
  }
}

TEST(AddressTest, RefusesOtherFormsWithTheProtocol) {
  for (std::string_view text :
       {"ttrpc+", "ttrpc+vsock:3:1024", "ttrpc+unix-abstract:x", "ttrpc+hvsock:///x:1",
        "ttrpc+ttrpc+unix:///x", "TTRPC+unix:///x", "grpc+unix:///x", "ttrpc+tcp://127.0.0.1:1"}) {
    EXPECT_THAT(ErrorOf(text), HasSubstr("unknown kind of address")) << text;
  }
  EXPECT_EQ(ErrorOf("ttrpc+vsock://3"), "port is missing; use vsock:CID:PORT");
  EXPECT_EQ(ErrorOf("vsock://"), "port is missing; use vsock:CID:PORT");
  EXPECT_EQ(ErrorOf("vsock:///3:1"), "CID is not a number from 0 to 4294967294");
  EXPECT_THAT(ErrorOf("ttrpc+unix://x"), HasSubstr("path is relative; use unix:///ABSOLUTE/PATH"));
  EXPECT_THAT(ErrorOf("ttrpc+unix:///" + std::string(107, 'x')),
              HasSubstr("has 108 bytes; use at most 107"));
}

TEST(AddressTest, WhatItWritesReadsBackTheSame) {
  for (std::string_view text : {"unix:///x", "unix:///with @ and space", "unix-abstract:@x",
                                "unix-abstract:unix:///x", "unix://@@", "vsock:0:0",
                                "vsock:4294967294:4294967294", "hvsock:///x:0", "hvsock:///:x:1"}) {
    const Address address = MustParse(text);
    EXPECT_EQ(MustParse(address.ToString()), address) << text;
  }
}

TEST(AddressTest, PathAndAbstractNameDiffer) {
  EXPECT_FALSE(MustParse("unix:///x") == MustParse("unix-abstract:/x"));
  EXPECT_FALSE(MustParse("unix:///x") == MustParse("unix:///y"));
  EXPECT_FALSE(MustParse("vsock:3:1") == MustParse("vsock:3:2"));
  EXPECT_FALSE(MustParse("vsock:3:1") == MustParse("vsock:4:1"));
  EXPECT_FALSE(MustParse("hvsock:///x:1") == MustParse("hvsock:///x:2"));
}

TEST(AddressTest, RefusesOtherKinds) {
  EXPECT_EQ(ErrorOf(""),
            "unknown kind of address; use unix:///ABSOLUTE/PATH, unix-abstract:NAME, "
            "vsock:CID:PORT or hvsock:///ABSOLUTE/PATH:PORT");
  for (std::string_view text :
       {"/run/x", "unix:/run/x", "unix:x", "UNIX:///x", " unix:///x", "tcp:127.0.0.1:1", "http://x",
        "systemd:x", "vsock", "hvsock:/x:1"}) {
    EXPECT_THAT(ErrorOf(text), HasSubstr("unknown kind of address")) << text;
  }
}

TEST(AddressTest, RefusesNumbersThatAreNone) {
  EXPECT_EQ(ErrorOf("vsock:"), "port is missing; use vsock:CID:PORT");
  EXPECT_EQ(ErrorOf("vsock:3"), "port is missing; use vsock:CID:PORT");
  for (std::string_view cid : {"", "x", "-1", "+1", " 1", "1 ", "0x3", "4294967295", "4294967296",
                               "18446744073709551617"}) {
    EXPECT_EQ(ErrorOf("vsock:" + std::string(cid) + ":1024"),
              "CID is not a number from 0 to 4294967294")
        << cid;
  }
  for (std::string_view port : {"", "x", "-1", "1:2", "4294967295"}) {
    EXPECT_EQ(ErrorOf("vsock:3:" + std::string(port)), "port is not a number from 0 to 4294967294")
        << port;
  }
  EXPECT_EQ(ErrorOf("hvsock:///x:-1"), "port is not a number from 0 to 4294967294");
  EXPECT_EQ(ErrorOf("hvsock:///x:"), "port is not a number from 0 to 4294967294");
  EXPECT_EQ(ErrorOf("hvsock:///x"), "port is missing; use hvsock:///ABSOLUTE/PATH:PORT");
}

TEST(AddressTest, RefusesWhatIsNoPathOfASocket) {
  EXPECT_THAT(ErrorOf("unix://"), HasSubstr("path is empty"));
  EXPECT_THAT(ErrorOf("unix://run/x"), HasSubstr("path is relative; use unix:///ABSOLUTE/PATH"));
  EXPECT_THAT(ErrorOf("unix:///"), HasSubstr("path ends in a slash"));
  EXPECT_THAT(ErrorOf("unix:///run/"), HasSubstr("path ends in a slash"));
}

TEST(AddressTest, RefusesWhatIsNoPathOfAHybridSocket) {
  EXPECT_EQ(ErrorOf("hvsock://:1"), "path is empty; use hvsock:///ABSOLUTE/PATH:PORT");
  EXPECT_EQ(ErrorOf("hvsock://x:1"), "path is relative; use hvsock:///ABSOLUTE/PATH:PORT");
  EXPECT_THAT(ErrorOf("hvsock:///x/:1"), HasSubstr("path ends in a slash"));
}

TEST(AddressTest, RefusesEmptyAbstractName) {
  EXPECT_THAT(ErrorOf("unix-abstract:"), HasSubstr("abstract name is empty"));
  EXPECT_THAT(ErrorOf("unix://@"), HasSubstr("abstract name is empty"));
}

TEST(AddressTest, RefusesNulByteWhereverItStands) {
  for (std::string text : {"unix:///aXb", "unix-abstract:Xab", "unix://@aX", "hvsock:///aX:1"}) {
    text[text.find('X')] = '\0';
    EXPECT_THAT(ErrorOf(text), HasSubstr("contains a NUL byte"));
  }
}

TEST(AddressTest, HoldsAsMuchAsASockaddr) {
  const std::string name(106, 'x');
  for (const std::string prefix : {"unix:///", "unix-abstract:/", "unix://@/"}) {
    EXPECT_EQ(MustParse(prefix + name).name().size(), 107U);
    EXPECT_THAT(ErrorOf(prefix + name + "x"), HasSubstr("has 108 bytes; use at most 107"));
  }
  EXPECT_EQ(MustParse("hvsock:///" + name + ":1").name().size(), 107U);
  EXPECT_THAT(ErrorOf("hvsock:///" + name + "x:1"), HasSubstr("has 108 bytes; use at most 107"));
}

// Returns the bytes that the kernel receives.
std::string Bytes(const SocketAddress& address) {
  return {reinterpret_cast<const char*>(address.get()), address.length};
}
std::string UnixBytes(std::string_view path) {
  const sa_family_t family = AF_UNIX;
  std::string bytes(reinterpret_cast<const char*>(&family), sizeof family);
  return bytes.append(path);
}

TEST(AddressTest, SocketAddressOfPathEndsInNul) {
  const SocketAddress out = MustParse("unix:///ab").ToSocketAddress();
  EXPECT_EQ(out.family(), AF_UNIX);
  EXPECT_EQ(Bytes(out), UnixBytes({"/ab\0", 4}));
  EXPECT_EQ(Bytes(MustParse("hvsock:///ab:7").ToSocketAddress()), Bytes(out));
}

TEST(AddressTest, SocketAddressOfAbstractNameIsNotPadded) {
  const SocketAddress out = MustParse("unix-abstract:ab").ToSocketAddress();
  EXPECT_EQ(Bytes(out), UnixBytes({"\0ab", 3}));
}

TEST(AddressTest, SocketAddressOfLongestNameFits) {
  const std::string name(106, 'x');
  EXPECT_EQ(Bytes(MustParse("unix:///" + name).ToSocketAddress()),
            UnixBytes("/" + name + std::string(1, '\0')));
  EXPECT_EQ(Bytes(MustParse("unix-abstract:/" + name).ToSocketAddress()),
            UnixBytes(std::string(1, '\0') + "/" + name));
}

TEST(AddressTest, SocketAddressOfVsock) {
  const SocketAddress out = MustParse("vsock:3:1024").ToSocketAddress();
  EXPECT_EQ(out.family(), AF_VSOCK);
  sockaddr_vm expected = {};
  expected.svm_family = AF_VSOCK;
  expected.svm_cid = 3;
  expected.svm_port = 1024;
  EXPECT_EQ(Bytes(out), std::string(reinterpret_cast<const char*>(&expected), sizeof expected));
}

}  // namespace
}  // namespace ttrpc
