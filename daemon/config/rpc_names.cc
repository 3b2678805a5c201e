// SPDX-License-Identifier: Apache-2.0
#include "config/rpc_names.h"

#include <string>

#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

// Splits /SERVICE/METHOD at its second slash, and returns nothing for any other form. The parts may
// be empty, and may have any bytes.
std::optional<MethodName> Split(std::string_view text) {
  if (!text.starts_with('/')) return std::nullopt;
  const size_t slash = text.find('/', 1);
  if (slash == text.npos) return std::nullopt;
  return MethodName{.service = text.substr(1, slash - 1), .method = text.substr(slash + 1)};
}

}  // namespace

ttrpc::Result<MethodName> ParseMethodName(std::string_view text) {
  const auto name = Split(text);
  if (name && IsServiceName(name->service) && IsMethodName(name->method)) return *name;
  return ttrpc::Status(ttrpc::StatusCode::kInvalidArgument,
                       QuoteShort(text) +
                           " is not a valid method; use /SERVICE/METHOD with letters, digits and "
                           "_, and dots in SERVICE, at most 256 each");
}

std::optional<MethodPattern> ParseMethodPattern(std::string_view text) {
  const auto name = Split(text);
  if (!name || !IsNameOf(kServicePatternBytes, name->service) ||
      !IsNameOf(kMethodPatternBytes, name->method)) {
    return std::nullopt;
  }
  return MethodPattern{.service = std::string(name->service), .method = std::string(name->method)};
}

}  // namespace proxyd
