// SPDX-License-Identifier: Apache-2.0
//
// Connection: messages over one connected stream socket, on a borrowed event loop. It knows framing
// and flow, nothing of calls. What is sent before there is a socket is queued. All functions are
// called on the loop's thread; none waits, and none fails but by OnClosed().
//
// For programs that read and write messages themselves, as proxies do: may change in any release.
//
// Reading and writing never wait for each other. The sender bounds the send queue:
// send_queue_full() says when to stop, OnSendQueueLow() when to go on; what is sent all the same is
// queued.
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
  kEndOfFile,      // the other side closed
  kSystemError,    // receiving or sending failed
  kProtocolError,  // a header whose reserved byte is not zero
  kFlushed,        // CloseAfterFlush() is done
};

struct ConnectionTurn;  // private

// ConnectionHandler receives the events of a connection. The loop calls it, never from within a
// call to the Connection. It may call any function of the connection, but must not destroy it.
class ConnectionHandler {
 public:
  // `data` is valid during the call.
  virtual void OnMessage(const MessageHeader& header, std::string_view data) = 0;
  // A message with this header was longer than allowed, and has been discarded.
  virtual void OnOversizedMessage(const MessageHeader& header) = 0;
  // The send queue was full, and is low again.
  virtual void OnSendQueueLow() = 0;
  // What has come ends within a message (true; repeated for each such message), or no longer does.
  virtual void OnPartialMessage(bool) {}
  // The other side takes no bytes, and there are some to be sent (true; repeated after it took
  // some), or all of them were sent.
  virtual void OnWriteBlocked(bool) {}
  // Connection::held() has changed.
  virtual void OnHeldChanged() {}
  // The last call, made once: the socket is closed. Close() and the destructor make none.
  // `error_number` is errno's for kSystemError, else 0.
  virtual void OnClosed(CloseReason reason, int error_number) = 0;

 protected:
  ~ConnectionHandler() = default;
};

// Bytes that connections have taken from their sockets and given to them.
struct ByteCounts {
  uint64_t received = 0;
  uint64_t sent = 0;
};

struct ConnectionOptions {
  uint32_t message_size = kDefaultMessageSize;  // longer data is discarded
  size_t send_queue_high = 256U << 10;          // bytes; full from here on
  size_t send_queue_low = 64U << 10;            // bytes; low again from here on

  // What to do once the other side is known to be gone, though it may have left something to read:
  // deliver all of it before OnClosed (true), or call OnClosed at once (false), even while reading
  // is paused.
  bool deliver_before_close = true;

  // While other groups have messages, too, the connections of one group together deliver no more
  // messages and bytes in one wake-up than a single one may, and take no longer: a user with many
  // connections gets no more turns than a user with one. Within a group they take turns.
  std::optional<uint64_t> group = std::nullopt;

  // Where the connection counts what it receives and sends, together with others of the loop. Null:
  // nowhere. Must outlive the connection.
  ByteCounts* bytes = nullptr;
};

class Connection {
 public:
  // For a socket that Start() will give. `loop` and `handler` must outlive the connection.
  Connection(IoLoop& loop, ConnectionHandler* handler, const ConnectionOptions& options);
  // Owns `socket`, which is connected and non-blocking. Nothing is read or written before Start().
  Connection(IoLoop& loop, UniqueFd socket, ConnectionHandler* handler,
             const ConnectionOptions& options);
  // Close().
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Begins to read, and to write what was queued. To be called once.
  void Start();
  // The same, with the socket that it was made without; closes the socket if the connection is
  // closed.
  void Start(UniqueFd socket);

  // Replaces ConnectionOptions::message_size for messages whose header has not come yet.
  void SetMessageSize(uint32_t message_size) { decoder_.SetMessageSize(message_size); }

  // Queues a message, and returns the place to which the caller writes the header.length bytes of
  // its data before it calls anything else here. The message is dropped, without a word, once the
  // connection is closed or writing has failed.
  char* Begin(const MessageHeader& header);
  // The same, with a copy of `data`, whose size replaces header.length.
  void Send(MessageHeader header, std::string_view data);

  bool send_queue_full() const { return full_; }
  size_t send_queue_size() const;

  // Bytes of memory that keep what was received or is to be sent, as of the end of the connection's
  // last turn, rounded down to a multiple of 4096.
  size_t held() const { return held_; }

  // While paused nothing is received, and OnMessage is not called. A message that is being
  // delivered is the last. Pausing twice is pausing once.
  void PauseReading();
  void ResumeReading();
  // True while reading is paused, or the connection's group is held.
  bool reading_paused() const { return paused_ || !parked_.alone(); }

  // The IoLoop::wake_up() at which the part of held() that has not moved for longest last moved.
  // Bytes to be sent move when the other side takes some, received ones when more come or some are
  // delivered. None: it holds nothing.
  std::optional<uint64_t> stuck_since() const;

  // Stops reading, writes what is queued, then calls OnClosed(kFlushed). Until then OnClosed may
  // come with another reason.
  void CloseAfterFlush();
  // Closes the socket at once. What is queued is lost, and no callback follows.
  void Close();
  bool closed() const { return closed_; }

  // The connection's own socket: valid until it is closed; -1 before there is one, and after.
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
  // `received`: bytes that the decoder got before `input`.
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
  ConnectionTurn* turn_;  // its group's, or null
  ParkedNode parked_{this};
  uint64_t received_at_ = 0;  // wake-ups, of stuck_since()
  uint64_t sent_at_;
  bool end_awaited_ = false;
  bool deliver_before_close_;
  bool started_ = false;
  bool closed_ = false;
  bool paused_ = false;
  bool closing_ = false;
  bool handing_out_ = false;  // the handler may be looking at what was received
  bool full_ = false;
  bool write_failed_ = false;
  bool deaf_ = false;  // what comes cannot be waited for
  bool writable_awaited_ = false;
  bool partial_ = false;        // as the handler was told
  bool write_blocked_ = false;  // as the handler was told
  bool flush_scheduled_ = false;
  bool resume_scheduled_ = false;
};

}  // namespace ttrpc
