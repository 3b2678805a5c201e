// SPDX-License-Identifier: Apache-2.0
#include "raw_server.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "support/run_until.h"
#include "support/wire.h"
#include "ttrpc/wire/request.h"

namespace ttrpc::client_test {

std::string Field(int number, std::string_view bytes) {
  return ::test::BytesField(static_cast<uint32_t>(number), bytes);
}

std::string ReplyBytes(std::string_view payload) {
  return payload.empty() ? "" : Field(2, payload);
}

std::string ErrorBytes(int code, std::string_view message) {
  return Field(1, ::test::VarintField(1, static_cast<uint64_t>(code)) + Field(2, message));
}

std::string Describe(const RawMessage& message) {
  std::string text = std::to_string(message.header.stream_id);
  switch (message.header.type) {
    case MessageType::kRequest:
      text += " request/";
      break;
    case MessageType::kResponse:
      text += " response/";
      break;
    case MessageType::kData:
      text += " data/";
      break;
  }
  text += std::to_string(message.header.flags) + " [";
  if (message.header.type != MessageType::kRequest) return text + message.data + "]";
  RequestView request;
  const Status parsed = ParseRequest(message.data, UnknownFieldAction::kRefuse, &request);
  if (!parsed.ok()) return text + parsed.ToString() + "]";
  text.append(request.service).append("|").append(request.method).append("|");
  text.append(request.payload);
  for (const MetadataEntry& entry : request.metadata)
    text.append("|").append(entry.key).append("=").append(entry.value);
  return text + "]";
}

RawServer::RawServer(EventLoop& loop, UniqueFd socket) : loop_(loop), socket_(std::move(socket)) {
  StartReading();
}

void RawServer::StartReading() {
  read_event_.reset(event_new(
      loop_.base(), socket_.get(), EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<RawServer*>(self)->Read(); }, this));
  event_add(read_event_.get(), nullptr);
}

void RawServer::Read() {
  std::array<char, 65536> buffer;
  const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (n > 0) {
    received_.append(buffer.data(), static_cast<size_t>(n));
  } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    ended_ = true;
    read_event_.reset();
  }
}

bool RawServer::has_message() const {
  return received_.size() >= kMessageHeaderLength &&
         received_.size() - kMessageHeaderLength >= DecodeMessageHeader(received_.data()).length;
}

RawMessage RawServer::Take() {
  const MessageHeader header = DecodeMessageHeader(received_.data());
  RawMessage message(header, received_.substr(kMessageHeaderLength, header.length));
  received_.erase(0, kMessageHeaderLength + header.length);
  return message;
}

void RawServer::Close() {
  read_event_.reset();
  write_event_.reset();
  socket_.reset();
}

void RawServer::ShutdownWriting() { ::shutdown(socket_.get(), SHUT_WR); }

void RawServer::Write(std::string_view bytes) {
  unwritten_.append(bytes);
  if (!write_event_) {
    write_event_.reset(event_new(
        loop_.base(), socket_.get(), EV_WRITE,
        [](evutil_socket_t, short, void* self) { static_cast<RawServer*>(self)->WriteSome(); },
        this));
  }
  WriteSome();
}

void RawServer::WriteSome() {
  const ssize_t n =
      ::send(socket_.get(), unwritten_.data(), unwritten_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n > 0) unwritten_.erase(0, static_cast<size_t>(n));
  if (n < 0 && errno != EAGAIN) unwritten_.clear();
  if (!unwritten_.empty()) event_add(write_event_.get(), nullptr);
}

void RawServer::Send(MessageType type, uint32_t id, uint8_t flags, std::string_view data) {
  Write(::test::Message({.stream_id = id, .type = type, .flags = flags}, data));
}

void ClientFixture::Start(ClientOptions options) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  server_ = std::make_unique<RawServer>(loop_, UniqueFd(fds[0]));
  client_ = Client::Over(loop_.io(), UniqueFd(fds[1]), std::move(options));
}

void ClientFixture::RunUntil(const std::function<bool()>& done) { ::test::RunUntil(loop_, done); }

void ClientFixture::RunReady() {
  for (int i = 0; i < 5; ++i) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
}

std::string ClientFixture::Next(RawServer& server) {
  RunUntil([&server] { return server.has_message() || server.ended(); });
  return server.has_message() ? Describe(server.Take()) : "closed";
}

}  // namespace ttrpc::client_test
