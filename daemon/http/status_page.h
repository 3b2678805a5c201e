// SPDX-License-Identifier: Apache-2.0
//
// The status page: a page for people, which the browser fills with status.json each few seconds. On
// the loop's thread.
#pragma once

#include <memory>
#include <string_view>

#include "observe/sliced_text.h"
#include "proxy/daemon_info.h"

namespace proxyd {

// Returns the page, built from status_page.{html,css,js} and status_plots.js. The view stays valid
// for the process's life.
std::string_view StatusPage();

// status.json: one object. Times are milliseconds since 1970, sums of spans are seconds. `info`
// must outlive the text; a reload may come between slices.
std::unique_ptr<SlicedText> StatusJson(const DaemonInfo& info);

}  // namespace proxyd
