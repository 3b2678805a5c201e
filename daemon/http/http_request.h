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

// Where the empty line is in front of which the head ends; npos: it has not come.
size_t EndOfHead(std::string_view text);

// 200: a GET or HEAD of HTTP/1.0 or 1.1 that is meant for us. Else the status that answers it, with
// the method in `request` if there is one: 400, not a request, without a Host in HTTP/1.1 or with
// several; 405, another method; 421, for another host.
int ParseHttpRequest(std::string_view head, HttpRequest* request);

}  // namespace proxyd
