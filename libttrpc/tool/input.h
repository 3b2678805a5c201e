// SPDX-License-Identifier: Apache-2.0
//
// Where requests are read from. Reading never holds up the loop: whoever types may take a while,
// and replies are printed meanwhile. On the loop's thread.
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

  // The next bytes as they come; empty: that was all. The input must outlive the task.
  virtual Task<Result<std::string>> Read() = 0;
};

// What -d was given: the text itself, the file of `@FILE`, or standard input: `-`, or `@`, `@-` as
// other tools have it. `loop` must outlive it.
Result<std::unique_ptr<Input>> OpenInput(EventLoop& loop, const std::string& data);

}  // namespace ttrpc::tool
