// SPDX-License-Identifier: Apache-2.0
#include "status_report.h"

#include <vector>

#include "text/escape.h"

namespace ttrpc::tool {

using text::JsonQuoted;
using text::Printable;

namespace {

std::vector<std::string> Details(const Status& status, JsonCodec* codec) {
  std::vector<std::string> lines;
  for (const StatusDetail& detail : status.details()) {
    google::protobuf::Any any;
    any.set_type_url(detail.type_url);
    any.set_value(detail.value);
    lines.push_back(codec->AnyToJson(any));
  }
  return lines;
}

std::string NameOf(StatusCode code) {
  const std::string name(StatusCodeName(code));
  return name == "UNRECOGNIZED" ? "CODE_" + std::to_string(static_cast<int32_t>(code)) : name;
}

}  // namespace

int ExitStatus(StatusCode code) {
  if (code == StatusCode::kOk) return 0;
  const bool known = code > StatusCode::kOk && code <= StatusCode::kUnauthenticated;
  return kExitOfStatus + static_cast<int>(known ? code : StatusCode::kUnknown);
}

std::string StatusAsText(const Status& status, JsonCodec* codec) {
  std::string text = NameOf(status.code()) + ": " + Printable(status.message()) + "\n";
  for (const std::string& detail : Details(status, codec)) text += "  " + detail + "\n";
  return text;
}

std::string StatusAsJson(const Status& status, JsonCodec* codec) {
  std::string json = "{\n \"code\": " + std::to_string(static_cast<int32_t>(status.code()));
  json += ",\n \"status\": " + JsonQuoted(NameOf(status.code()));
  json += ",\n \"message\": " + JsonQuoted(status.message());
  std::string details;
  for (const std::string& detail : Details(status, codec)) {
    details += (details.empty() ? "\n  " : ",\n  ") + detail;
  }
  if (!details.empty()) json += ",\n \"details\": [" + details + "\n ]";
  return json + "\n}\n";
}

}  // namespace ttrpc::tool
