// SPDX-License-Identifier: Apache-2.0
//
// Connection: exchanges messages over one connected stream socket, on a borrowed event loop. It
// handles framing and flow control and knows nothing about calls. Messages sent before there is a
// socket are queued. Call all functions on the loop's thread. None of them waits, and failures are
// reported by OnClosed() only.
//
// This header is for programs that read and write messages themselves, such as proxies. It may
// change in any release.
//
// Reading and writing never wait for each other. The sender has to bound the send queue: stop when
// send_queue_full() returns true and continue at OnSendQueueLow(). Messages sent in between are
// still queued.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "ttrpc/io_loop.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/codec.h"
#include "ttrpc/wire/message.h"

namespace ttrpc {

enum class CloseReason {
  kEndOfFile,      // the other side closed the connection
  kSystemError,    // receiving or sending failed
  kProtocolError,  // a header's reserved byte is not zero
  kFlushed,        // CloseAfterFlush() has finished
};

struct ConnectionTurn;  // private

// ConnectionHandler receives the events of a connection. The loop calls it, never from within a
// call to the Connection. The handler may call any function of the connection, but must not destroy
// it.
class ConnectionHandler {
 public:
  // `data` is valid during the call.
  virtual void OnMessage(const MessageHeader& header, std::string_view data) = 0;
  // Reports that a message with this header was too long and was discarded.
  virtual void OnOversizedMessage(const MessageHeader& header) = 0;
  // Reports that the send queue, which was full, is short again.
  virtual void OnSendQueueLow() = 0;
  // Reports whether the received bytes end within a message. True is repeated for each such
  // message.
  virtual void OnPartialMessage(bool) {}
  // Reports true if the other side does not accept the bytes that are queued, again each time after
  // it has accepted some, and false once all of them are sent.
  virtual void OnWriteBlocked(bool) {}
  // Reports that Connection::held() has changed.
  virtual void OnHeldChanged() {}
  // Reports that the socket is closed. This is the last call, made once. Close() and the destructor
  // do not cause it. `error_number` is the errno of kSystemError, otherwise 0.
  virtual void OnClosed(CloseReason reason, int error_number) = 0;

 protected:
  ~ConnectionHandler() = default;
};

// Counts the bytes that connections have received from and sent to their sockets.
struct ByteCounts {
  uint64_t received = 0;
  uint64_t sent = 0;
};

struct ConnectionOptions {
  uint32_t message_size = kDefaultMessageSize;  // longer data is discarded
  size_t send_queue_high = 256U << 10;          // bytes from which the queue counts as full
  size_t send_queue_low = 64U << 10;            // bytes at which a full queue counts as short again

  // Once the other side has closed, although some of its messages are not read yet: true delivers
  // them before OnClosed(); false calls OnClosed() at once, even while reading is paused.
  bool deliver_before_close = true;

  // Connections with the same group share one turn while other groups have messages: together they
  // deliver no more messages and bytes, and take no more time in one wake-up, than a single
  // connection may. A user with many connections thus gets no more turns than a user with one.
  std::optional<uint64_t> group = std::nullopt;

  // Counts the received and sent bytes, for all connections that share it. Null: not counted. Must
  // outlive the connection.
  ByteCounts* bytes = nullptr;
};

class Connection {
 public:
  // Makes a connection whose socket Start() provides. `loop` and `handler` must outlive the
  // connection.
  Connection(IoLoop& loop, ConnectionHandler* handler, const ConnectionOptions& options);
  // Owns `socket`, which is connected and non-blocking. Nothing is read or written before Start().
  Connection(IoLoop& loop, UniqueFd socket, ConnectionHandler* handler,
             const ConnectionOptions& options);
  // Calls Close().
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Starts to read, and to write what is queued. Call this once.
  void Start();
  // Like Start(), with the socket for a connection that was made without one. If the connection is
  // closed, the socket is closed too.
  void Start(UniqueFd socket);

  // Replaces ConnectionOptions::message_size for messages whose header is not yet received.
  void SetMessageSize(uint32_t message_size) { decoder_.SetMessageSize(message_size); }

