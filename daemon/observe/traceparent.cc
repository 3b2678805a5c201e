// SPDX-License-Identifier: Apache-2.0
#include "observe/traceparent.h"

#include <algorithm>

namespace proxyd {
namespace {

constexpr std::string_view kForm = "00-00000000000000000000000000000000-0000000000000000-00";

bool IsLowerHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool IsZero(std::string_view id) { return id.find_first_not_of('0') == id.npos; }

}  // namespace

std::string_view WellFormedTraceparent(std::string_view value) {
  if (value.size() < kForm.size()) return {};
  const std::string_view fields = value.substr(0, kForm.size());
  const bool formed =
      std::equal(fields.begin(), fields.end(), kForm.begin(),
                 [](char c, char form) { return form == '-' ? c == '-' : IsLowerHex(c); });
  if (!formed || IsZero(fields.substr(3, 32)) || IsZero(fields.substr(36, 16))) return {};
  const std::string_view version = fields.substr(0, 2);
  if (version == "ff") return {};
  // Version 00 ends here. What later versions add begins with a dash.
  if (value.size() > fields.size() && (version == "00" || value[fields.size()] != '-')) return {};
  return fields;
}

}  // namespace proxyd
