// SPDX-License-Identifier: Apache-2.0
//
// CallContext: a call's own copy of its caller's Context. Interceptors are given the copy, since
// the caller's may be destroyed before the call has ended. On the loop's thread.
#pragma once

#include <optional>

#include "ttrpc/context.h"
#include "ttrpc/io_loop.h"

namespace ttrpc {

class CallContext {
 public:
  // Either of `caller` and this may be destroyed first. `loop` must outlive both.
  CallContext(Context& caller, IoLoop& loop);
  CallContext(const CallContext&) = delete;
  CallContext& operator=(const CallContext&) = delete;

  // Cancelled with the caller's; the caller's is not cancelled with it.
  Context& context() { return context_; }
  // False once the caller's context is cancelled or gone.
  bool follows_caller() const { return caller_cancelled_ && caller_cancelled_->linked(); }

 private:
  Context context_;
  std::optional<CancelHook> caller_cancelled_;
};

}  // namespace ttrpc