  // Queues a message, and returns the place for its data. The caller writes header.length bytes
  // there before it makes any other call. If the connection is closed or writing has failed, the
  // message is dropped silently.
  char* Begin(const MessageHeader& header);
  // Queues a message with a copy of `data`. header.length is ignored.
  void Send(MessageHeader header, std::string_view data);

  bool send_queue_full() const { return full_; }
  size_t send_queue_size() const;

  // Returns the bytes of memory that hold received data and data to be sent, rounded down to a
  // multiple of 4096, as of the end of the connection's last turn.
  size_t held() const { return held_; }

  // While reading is paused, nothing is received and OnMessage() is not called after a delivery in
  // progress. Repeated calls have no effect.
  void PauseReading();
  void ResumeReading();
  // Returns true if reading is paused or the connection's group is held.
  bool reading_paused() const { return paused_ || !parked_.alone(); }

  // Returns the IoLoop::wake_up() since which nothing has moved: bytes to be sent move when the
  // other side accepts some, received bytes when more arrive or some are delivered. If both kinds
  // are held, the older value counts. Returns none if the connection holds nothing.
  std::optional<uint64_t> stuck_since() const;

  // Stops reading, writes what is queued, then calls OnClosed(kFlushed), or OnClosed() with another
  // reason if the connection ends before that.
  void CloseAfterFlush();
  // Closes the socket at once. Queued messages are lost, and no callback follows.
  void Close();
  bool closed() const { return closed_; }

  // Borrowed: valid until the socket is closed. -1 before there is a socket and after it is closed.
  int fd() const { return socket_.get(); }

 private:
  friend class IoLoopCore;

  struct Buffers;

  struct ParkedNode : RingNode {
    explicit ParkedNode(Connection* connection) : owner(connection) {}
    Connection* const owner;
  };

  void EndSeen();
  void Receive(int most);
  // `received` counts the bytes that the decoder received before `input`.
  void HandOut(std::string_view input, size_t received, int most);
  bool TurnIsOver(int handled, int used) const;
  void EndTurn(int used);
  int TurnLeft(bool has_waited);
  bool Held();
  void Unpark();
  void WaitForTurn();
  void StopWaiting();
  bool HandOutOne(std::string_view* input);
  void KeepBacklog(std::string_view rest);
  void DropInput();
  void Resume();
  void Flush();
  void Write();
  bool WaitForWritable();
  void WriteFailed(int error_number);
  void UpdateReadEvent();
  void TellPartial(bool new_message);
  void TellHeld();
  void Closed(CloseReason reason, int error_number);

  IoLoop& loop_;
  IoLoopCore& core_;
  ConnectionHandler* handler_;
  UniqueFd socket_;
  EventPtr read_event_;
  EventPtr write_event_;  // made when a write first has to wait
  MessageDecoder decoder_;
  const std::unique_ptr<Buffers> buffers_;
  size_t backlog_begin_ = 0;
  size_t held_ = 0;
  size_t send_queue_high_;
  size_t send_queue_low_;
  std::optional<uint64_t> group_;
  ByteCounts* bytes_;
  ConnectionTurn* turn_;  // the turn of its group, or null
  ParkedNode parked_{this};
  uint64_t received_at_ = 0;  // wake-ups, for stuck_since()
  uint64_t sent_at_;
  bool end_awaited_ = false;
  bool deliver_before_close_;
  bool started_ = false;
  bool closed_ = false;
  bool paused_ = false;
  bool closing_ = false;
  bool handing_out_ = false;  // the handler may be using what was received
  bool full_ = false;
  bool write_failed_ = false;
  bool deaf_ = false;  // the kernel cannot watch the socket for reading
  bool writable_awaited_ = false;
  bool partial_ = false;        // the value last reported to the handler
  bool write_blocked_ = false;  // the value last reported to the handler
  bool flush_scheduled_ = false;
  bool resume_scheduled_ = false;
};

}  // namespace ttrpc
