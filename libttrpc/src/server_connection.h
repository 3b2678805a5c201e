// SPDX-License-Identifier: Apache-2.0
//
// ServerConnection: one connection of a server. It reads requests, finds their methods, starts the
// handlers and sends their replies. Use it on the loop's thread.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server_call.h"
#include "stream_inbox.h"
#include "ttrpc/handshaker.h"
#include "ttrpc/service.h"
#include "ttrpc/wire/connection.h"
#include "ttrpc/wire/request.h"
#include "ttrpc/wire/stream_map.h"

namespace ttrpc {

class ServerCore;

class ServerConnection final : private ConnectionHandler {
 public:
  // `core` owns the connection and must outlive it.
  ServerConnection(ServerCore& core, UniqueFd socket, std::shared_ptr<const HandshakenPeer> peer);
  // Calls Close().
  ~ServerConnection();

  // `position` is its place in the core's list.
  void Start(std::list<ServerConnection>::iterator position);
  std::list<ServerConnection>::iterator position() const { return position_; }
  // Closes after the last call, or at once if there is none.
  void Drain();
  // Closes at once and cancels the contexts of the calls. The core is not notified.
  void Close();
  bool closed() const { return connection_.closed(); }

  ServerCore& core() { return core_; }
  ReadGate& gate() { return gate_; }
  bool queue_full() const { return connection_.send_queue_full(); }
  size_t calls() const { return calls_.size(); }

  // Returns the place for the reply, which the caller writes at once. `id` must be a call in
  // flight.
  char* BeginReply(uint32_t id, size_t payload_size);
  void SendStatus(uint32_t id, const Status& status);
  void SendData(uint32_t id, uint8_t flags, std::string_view data);
  // Removes a call whose handler has ended.
  void Remove(uint32_t id);

 private:
  void OnMessage(const MessageHeader& header, std::string_view data) override;
  void OnOversizedMessage(const MessageHeader& header) override;
  void OnSendQueueLow() override;
  void OnClosed(CloseReason reason, int error_number) override;

  void OnRequest(const MessageHeader& header, std::string_view data);
  void OnData(const MessageHeader& header, std::string_view data);
  // Returns null if there is no such call, or it is already answered.
  ServerCall* Unanswered(uint32_t id);
  Status StartCall(const MessageHeader& header, const RequestView& request);
  void Prepare(ServerCall& call, const RequestView& request);
  void LoseCalls();
  void LimitQueue();

  ServerCore& core_;
  const std::shared_ptr<const HandshakenPeer> peer_;  // null: no handshaker
  Connection connection_;
  ReadGate gate_;
  StreamMap<ServerCall*> calls_;  // calls whose handlers run
  std::list<ServerConnection>::iterator position_;
  bool draining_ = false;
  bool holds_gate_ = false;  // because the client does not read its replies
};

}  // namespace ttrpc
