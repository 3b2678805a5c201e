// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/context.h"

#include <utility>

#include "call_context.h"
#include "ttrpc/handshaker.h"

namespace ttrpc {

const UnixCredentials* Context::credentials() const {
  return peer_ && peer_->credentials ? &*peer_->credentials : nullptr;
}

const HandshakeSession* Context::session() const {
  return peer_ && peer_->session ? peer_->session->shown() : nullptr;
}

void Context::set_timeout(std::chrono::nanoseconds timeout) {
  const Clock::time_point now = Clock::now();
  // A peer may choose the timeout, so the sum must not overflow.
  deadline_ = timeout < Clock::time_point::max() - now ? now + timeout : Clock::time_point::max();
}

Context::~Context() {
  while (hooks_ != nullptr) hooks_->Unlink();
}

// `reason` is passed by value, because it may be this context's own status, and a hook may destroy
// the context.
void Context::Cancel(Status reason) {
  if (cancelled() || reason.ok()) return;
  status_ = reason;
  // HAZARD: each callback may destroy any hook, including its own, and the context, since its
  // coroutine may own the call. The list therefore moves to the stack. Hooks made meanwhile are not
  // called.
  CancelHook* hooks = std::exchange(hooks_, nullptr);
  if (hooks != nullptr) hooks->link_ = &hooks;
  while (hooks != nullptr) {
    CancelHook* const hook = hooks;
    hook->Unlink();
    std::function<void(const Status& reason)> callback;
    callback.swap(hook->callback_);
    callback(reason);
  }
}

CancelHook::CancelHook(Context& context, std::function<void(const Status& reason)> callback)
    : context_(&context),
      callback_(std::move(callback)),
      next_(context.hooks_),
      link_(&context.hooks_) {
  if (next_ != nullptr) next_->link_ = &next_;
  context.hooks_ = this;
}

void CancelledAwaiter::await_suspend(std::coroutine_handle<> waiting) {
  if (context_.loop_ == nullptr) {
    hook_.emplace(context_, [waiting](const Status&) { waiting.resume(); });
    return;
  }
  waiter_.emplace(*context_.loop_);
  waiter_->Wait(waiting);
  hook_.emplace(context_, [this](const Status&) { waiter_->Wake(); });
}

CallContext::CallContext(Context& caller, IoLoop& loop) {
  caller.loop_ = &loop;
  context_.loop_ = &loop;
  context_.metadata_ = caller.metadata_;
  context_.deadline_ = caller.deadline_;
  context_.status_ = caller.status_;
  context_.peer_ = caller.peer_;
  if (caller.cancelled()) return;
  caller_cancelled_.emplace(caller, [this](const Status& reason) { context_.Cancel(reason); });
}

void CancelHook::Unlink() {
  if (context_ == nullptr) return;
  context_ = nullptr;
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
}

}  // namespace ttrpc
