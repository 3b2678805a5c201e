// SPDX-License-Identifier: Apache-2.0
//
// HttpRequest: the head of a request for what is shown over HTTP, and whether it is answered. Pure;
// any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace proxyd {

// Views into the head.
struct HttpRequest {
  std::string_view method;
  std::string_view path;  // without its query
};

// Which hosts a request may name. Over TCP only a loopback name will do: a page from elsewhere in a
// browser of this machine can have its own name lead here, and would be given what it asks for (DNS
// rebinding). No browser connects to a Unix socket, and a proxy in front of one passes on any name.
enum class HostCheck { kLoopback, kAny };

// The status that answers a request: 200, or an error with its reason in words. The text is static.
struct HttpVerdict {
  int status = 200;
  std::string_view why;
};

// Where the empty line is in front of which the head ends; npos: it has not come.
size_t EndOfHead(std::string_view text);

// 200: a GET or HEAD of HTTP/1.0 or 1.1 that is meant for us. Else the status that answers it, with
// the method in `request` if there is one: 400, not a request, without a Host in HTTP/1.1 or with
// several; 405, another method; 421, for another host.
HttpVerdict ParseHttpRequest(std::string_view head, HostCheck hosts, HttpRequest* request);

}  // namespace proxyd
