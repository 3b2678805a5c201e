// SPDX-License-Identifier: Apache-2.0
//
// ServerConnection: one connection of a server. It reads requests, finds their methods, starts
// their handlers and sends what these answer. On the loop's thread.
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
  // `core`, which owns it, must outlive it.
  ServerConnection(ServerCore& core, UniqueFd socket, std::shared_ptr<const HandshakenPeer> peer);
  // Close().
  ~ServerConnection();

  // `position`: where it stands in the core's list.
  void Start(std::list<ServerConnection>::iterator position);
  std::list<ServerConnection>::iterator position() const { return position_; }
  // Closes after its last call, or now if it has none.
  void Drain();
  // Closes now, and cancels the contexts of its calls. The core is not told.
  void Close();
  bool closed() const { return connection_.closed(); }

  ServerCore& core() { return core_; }
  ReadGate& gate() { return gate_; }
  bool queue_full() const { return connection_.send_queue_full(); }
  size_t calls() const { return calls_.size(); }

  // For a call that is there. The place of the reply's bytes, which the caller writes at once.
  char* BeginReply(uint32_t id, size_t payload_size);
  void SendStatus(uint32_t id, const Status& status);
  void SendData(uint32_t id, uint8_t flags, std::string_view data);
  // It has ended.
  void Remove(uint32_t id);

 private:
  void OnMessage(const MessageHeader& header, std::string_view data) override;
  void OnOversizedMessage(const MessageHeader& header) override;
  void OnSendQueueLow() override;
  void OnClosed(CloseReason reason, int error_number) override;

  void OnRequest(const MessageHeader& header, std::string_view data);
  void OnData(const MessageHeader& header, std::string_view data);
  // Null: there is none, or only its handler that has not ended.
  ServerCall* Unanswered(uint32_t id);
  Status StartCall(const MessageHeader& header, const RequestView& request);
  void Prepare(ServerCall& call, const RequestView& request);
  void LoseCalls();
  void LimitQueue();

  ServerCore& core_;
  const std::shared_ptr<const HandshakenPeer> peer_;  // null: no handshaker
  Connection connection_;
  ReadGate gate_;
  StreamMap<ServerCall*> calls_;  // whose handlers run
  std::list<ServerConnection>::iterator position_;
  bool draining_ = false;
  bool holds_gate_ = false;  // the client takes no replies
};

}  // namespace ttrpc
