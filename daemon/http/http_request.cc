// SPDX-License-Identifier: Apache-2.0
#include "http/http_request.h"

#include "ttrpc/metadata.h"

namespace proxyd {

namespace {

constexpr std::string_view kVersion10 = "HTTP/1.0";
constexpr std::string_view kVersion11 = "HTTP/1.1";

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// Removes the first line from `text` and returns it without its line break.
std::string_view TakeLine(std::string_view* text) {
  const size_t end = text->find('\n');
  std::string_view line = text->substr(0, end);
  text->remove_prefix(end == text->npos ? text->size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

// Accepts addresses in 127.0.0.0/8, [::1], and localhost, with or without a port. An empty host
// names no other site and is accepted as well.
bool IsLoopback(std::string_view host) {
  const size_t colon = host.rfind(':');
  if (colon != host.npos && host.find(']', colon) == host.npos) host = host.substr(0, colon);
  return host.empty() || ttrpc::EqualsIgnoringCase(host, "localhost") || host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos);
}

constexpr HttpVerdict kNoRequest = {400, "not an HTTP/1.0 or HTTP/1.1 request"};
constexpr HttpVerdict kWrongHost = {
    421,
    "over TCP the Host must be localhost or a loopback address; for other names serve [metrics] on "
    "a Unix socket"};

// Checks the header lines in `head`, which follow the request line.
HttpVerdict CheckHeaders(std::string_view version, std::string_view head, HostCheck check) {
  int hosts = 0;
  while (!head.empty()) {
    const std::string_view header = TakeLine(&head);
    const size_t colon = header.find(':');
    if (colon == header.npos) return {400, "a header has no colon"};
    if (!ttrpc::EqualsIgnoringCase(header.substr(0, colon), "host")) continue;
    if (++hosts > 1) return {400, "more than one Host header"};
    if (check == HostCheck::kLoopback && !IsLoopback(Trim(header.substr(colon + 1))))
      return kWrongHost;
  }
  // Every browser sends a Host. Without it a foreign page could not be recognised.
  if (hosts == 0 && version == kVersion11) return {400, "no Host header"};
  return {};
}

}  // namespace

size_t EndOfHead(std::string_view text) {
  for (size_t end = text.find('\n'); end != text.npos; end = text.find('\n', end + 1)) {
    const std::string_view rest = text.substr(end + 1);
    if (rest.starts_with('\n') || rest.starts_with("\r\n")) return end;
  }
  return text.npos;
}

HttpVerdict ParseHttpRequest(std::string_view head, HostCheck hosts, HttpRequest* request) {
  const std::string_view line = TakeLine(&head);
  const size_t method_end = line.find(' ');
  const size_t path_end = line.rfind(' ');
  if (method_end == line.npos || method_end == path_end) return kNoRequest;
  const std::string_view version = line.substr(path_end + 1);
  if (version != kVersion10 && version != kVersion11) return kNoRequest;
  request->method = line.substr(0, method_end);
  if (request->method != "GET" && request->method != "HEAD") return {405, {}};
  if (const HttpVerdict verdict = CheckHeaders(version, head, hosts); verdict.status != 200)
    return verdict;
  const std::string_view target = line.substr(method_end + 1, path_end - method_end - 1);
  request->path = target.substr(0, target.find('?'));
  return {};
}

}  // namespace proxyd
