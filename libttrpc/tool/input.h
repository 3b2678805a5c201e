// SPDX-License-Identifier: Apache-2.0
//
// The source of requests. Reading never blocks the loop: input from a terminal may take a while,
// and replies are printed meanwhile. Use it on the loop's thread.
#pragma once

#include <memory>
#include <string>

#include "ttrpc/event_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/task.h"

namespace ttrpc::tool {

class Input {
 public:
  virtual ~Input() = default;

  // Waits for the next bytes. Returns an empty string at the end. The input must outlive the task.
  virtual Task<Result<std::string>> Read() = 0;
};

// Whether -d names standard input.
bool IsStandardInput(const std::string& data);

// Opens what -d names: the text itself, a file for `@FILE`, or standard input for `-`, `@` or `@-`.
// `loop` must outlive the input.
Result<std::unique_ptr<Input>> OpenInput(EventLoop& loop, const std::string& data);

}  // namespace ttrpc::tool
