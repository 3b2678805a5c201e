// SPDX-License-Identifier: Apache-2.0
//
// CallContext: a call's own copy of its caller's Context. Interceptors receive the copy, because
// the caller's context may be destroyed before the call has ended. Use it on the loop's thread.
#pragma once

#include <optional>

#include "ttrpc/context.h"
#include "ttrpc/io_loop.h"

namespace ttrpc {

class CallContext {
 public:
  // Either of `caller` and this object may be destroyed first. `loop` must outlive both.
  CallContext(Context& caller, IoLoop& loop);
  CallContext(const CallContext&) = delete;
  CallContext& operator=(const CallContext&) = delete;

  // Returns the copy. It is cancelled when the caller's context is, but not the other way round.
  Context& context() { return context_; }
  // Returns false once the caller's context is cancelled or destroyed.
  bool follows_caller() const { return caller_cancelled_ && caller_cancelled_->linked(); }

 private:
  Context context_;
  std::optional<CancelHook> caller_cancelled_;
};

}  // namespace ttrpc
