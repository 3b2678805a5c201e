// SPDX-License-Identifier: Apache-2.0
//
// Context: what belongs to a call beside its messages: deadline, metadata, cancellation, and, on
// the server's side, who calls. A client makes one and passes it to the calls that it is to hold
// for; a server's handler is given the call's, and may pass it on to the calls that it makes
// itself: they then carry the same metadata, end at the same deadline and are cancelled with it.
// On the loop's thread.
//
// A context may be destroyed before the calls that it was passed to, whatever the options of their
// client: they go on, with their metadata and deadlines, and can no longer be cancelled. A
// handler's context belongs to its server and is valid until the handler's task has ended.
#pragma once

#include <chrono>
#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "ttrpc/io_loop.h"
#include "ttrpc/metadata.h"
#include "ttrpc/status.h"

namespace ttrpc {

class CallContext;  // private
class CancelHook;
class CancelledAwaiter;
class HandshakeSession;
struct HandshakenPeer;
struct UnixCredentials;

class Context {
 public:
  using Clock = std::chrono::steady_clock;

  Context() = default;
  // Calls under way go on.
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Client: sent with each call that is made from now on. Server: the client's, as it was on the
  // wire. The reference is valid as long as the context.
  Metadata& metadata() { return metadata_; }
  const Metadata& metadata() const { return metadata_; }

  // The deadline of each call that is made from now on; calls under way keep theirs. None: a call
  // may take any time. A call whose deadline has passed is not sent. Server: the client's.
  void set_deadline(std::optional<Clock::time_point> deadline) { deadline_ = deadline; }
  // The same, from now on; a time beyond the clock's end is its end.
  void set_timeout(std::chrono::nanoseconds timeout);
  std::optional<Clock::time_point> deadline() const { return deadline_; }

  // Ends all calls under way that were given this context with CANCELLED `context canceled`. The
  // server is not told: ttrpc has no message for it. Calls made from now on fail in the same way.
  void Cancel() { Cancel({StatusCode::kCancelled, "context canceled"}); }
  // The same, with a reason. Has no effect if the reason is OK, or the second time.
  void Cancel(Status reason);

  // OK, or why it was cancelled. Valid as long as the context. In a handler: CANCELLED `context
  // canceled` once its peer is gone, DEADLINE_EXCEEDED `context deadline exceeded` once the
  // client's deadline has passed. A handler that goes on regardless does no harm; what it returns
  // is sent if the peer is still there.
  const Status& status() const { return status_; }
  // status() is not OK.
  bool cancelled() const { return !status_.ok(); }

  // co_await context.Cancelled() waits until the context is cancelled. The loop resumes the
  // coroutine; if no call was ever made with this context, Cancel() does. If the context is
  // destroyed first, the coroutine is not resumed. The loop must outlive the wait.
  CancelledAwaiter Cancelled();

  // Server: who calls, as the server's handshaker found out. Null if it has none, or does not read
  // credentials, and on the client's side. Valid as long as the context.
  const UnixCredentials* credentials() const;
  // Server: what else the handshaker keeps for the connection; null if nothing. Valid as long as
  // the context.
  const HandshakeSession* session() const;

 private:
  friend class CallContext;
  friend class CancelHook;
  friend class CancelledAwaiter;
  friend class ClientCall;
  friend class ServerConnection;

  Metadata metadata_;
  std::optional<Clock::time_point> deadline_;
  Status status_;
  CancelHook* hooks_ = nullptr;
  IoLoop* loop_ = nullptr;  // of the calls that it holds for
  // A handler may outlive its connection.
  std::shared_ptr<const HandshakenPeer> peer_;
};

// Calls back, once, when a context is cancelled. Either of the two may be destroyed first; nothing
// is called then.
class CancelHook {
 public:
  // Cancel() calls `callback`, which the hook owns, and which may destroy the hook and the context.
  // It is not called if the context is cancelled already: look at status() first.
  CancelHook(Context& context, std::function<void(const Status& reason)> callback);
  ~CancelHook() { Unlink(); }
  CancelHook(const CancelHook&) = delete;
  CancelHook& operator=(const CancelHook&) = delete;

 private:
  friend class CallContext;
  friend class Context;
  void Unlink();
  // False once the context is cancelled or gone: the callback will not be called any more.
  bool linked() const { return context_ != nullptr; }

  Context* context_;
  std::function<void(const Status& reason)> callback_;
  CancelHook* next_;
  CancelHook** link_;  // what points at this
};

// The result of Context::Cancelled(), to be awaited at once.
class CancelledAwaiter {
 public:
  explicit CancelledAwaiter(Context& context) : context_(context) {}
  CancelledAwaiter(const CancelledAwaiter&) = delete;
  CancelledAwaiter& operator=(const CancelledAwaiter&) = delete;

  bool await_ready() const noexcept { return context_.cancelled(); }
  void await_suspend(std::coroutine_handle<> waiting);
  void await_resume() const noexcept {}

 private:
  Context& context_;
  std::optional<Waiter> waiter_;
  std::optional<CancelHook> hook_;
};

inline CancelledAwaiter Context::Cancelled() { return CancelledAwaiter(*this); }

}  // namespace ttrpc
