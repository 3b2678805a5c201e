// SPDX-License-Identifier: Apache-2.0
#include "method_name.h"

#include "text/escape.h"

namespace ttrpc::tool {

using text::QuoteShort;

Result<MethodName> ParseMethodName(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with('/')) rest.remove_prefix(1);
  size_t end = rest.find('/');
  if (end == std::string_view::npos && rest.size() == text.size()) end = rest.rfind('.');
  if (end == std::string_view::npos || end == 0 || end + 1 == rest.size() ||
      rest.find('/', end + 1) != std::string_view::npos) {
    return Status(StatusCode::kInvalidArgument,
                  QuoteShort(text) + " is not a method; use package.Service/Method");
  }
  return MethodName{.service = std::string(rest.substr(0, end)),
                    .method = std::string(rest.substr(end + 1))};
}

}  // namespace ttrpc::tool
