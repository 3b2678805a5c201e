// SPDX-License-Identifier: Apache-2.0
//
// The status page: an HTML page that fetches status.json every second and shows it. These functions
// run on the loop's thread.
#pragma once

#include <memory>
#include <string_view>

#include "observe/sliced_text.h"
#include "proxy/daemon_info.h"

namespace proxyd {

// Returns the page, built from status_page.{html,css,js} and status_plots.js. The view is valid for
// the lifetime of the process.
std::string_view StatusPage();

// Returns status.json, one object. Times are milliseconds since 1970, durations are seconds. `info`
// must outlive the text. Reloads may happen between slices.
std::unique_ptr<SlicedText> StatusJson(const DaemonInfo& info);

}  // namespace proxyd
