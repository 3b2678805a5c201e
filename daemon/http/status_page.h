// SPDX-License-Identifier: Apache-2.0
//
// StatusPage: the page that shows status.json to people: built of status_page.* and
// status_plots.js.
#pragma once

#include <string_view>

namespace proxyd {

// Lives for ever.
std::string_view StatusPage();

}  // namespace proxyd
