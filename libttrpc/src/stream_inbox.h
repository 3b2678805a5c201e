// SPDX-License-Identifier: Apache-2.0
//
// StreamInbox: what was received of one stream and not yet taken, and how receiving ended.
// ReadGate: whether a connection is read. A stream that nobody reads holds up the others of its
// connection for two seconds at most, then it fails. On the loop's thread.
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
  // `connection` is not used before Hold(); both must outlive it. `stream_buffer`: bytes that a
  // stream may keep before the connection waits for it.
  ReadGate(IoLoop& loop, Connection& connection, size_t stream_buffer);
  ReadGate(const ReadGate&) = delete;
  ReadGate& operator=(const ReadGate&) = delete;

  // The connection is read while nobody holds it. For reasons other than streams, which hold it by
  // themselves.
  void Hold();
  void Release();

 private:
  friend class StreamInbox;

  void Look();
  void Keep(size_t bytes) { kept_ += bytes; }
  // Made room for all: those that were only too much together may be so no more.
  void Give(size_t bytes);
  bool overfull() const { return kept_ > kStreamBuffers * stream_buffer_; }

  // How many full streams' worth all streams of a connection may keep together.
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
  // What is to be done when it has been full for too long: its owner ends the stream, and calls
  // End() with the status. It must not destroy the inbox from there.
  class Owner {
   public:
    virtual void OnStreamBufferFull() = 0;

   protected:
    ~Owner() = default;
  };

  // `owner` must outlive it, and it must outlive the coroutine that waits in Next().
  StreamInbox(IoLoop& loop, Owner& owner);
  ~StreamInbox();

  // Before the first message. `gate` must stay there until End(), or until this is destroyed.
  void Attach(ReadGate& gate) { gate_ = &gate; }
  void Push(std::string message);
  // Nothing more will come: OK, the other side has closed. The first one counts. What was received
  // before can still be taken.
  void End(Status status);

  bool ended() const { return ended_; }
  bool empty() const { return messages_.empty(); }
  // How it ended; OK as long as it has not.
  const Status& status() const { return status_; }

  // co_await inbox.Next(): the next message, or none at the end. One at a time.
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
  size_t bytes_ = 0;  // with what it costs to keep them
  Status status_;
  bool ended_ = false;
  bool holds_ = false;  // the gate
  bool taken_ = false;  // something, since the gate looked last; or it has not looked
  Waiter waiter_;
};

}  // namespace ttrpc
