// SPDX-License-Identifier: Apache-2.0
#include "harness/recording_backend.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "harness/io.h"
#include "ttrpc/wire/message.h"
#include "ttrpc/wire/request.h"

namespace integration {

namespace {

constexpr int kBacklog = 128;

// This read has no deadline: shutdown(2) in the destructor ends it.
size_t ReadFully(int fd, char* out, size_t size) {
  size_t have = 0;
  while (have < size) {
    const ssize_t got = ::recv(fd, out + have, size - have, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  return have;
}

}  // namespace

BackendReply EchoDo(const WireMessage& message) {
  ttrpc::RequestView request;
  if (message.type != kRequest || (message.flags & (kOpen | kClosed)) != 0) return {};
  if (!ttrpc::ParseRequest(message.data, ttrpc::UnknownFieldAction::kRefuse, &request).ok()) {
    ADD_FAILURE() << "the backend got an envelope that does not parse";
    return {};
  }
  if (request.method != "Do") return {};
  return {.bytes = Encode(Response(message.stream_id, request.payload))};
}

BackendReply Silent(const WireMessage& /*message*/) { return {}; }

RecordingBackend::RecordingBackend(std::string address)
    : RecordingBackend(std::move(address), Options()) {}

RecordingBackend::RecordingBackend(std::string address, Options options)
    : address_(std::move(address)), options_(std::move(options)), reading_(options_.reading) {
  ::unlink(address_.c_str());
  listener_ = Bind(address_);
  int result = -1;
  RunAs(options_.owner, [this, &result] { result = ::listen(listener_.get(), kBacklog); });
  if (result != 0) ADD_FAILURE() << "cannot listen on " << address_ << ": " << strerror(errno);
  acceptor_ = std::thread([this] { Accept(); });
}

RecordingBackend::~RecordingBackend() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& connection : connections_) ::shutdown(connection->fd.get(), SHUT_RDWR);
  }
  changed_.notify_all();
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (const auto& connection : connections_) connection->thread.join();
  ::unlink(address_.c_str());
}

void RecordingBackend::Accept() {
  while (true) {
    ttrpc::UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::lock_guard lock(mutex_);
    if (!fd || stopping_) return;
    const size_t index = connections_.size();
    connections_.push_back(std::make_unique<Connection>());
    connections_.back()->fd = std::move(fd);
    connections_.back()->thread = std::thread([this, index] { Serve(index); });
    changed_.notify_all();
  }
}

bool RecordingBackend::ReadMessage(int fd, WireMessage* message, size_t* partial) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return reading_ || stopping_; });
    if (stopping_) return false;  // unread data would make the close a reset
  }
  char bytes[kHeaderLength];
  *partial = ReadFully(fd, bytes, sizeof bytes);
  if (*partial < sizeof bytes) return false;
  const ttrpc::MessageHeader header = ttrpc::DecodeMessageHeader(bytes);
  *message = {header.stream_id, static_cast<uint8_t>(header.type), header.flags,
              std::string(header.length, '\0')};
  const size_t got = ReadFully(fd, message->data.data(), header.length);
  if (got == header.length) {
    *partial = 0;  // the message is whole, even if its answer fails
    return true;
  }
  *partial += got;
  return false;
}

void RecordingBackend::Serve(size_t index) {
  Connection* connection = nullptr;
  {
    const std::lock_guard lock(mutex_);
    connection = connections_[index].get();
  }
  // Only this thread closes the descriptor, so it may use it here without the lock.
  const int fd = connection->fd.get();
  WireMessage message;
  size_t partial = 0;
  const bool greeted = !options_.greet || options_.greet(fd);
  while (greeted && ReadMessage(fd, &message, &partial)) {
    {
      const std::lock_guard lock(mutex_);
      connection->messages.push_back(message);
    }
    changed_.notify_all();
    const BackendReply reply = options_.script(message);
    if (!reply.bytes.empty() && !SendAll(fd, reply.bytes)) break;
    if (reply.close) break;
  }
  {
    const std::lock_guard lock(mutex_);
    connection->ended = true;
    connection->partial = partial;
    connection->fd.reset();
  }
  changed_.notify_all();
}

void RecordingBackend::StartReading() {
  {
    const std::lock_guard lock(mutex_);
    reading_ = true;
  }
  changed_.notify_all();
}

size_t RecordingBackend::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

template <typename Condition>
void RecordingBackend::Wait(std::unique_lock<std::mutex>& lock, const char* what,
                            Condition condition) const {
  if (!changed_.wait_for(lock, kDeadline, condition)) {
    ADD_FAILURE() << "the backend waited in vain for " << what;
  }
}

void RecordingBackend::WaitForConnections(size_t count) const {
  std::unique_lock lock(mutex_);
  Wait(lock, "a connection", [this, count] { return connections_.size() >= count; });
}

std::vector<WireMessage> RecordingBackend::WaitForMessages(size_t connection, size_t count) const {
  std::unique_lock lock(mutex_);
  Wait(lock, "a message", [this, connection, count] {
    return connections_.size() > connection && connections_[connection]->messages.size() >= count;
  });
  if (connections_.size() <= connection) return {};
  return connections_[connection]->messages;
}

std::vector<WireMessage> RecordingBackend::WaitForEnd(size_t connection) const {
  std::vector<WireMessage> messages = WaitForLoss(connection);
  const std::lock_guard lock(mutex_);
  if (connection < connections_.size()) {
    EXPECT_EQ(connections_[connection]->partial, 0U) << "a part of a message reached the backend";
  }
  return messages;
}

std::vector<WireMessage> RecordingBackend::WaitForLoss(size_t connection) const {
  std::unique_lock lock(mutex_);
  Wait(lock, "the end of a connection", [this, connection] {
    return connections_.size() > connection && connections_[connection]->ended;
  });
  if (connections_.size() <= connection) return {};
  return connections_[connection]->messages;
}

ttrpc::UniqueFd RecordingBackend::Duplicate(size_t connection) const {
  std::unique_lock lock(mutex_);
  Wait(lock, "a connection", [this, connection] { return connections_.size() > connection; });
  if (connections_.size() <= connection) return {};
  return ttrpc::UniqueFd(::fcntl(connections_[connection]->fd.get(), F_DUPFD_CLOEXEC, 0));
}

bool RecordingBackend::Send(size_t connection, std::string_view bytes) {
  return SendAll(Duplicate(connection).get(), bytes);
}

void RecordingBackend::Close(size_t connection) {
  ::shutdown(Duplicate(connection).get(), SHUT_RDWR);
}

}  // namespace integration
