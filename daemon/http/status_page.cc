// SPDX-License-Identifier: Apache-2.0
#include "http/status_page.h"

namespace proxyd {

std::string_view StatusPage() {
  static constexpr std::string_view kPage =
#include "http/status_page.inc"
      ;
  return kPage;
}

}  // namespace proxyd
