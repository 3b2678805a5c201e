// SPDX-License-Identifier: Apache-2.0
//
// The head of an HTTP request: its end does not depend on what follows, and the answer is one of
// those that are permitted. The input is the received bytes.
#include <algorithm>
#include <string>

#include "fuzz.h"
#include "http/http_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = proxyd::EndOfHead(text);
  if (end == text.npos) {
    // No part of the text has an end of the head either.
    for (size_t cut = 0; cut < size; cut += 1 + size / 16)
      FUZZ_CHECK(proxyd::EndOfHead(text.substr(0, cut)) == text.npos);
    return 0;
  }
  FUZZ_CHECK(text[end] == '\n');
  FUZZ_CHECK(proxyd::EndOfHead(text.substr(0, end + 1)) == text.npos);
  FUZZ_CHECK(proxyd::EndOfHead(std::string(text.substr(0, end)) + "\r\n\r\nmore") <= end + 1);

  const std::string_view head = text.substr(0, end);
  proxyd::HttpRequest request;
  const int status = proxyd::ParseHttpRequest(head, proxyd::HostCheck::kLoopback, &request).status;
  FUZZ_CHECK(status == 200 || status == 400 || status == 405 || status == 421);
  // Without the check of the host, all other parts have the same result.
  proxyd::HttpRequest other;
  const int any = proxyd::ParseHttpRequest(head, proxyd::HostCheck::kAny, &other).status;
  FUZZ_CHECK(any == status || status == 421);
  FUZZ_CHECK(any != 421);
  if (status != 200) return 0;
  FUZZ_CHECK(request.method == "GET" || request.method == "HEAD");
  FUZZ_CHECK(request.path.find_first_of("?\n") == text.npos);
  const std::string_view line = head.substr(0, head.find('\n'));
  FUZZ_CHECK(line.starts_with(request.method));
  FUZZ_CHECK(request.path.empty() || line.find(request.path) != text.npos);
  // A request of HTTP/1.1 has one Host, which is the daemon's own.
  std::string lower(head);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const bool newest = line.ends_with("HTTP/1.1") || line.ends_with("HTTP/1.1\r");
  if (newest) FUZZ_CHECK(lower.find("\nhost:") != text.npos);
  return 0;
}
