// SPDX-License-Identifier: Apache-2.0
//
// StreamInbox: the messages of a stream that were received and not yet taken, and how receiving
// ended. ReadGate: decides whether a connection is read. A stream that nobody reads delays the
// others on its connection for at most two seconds, then it fails. Use them on the loop's thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "message_queue.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/timer.h"
#include "ttrpc/wire/connection.h"

namespace ttrpc {

class StreamInbox;

class ReadGate {
 public:
  // `connection` is not used before Hold(). It and `loop` must outlive the gate. A stream may
  // buffer `stream_buffer` bytes before the connection waits for it.
  ReadGate(IoLoop& loop, Connection& connection, size_t stream_buffer);
  ReadGate(const ReadGate&) = delete;
  ReadGate& operator=(const ReadGate&) = delete;

  // Stops and resumes reading. The connection is read while there are no holds. Streams hold the
  // gate by themselves; these functions are for other reasons.
  void Hold();
  void Release();

 private:
  friend class StreamInbox;

  void Look();
  void Keep(size_t bytes) { kept_ += bytes; }
  // Frees buffer space, and releases streams that only waited because all streams together had too
  // much.
  void Give(size_t bytes);
  bool overfull() const { return kept_ > kStreamBuffers * stream_buffer_; }

  // All streams of a connection together may buffer this many times stream_buffer_.
  static constexpr size_t kStreamBuffers = 4;

  Connection& connection_;
  const size_t stream_buffer_;
  size_t kept_ = 0;  // by all streams that have not ended
  size_t holders_ = 0;
  RingNode overfull_;  // StreamInboxes
  Timer timer_;
};

class StreamInbox : private RingNode {
 public:
  // The owner ends a stream that was full for too long, and calls End() with the status. It must
  // not destroy the inbox in this call.
  class Owner {
   public:
    virtual void OnStreamBufferFull() = 0;

   protected:
    ~Owner() = default;
  };

  // `owner` must outlive the inbox, and the inbox must outlive a coroutine that waits in Next().
  StreamInbox(IoLoop& loop, Owner& owner);
  ~StreamInbox();

  // Call this before the first message. `gate` must be valid until End() or the destructor.
  void Attach(ReadGate& gate) { gate_ = &gate; }
  void Push(std::string message);
  // Ends receiving; OK means that the other side has closed. Only the first status counts. Messages
  // that were received before can still be taken.
  void End(Status status);

  bool ended() const { return ended_; }
  bool empty() const { return messages_.empty(); }
  // Returns how receiving ended, or OK if it has not.
  const Status& status() const { return status_; }

  // `co_await inbox.Next()` returns the next message, or none at the end. One waiter at a time.
  auto Next() {
    class Awaiter {
     public:
      explicit Awaiter(StreamInbox& inbox) : inbox_(inbox) {}
      ~Awaiter() { inbox_.waiter_.Cancel(); }
      bool await_ready() const noexcept { return !inbox_.empty() || inbox_.ended(); }
      void await_suspend(std::coroutine_handle<> waiting) { inbox_.waiter_.Wait(waiting); }
      std::optional<std::string> await_resume() { return inbox_.Take(); }

     private:
      StreamInbox& inbox_;
    };
    return Awaiter(*this);
  }

 private:
  friend class ReadGate;

  std::optional<std::string> Take();
  bool Overfull() const;
  void LeaveGate();

  ReadGate* gate_ = nullptr;
  Owner& owner_;
  MessageQueue messages_;
  size_t bytes_ = 0;  // including the overhead of each message
  Status status_;
  bool ended_ = false;
  bool holds_ = false;  // holds the gate
  bool taken_ = false;  // a message was taken since the gate's last check, if any
  Waiter waiter_;
};

}  // namespace ttrpc
