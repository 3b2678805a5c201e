// SPDX-License-Identifier: Apache-2.0
//
// HttpRequest: parses the head of an HTTP request and decides whether it is answered. The functions
// are pure; any thread may call them.
#pragma once

#include <cstddef>
#include <string_view>

namespace proxyd {

// The views are into the head that was parsed.
struct HttpRequest {
  std::string_view method;
  std::string_view path;  // without the query
};

// The Host headers that are accepted. TCP requires a loopback name, against DNS rebinding: a web
// page can make its own host name resolve to 127.0.0.1 and then read our replies. Browsers do not
// connect to Unix sockets, and a proxy in front of one may pass on any name.
enum class HostCheck { kLoopback, kAny };

// The status of the reply: 200, or an error and its reason. The text is static.
struct HttpVerdict {
  int status = 200;
  std::string_view why;
};

// Returns the position of the line break before the empty line that ends the head, or npos if the
// head is not complete.
size_t EndOfHead(std::string_view text);

// Returns 200 for a GET or HEAD of HTTP/1.0 or 1.1 with an accepted Host. Otherwise returns
//  - 400 for a malformed request, for HTTP/1.1 without a Host, and for several Host headers;
//  - 405 for another method, which is then in `request`;
//  - 421 for a host that `hosts` does not accept.
HttpVerdict ParseHttpRequest(std::string_view head, HostCheck hosts, HttpRequest* request);

}  // namespace proxyd
