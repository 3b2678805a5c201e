// SPDX-License-Identifier: Apache-2.0
#include "client_connection.h"

#include <utility>
#include <vector>

namespace ttrpc {

namespace {

Status Closed() { return {StatusCode::kUnavailable, "ttrpc: closed"}; }

ConnectionOptions OptionsOf(uint32_t message_size) {
  ConnectionOptions options;
  options.message_size = message_size;
  return options;
}

}  // namespace

ClientConnection::ClientConnection(IoLoop& loop, Handshaken handshaken, Options options)
    : options_(std::move(options)),
      session_(std::move(handshaken.session)),
      connection_(loop, std::move(handshaken.socket), this, OptionsOf(options_.message_size)),
      gate_(loop, connection_, options_.stream_buffer) {
  connection_.Start();
}

ClientConnection::~ClientConnection() { Close(Closed()); }

uint32_t ClientConnection::Add(ClientCall& call) {
  const uint32_t id = std::exchange(next_id_, next_id_ + 2);
  calls_.Insert(id, &call);
  return id;
}

void ClientConnection::Remove(uint32_t id) {
  calls_.Erase(id);
  if (calls_.empty() && !closed() && !takes_calls() && options_.on_unused)
    options_.on_unused(*this);
}

void ClientConnection::SendData(uint32_t id, uint8_t flags, std::string_view data) {
  connection_.Send({.stream_id = id, .type = MessageType::kData, .flags = flags}, data);
}

void ClientConnection::Close(const Status& reason) {
  connection_.Close();
  FailCalls(reason);
}

void ClientConnection::FailCalls(const Status& reason) {
  // Copied first, because each call removes itself from the map.
  std::vector<ClientCall*> calls;
  calls_.ForEach([&calls](ClientCall* call) { calls.push_back(call); });
  for (ClientCall* call : calls) call->Fail(reason);
}

void ClientConnection::OnMessage(const MessageHeader& header, std::string_view data) {
  if (header.type != MessageType::kResponse && header.type != MessageType::kData) return;
  // A call that is not found was abandoned or was never made.
  if (ClientCall* const* call = calls_.Find(header.stream_id)) (*call)->OnMessage(header, data);
}

void ClientConnection::OnOversizedMessage(const MessageHeader& header) {
  if (ClientCall* const* call = calls_.Find(header.stream_id))
    (*call)->OnOversizedMessage(header, options_.message_size);
}

void ClientConnection::OnSendQueueLow() {
  calls_.ForEach([](ClientCall* call) { call->OnQueueLow(); });
}

void ClientConnection::OnClosed(CloseReason reason, int) {
  FailCalls(reason == CloseReason::kProtocolError
                ? Status(StatusCode::kUnavailable, "ttrpc: the server broke the protocol")
                : Closed());
  if (options_.on_closed) options_.on_closed(*this);
}

}  // namespace ttrpc
