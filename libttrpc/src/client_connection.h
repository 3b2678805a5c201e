// SPDX-License-Identifier: Apache-2.0
//
// ClientConnection: the calls on one connection to a server. It assigns their stream ids, finds the
// call for each message, and fails the remaining calls when the connection ends. Use it on the
// loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "client_call.h"
#include "stream_inbox.h"
#include "ttrpc/handshaker.h"
#include "ttrpc/wire/connection.h"
#include "ttrpc/wire/stream_map.h"

namespace ttrpc {

class ClientConnection final : private ConnectionHandler {
 public:
  struct Options {
    uint32_t message_size;
    size_t stream_buffer;
    uint32_t last_stream_id;
    // Reports that the connection is closed and its calls have failed. Must not destroy the
    // connection, because the connection itself makes the call.
    std::function<void(ClientConnection&)> on_closed;
    // Reports that the connection has no calls and accepts no new ones. Must not destroy it either.
    std::function<void(ClientConnection&)> on_unused;
  };

  ClientConnection(IoLoop& loop, Handshaken handshaken, Options options);
  // Closes the connection and fails its calls with UNAVAILABLE `ttrpc: closed`.
  ~ClientConnection();

  // Sends the call's request. `write` writes its `size` bytes to the place that it is given. Call
  // this only if takes_calls().
  template <typename Write>
  void Start(ClientCall& call, size_t size, Write write) {
    const uint32_t id = Add(call);
    write(connection_.Begin({.length = static_cast<uint32_t>(size),
                             .stream_id = id,
                             .type = MessageType::kRequest,
                             .flags = call.request_flags()}));
    call.OnSent(*this, id);
  }
  void SendData(uint32_t id, uint8_t flags, std::string_view data);
  // Forgets the call: later messages for it are dropped.
  void Remove(uint32_t id);

  bool takes_calls() const { return !connection_.closed() && next_id_ <= options_.last_stream_id; }
  bool closed() const { return connection_.closed(); }
  size_t calls() const { return calls_.size(); }
  ReadGate& gate() { return gate_; }

  // Once the queue is short again, each call's OnQueueLow() runs.
  bool queue_full() const { return connection_.send_queue_full(); }

  // Closes the connection at once and fails its calls with `reason`. No callback follows.
  void Close(const Status& reason);

 private:
  uint32_t Add(ClientCall& call);
  void FailCalls(const Status& reason);

  void OnMessage(const MessageHeader& header, std::string_view data) override;
  void OnOversizedMessage(const MessageHeader& header) override;
  void OnSendQueueLow() override;
  void OnClosed(CloseReason reason, int error_number) override;

  const Options options_;
  std::unique_ptr<HandshakeSession> session_;
  Connection connection_;
  ReadGate gate_;
  StreamMap<ClientCall*> calls_;
  uint32_t next_id_ = 1;
};

}  // namespace ttrpc
