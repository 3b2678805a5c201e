// SPDX-License-Identifier: Apache-2.0
//
// Context: what accompanies a call in addition to its messages: deadline, metadata, cancellation
// and, on the server, the identity of the caller. Use it on the loop's thread.
//
// A client creates a Context and passes it to any number of calls. A server's handler receives the
// context of its call and may pass it on to calls that it makes itself. Those calls then carry the
// same metadata, end at the same deadline and are cancelled with it.
//
// A context may be destroyed before the calls that it was passed to. The calls continue with their
// metadata and deadlines, and can no longer be cancelled. A handler's context belongs to the server
// and is valid until the handler's task has ended.
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
  // Calls in flight continue.
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // On a client, this is the metadata of each call made from now on. On a server, it is the
  // metadata that the client sent, with keys as they were on the wire. The reference is valid as
  // long as the context is.
  Metadata& metadata() { return metadata_; }
  const Metadata& metadata() const { return metadata_; }

  // On a client, this is the deadline of each call made from now on; calls in flight keep theirs.
  // Without a deadline, a call may take any time. A call whose deadline has passed is not sent. On
  // a server, it is the client's deadline.
  void set_deadline(std::optional<Clock::time_point> deadline) { deadline_ = deadline; }
  // Sets the deadline to now + `timeout`, or to the last time that the clock can represent.
  void set_timeout(std::chrono::nanoseconds timeout);
  std::optional<Clock::time_point> deadline() const { return deadline_; }

  // Ends all calls in flight that use this context with CANCELLED `context canceled`. Calls made
  // from now on fail in the same way. The server does not learn of it, because ttrpc has no message
  // to cancel a call.
  void Cancel() { Cancel({StatusCode::kCancelled, "context canceled"}); }
  // Like the above, with another status. Has no effect if `reason` is OK or the context is already
  // cancelled.
  void Cancel(Status reason);

  // Returns OK, or the reason of the cancellation. The reference is valid as long as the context
  // is. In a handler this is CANCELLED `context canceled` once the client has disconnected, and
  // DEADLINE_EXCEEDED `context deadline exceeded` once the client's deadline has passed. A handler
  // may continue anyway: its result is sent if the client is still connected.
  const Status& status() const { return status_; }
  // Returns true if status() is not OK.
  bool cancelled() const { return !status_.ok(); }

  // `co_await context.Cancelled()` waits until the context is cancelled. The loop resumes the
  // coroutine, except that Cancel() resumes it directly if the context was never used for a call.
  // If the context is destroyed first, the coroutine is never resumed. The loop must outlive the
  // wait.
  CancelledAwaiter Cancelled();

  // On a server, this returns the credentials that the server's handshaker read, or null if there
  // is no handshaker or it does not read credentials. It always returns null on a client. The
  // pointer is valid as long as the context is.
  const UnixCredentials* credentials() const;
  // On a server, this returns the session that the handshaker keeps for the connection, or null.
  // The pointer is valid as long as the context is.
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
  IoLoop* loop_ = nullptr;  // the loop of the calls that use it
  // Shared, because a handler may outlive its connection.
  std::shared_ptr<const HandshakenPeer> peer_;
};

// A CancelHook calls back once, when its context is cancelled. Either of the two may be destroyed
// first; then the hook never calls back.
class CancelHook {
 public:
  // Cancel() calls `callback`, which the hook owns. The callback may destroy the hook and the
  // context. It is not called if the context is already cancelled, so check status() first.
  CancelHook(Context& context, std::function<void(const Status& reason)> callback);
  ~CancelHook() { Unlink(); }
  CancelHook(const CancelHook&) = delete;
  CancelHook& operator=(const CancelHook&) = delete;

 private:
  friend class CallContext;
  friend class Context;
  void Unlink();
  // Returns false once the context is cancelled or destroyed: the callback is never called then.
  bool linked() const { return context_ != nullptr; }

  Context* context_;
  std::function<void(const Status& reason)> callback_;
  CancelHook* next_;
  CancelHook** link_;  // the pointer that points at this
};

// The result of Context::Cancelled(). Await it at once.
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
