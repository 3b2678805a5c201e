// SPDX-License-Identifier: Apache-2.0
#include "http/http_request.h"

#include <gtest/gtest.h>

#include <string>

namespace proxyd {
namespace {

HttpVerdict Ask(const std::string& host, HostCheck hosts) {
  HttpRequest request;
  return ParseHttpRequest("GET /metrics HTTP/1.1\r\nHost: " + host + "\r", hosts, &request);
}

// A gate against DNS rebinding: a foreign host name can resolve to a loopback address.
TEST(HttpRequestTest, OverTcpOnlyLoopbackHostsAreAccepted) {
  for (const char* host : {"localhost", "127.0.0.1:9464", "[::1]:1", ""})
    EXPECT_EQ(Ask(host, HostCheck::kLoopback).status, 200) << host;
  for (const char* host : {"node1", "evil.example:9464", "10.0.0.1", "127.0.0.1.evil.example"}) {
    const HttpVerdict verdict = Ask(host, HostCheck::kLoopback);
    EXPECT_EQ(verdict.status, 421) << host;
    EXPECT_NE(verdict.why.find("Unix socket"), std::string_view::npos) << "how to fix it";
  }
}

TEST(HttpRequestTest, OnAUnixSocketAnyHostIsAccepted) {
  for (const char* host : {"node1", "metrics.example:443", "unix", "%2Frun%2Fm.sock", "localhost"})
    EXPECT_EQ(Ask(host, HostCheck::kAny).status, 200) << host;
}

TEST(HttpRequestTest, ErrorsSayWhatIsWrong) {
  HttpRequest request;
  const auto why = [&request](const std::string& head) {
    const HttpVerdict verdict = ParseHttpRequest(head, HostCheck::kAny, &request);
    EXPECT_EQ(verdict.status, 400) << head;
    return std::string(verdict.why);
  };
  EXPECT_EQ(why("nonsense"), "not an HTTP/1.0 or HTTP/1.1 request");
  EXPECT_EQ(why("GET / HTTP/1.1\r"), "no Host header");
  EXPECT_EQ(why("GET / HTTP/1.1\nHost: a\nHost: a"), "more than one Host header");
  EXPECT_EQ(why("GET / HTTP/1.1\nHost: a\nno header"), "a header has no colon");
}

}  // namespace
}  // namespace proxyd
