// SPDX-License-Identifier: Apache-2.0
//
// Context: what belongs to a call beside its messages: deadline, metadata, cancellation, and, on
// the server's side, who calls. A client makes one and passes it to the calls that it is to hold
// for; a server's handler is given the call's, and may pass it on to the calls that it makes
// itself: they then carry the same metadata, end at the same deadline and are cancelled with it.
// On the loop's thread.
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

class CancelHook;
class CancelledAwaiter;
class HandshakeSession;
struct HandshakenPeer;
struct UnixCredentials;

class Context {
 public:
  using Clock = std::chrono::steady_clock;

  Context() = default;
  // Calls under way go on without it, their deadlines included; they can no longer be cancelled.
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Client: sent with each call that is made from now on. Server: what the client sent, as it stood
  // on the wire.
  Metadata& metadata() { return metadata_; }
  const Metadata& metadata() const { return metadata_; }

  // Until when a call that is made from now on may take; none: as long as it likes. A call whose
  // deadline has passed is not sent. Server: the client's.
  void set_deadline(std::optional<Clock::time_point> deadline) { deadline_ = deadline; }
  void set_timeout(std::chrono::nanoseconds timeout);
  std::optional<Clock::time_point> deadline() const { return deadline_; }

  // Ends all calls under way that were given this context with CANCELLED `context canceled`. The
  // server is not told: ttrpc has no message for it. Calls made from now on fail in the same way.
  void Cancel() { Cancel({StatusCode::kCancelled, "context canceled"}); }
  // The same, with a reason.
  void Cancel(Status reason);

  // OK, or why it was cancelled. In a handler: CANCELLED `context canceled` once its peer is gone,
  // DEADLINE_EXCEEDED `context deadline exceeded` once the client's deadline has passed. A handler
  // that goes on regardless does no harm; what it returns is sent if there still is somebody to
  // send it to.
  const Status& status() const { return status_; }
  bool cancelled() const { return !status_.ok(); }

  // co_await context.Cancelled(): waits until it is cancelled, and goes on when the loop resumes
  // it; if no call was ever made with this context, from within Cancel().
  CancelledAwaiter Cancelled();

  // Server: who calls, as the server's handshaker found out; null if it has none, and on the
  // client's side. Valid as long as the context.
  const UnixCredentials* credentials() const;
  // Server: what the handshaker made of the connection beside that; null if nothing.
  const HandshakeSession* session() const;

 private:
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

// Calls back, once, when a context is cancelled. Either of the two may be destroyed first.
class CancelHook {
 public:
  // `callback` may destroy the hook. If the context is cancelled already, it is not called: look at
  // status() first.
  CancelHook(Context& context, std::function<void(const Status& reason)> callback);
  ~CancelHook() { Unlink(); }
  CancelHook(const CancelHook&) = delete;
  CancelHook& operator=(const CancelHook&) = delete;

 private:
  friend class Context;
  void Unlink();

  Context* context_;
  std::function<void(const Status& reason)> callback_;
  CancelHook* next_;
  CancelHook** link_;  // what points at this
};

// co_await of Context::Cancelled().
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
