// SPDX-License-Identifier: Apache-2.0
#include "server_connection.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server_core.h"
#include "ttrpc/wire/codec.h"
#include "ttrpc/wire/response.h"

namespace ttrpc {

namespace {

ConnectionOptions OptionsOf(const ServerOptions& server) {
  ConnectionOptions options;
  options.message_size = server.message_size;
  // A queue that stops reading must count as full, because only a full queue reports that it is
  // short again.
  options.send_queue_high = std::min(options.send_queue_high, server.send_buffer);
  options.send_queue_low = std::min(options.send_queue_low, server.send_buffer / 2);
  // Handlers learn at once that a client has disconnected, even if it left messages to read.
  options.deliver_before_close = false;
  return options;
}

// The library's own statuses without quotations are shorter than this. They are sent whatever the
// limit is.
constexpr size_t kShortStatus = 256;

Status Invalid(const char* what) { return {StatusCode::kInvalidArgument, what}; }

Status MustBeOdd() { return Invalid("StreamID must be odd for client initiated streams"); }

}  // namespace

ServerConnection::ServerConnection(ServerCore& core, UniqueFd socket,
                                   std::shared_ptr<const HandshakenPeer> peer)
    : core_(core),
      peer_(std::move(peer)),
      connection_(core.loop(), std::move(socket), this, OptionsOf(core.options())),
      gate_(core.loop(), connection_, core.options().stream_buffer) {}

ServerConnection::~ServerConnection() { Close(); }

void ServerConnection::Start(std::list<ServerConnection>::iterator position) {
  position_ = position;
  connection_.Start();
}

void ServerConnection::Drain() {
  draining_ = true;
  if (calls_.empty()) connection_.CloseAfterFlush();
}

void ServerConnection::Close() {
  connection_.Close();
  LoseCalls();
}

void ServerConnection::LoseCalls() {
  std::vector<ServerCall*> calls;
  calls_.ForEach([&calls](ServerCall* call) { calls.push_back(call); });
  calls_.Clear();
  for (ServerCall* call : calls) call->OnConnectionLost();
}

void ServerConnection::OnClosed(CloseReason, int) {
  LoseCalls();
  core_.Bury(*this);
}

// Receiving.

void ServerConnection::OnMessage(const MessageHeader& header, std::string_view data) {
  if (header.type == MessageType::kRequest) {
    OnRequest(header, data);
  } else if (header.type == MessageType::kData) {
    OnData(header, data);
  }
  // Other types are ignored.
}

void ServerConnection::OnOversizedMessage(const MessageHeader& header) {
  if (header.type != MessageType::kRequest && header.type != MessageType::kData) return;
  const Status status = MessageTooLong(header.length, core_.options().message_size);
  ServerCall* const call = Unanswered(header.stream_id);
  if (call != nullptr && header.type == MessageType::kData) {
    call->Refuse(status);
  } else {
    SendStatus(header.stream_id, status);
  }
}

ServerCall* ServerConnection::Unanswered(uint32_t id) {
  ServerCall* const* const call = calls_.Find(id);
  return call == nullptr || (*call)->answered() ? nullptr : *call;
}

void ServerConnection::OnData(const MessageHeader& header, std::string_view data) {
  if (header.stream_id % 2 == 0) return SendStatus(header.stream_id, MustBeOdd());
  if (ServerCall* const call = Unanswered(header.stream_id)) {
    call->OnData(header, data);
  } else {
    SendStatus(header.stream_id, Invalid("StreamID is no longer active"));
  }
}

void ServerConnection::OnRequest(const MessageHeader& header, std::string_view data) {
  const uint32_t id = header.stream_id;
  if (id % 2 == 0) return SendStatus(id, MustBeOdd());
  if (calls_.Find(id) != nullptr)
    return SendStatus(id, Invalid("StreamID cannot be re-used and must increment"));
  RequestView& request = core_.request_buffer();
  Status status = ParseRequest(data, UnknownFieldAction::kDrop, &request);
  if (status.ok()) status = StartCall(header, request);
  if (!status.ok()) SendStatus(id, status);
}

Status ServerConnection::StartCall(const MessageHeader& header, const RequestView& request) {
  const auto service = core_.services().find(request.service);
  if (service == core_.services().end())
    return {StatusCode::kUnimplemented, "service " + std::string(request.service)};
  const auto found = service->second.methods.find(request.method);
  if (found == service->second.methods.end())
    return {StatusCode::kUnimplemented, "method " + std::string(request.method)};
  if (draining_) return {StatusCode::kUnavailable, "ttrpc: server closed"};
  const size_t limit = core_.options().streams;
  if (limit != 0 && calls_.size() >= limit)
    return {StatusCode::kResourceExhausted, "too many streams"};

  const Method& method = found->second.method;
  const MethodInfo& info = found->second.info;
  void* const implementation = service->second.implementation;
  const std::string_view payload = request.payload;
  if (method.unary != nullptr) {
    auto call = std::make_unique<ServerCall>(*this, header.stream_id, info);
    Prepare(*call, request);
    calls_.Insert(header.stream_id, call.get());
    core_.RunUnary(std::move(call), method.unary, implementation, payload);
    return {};
  }
  // A streaming client may send its first message with the request. An empty payload is not a
  // message.
  std::optional<std::string_view> first;
  if (!method.client_streams || !payload.empty()) first = payload;
  auto stream = std::make_unique<ServerStream>(*this, header.stream_id, info, first);
  Prepare(*stream, request);
  calls_.Insert(header.stream_id, stream.get());
  if ((header.flags & kFlagRemoteClosed) != 0)
    stream->OnData({.flags = kFlagRemoteClosed | kFlagNoData}, {});
  core_.RunStream(std::move(stream), method.stream, implementation);
  return {};
}

void ServerConnection::Prepare(ServerCall& call, const RequestView& request) {
  Context& context = call.context();
  context.loop_ = &core_.loop();
  context.peer_ = peer_;
  for (const MetadataEntry& entry : request.metadata)
    context.metadata().AppendAsSent(entry.key, entry.value);
  if (request.timeout_nano != 0) call.StartDeadline(core_.loop(), request.timeout_nano);
}

// Sending.

char* ServerConnection::BeginReply(uint32_t id, size_t payload_size) {
  char* const place =
      connection_.Begin({.length = static_cast<uint32_t>(EncodedReplySize(payload_size)),
                         .stream_id = id,
                         .type = MessageType::kResponse});
  LimitQueue();
  return EncodeReplyHead(payload_size, place);
}

void ServerConnection::SendStatus(uint32_t id, const Status& status) {
  // The status may quote the client or come from a handler, so it may have any length.
  const size_t size = EncodedResponseSize(status);
  const size_t limit = std::max<size_t>(core_.options().message_size, kShortStatus);
  if (size > limit) return SendStatus(id, MessageTooLong(size, limit));
  char* const place = connection_.Begin(
      {.length = static_cast<uint32_t>(size), .stream_id = id, .type = MessageType::kResponse});
  EncodeResponse(status, place);
  LimitQueue();
}

void ServerConnection::SendData(uint32_t id, uint8_t flags, std::string_view data) {
  connection_.Send({.stream_id = id, .type = MessageType::kData, .flags = flags}, data);
  LimitQueue();
}

// A client that does not read its replies gets no further requests served.
void ServerConnection::LimitQueue() {
  if (connection_.send_queue_size() <= core_.options().send_buffer) return;
  if (!std::exchange(holds_gate_, true)) gate_.Hold();
}

void ServerConnection::OnSendQueueLow() {
  if (std::exchange(holds_gate_, false)) gate_.Release();
  calls_.ForEach([](ServerCall* call) { call->OnQueueLow(); });
}

void ServerConnection::Remove(uint32_t id) {
  calls_.Erase(id);
  if (draining_ && calls_.empty()) connection_.CloseAfterFlush();
}

}  // namespace ttrpc
