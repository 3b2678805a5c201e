// SPDX-License-Identifier: Apache-2.0
#include "config/socket_template.h"

namespace proxyd {

std::string FrontBaseOf(const SocketTemplate& front) {
  // The loader accepts no other braces.
  const size_t placeholder = front.path.find('{');
  return front.path.substr(0, front.path.rfind('/', placeholder));
}

std::string PathOf(const SocketTemplate& front, std::string_view name_space, std::string_view id) {
  std::string path;
  std::string_view rest = front.path;
  while (!rest.empty()) {
    const size_t start = rest.find('{');
    path.append(rest.substr(0, start));
    if (start == rest.npos) break;
    rest.remove_prefix(start);
    const size_t end = rest.find('}');
    path.append(rest.starts_with(kNamespacePlaceholder) ? name_space : id);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  }
  return path;
}

}  // namespace proxyd
