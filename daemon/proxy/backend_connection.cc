// SPDX-License-Identifier: Apache-2.0
#include "proxy/backend_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "proxy/worker.h"

namespace proxyd {

namespace {

// A Unix socket whose accept queue is full says EAGAIN, and cannot be waited for. Tried again after
// 1 ms, then doubling.
constexpr auto kFirstRetry = std::chrono::milliseconds(1);
constexpr auto kLongestRetry = std::chrono::milliseconds(50);

ttrpc::ConnectionOptions OptionsOf(const Worker& worker, const BackendConnectionOwner& owner) {
  ttrpc::ConnectionOptions options;
  options.group = owner.uid();
  options.message_size = worker.limits().message_size;
  options.deliver_before_close = true;
  return options;
}

}  // namespace

BackendConnection::BackendConnection(Worker& worker, Ref<Backend> backend,
                                     BackendConnectionOwner& owner, ttrpc::UniqueFd socket)
    : worker_(worker),
      backend_(std::move(backend)),
      owner_(owner),
      connection_(worker.loop(), std::move(socket), this, OptionsOf(worker, owner)),
      write_deadline_(
          [](void* self) {
            auto* connection = static_cast<BackendConnection*>(self);
            connection->owner_.OnBackendStuck(*connection);
          },
          this) {}

BackendConnection::Pending::Pending(BackendConnection* self)
    : timer(self->worker_.loop(), [self] { self->Retry(); }), delay(kFirstRetry) {
  const Duration timeout = self->backend_->config().connect_timeout;
  using Clock = Backend::Clock;
  give_up = timeout.count() == 0 ? Clock::time_point::max() : Clock::now() + timeout;
}

std::unique_ptr<BackendConnection> BackendConnection::Open(Worker& worker, Ref<Backend> backend,
                                                           BackendConnectionOwner& owner) {
  const auto now = std::chrono::steady_clock::now();
  if (!backend->MayTry(now)) return nullptr;
  ttrpc::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) {
    backend->Failed(Backend::Failure::kCheap, std::generic_category().message(errno), now);
    return nullptr;
  }
  auto connection =
      std::make_unique<BackendConnection>(worker, std::move(backend), owner, std::move(socket));
  switch (connection->TryConnect()) {
    case Dial::kConnected:
      break;
    case Dial::kFailed:
      return nullptr;
    case Dial::kPending:
      connection->pending_ = std::make_unique<Pending>(connection.get());
      connection->pending_->timer.Start(kFirstRetry);
      break;
  }
  return connection;
}

BackendConnection::Dial BackendConnection::TryConnect() {
  const ttrpc::SocketAddress address = backend_->config().address.ToSocketAddress();
  int result = 0;
  do {
    result = ::connect(connection_.fd(), address.get(), address.length);
  } while (result < 0 && errno == EINTR);
  const auto now = Backend::Clock::now();
  if (result < 0) {
    if (errno == EAGAIN) return Dial::kPending;
    const bool absent = errno == ENOENT || errno == ECONNREFUSED;
    backend_->Failed(absent ? Backend::Failure::kCheap : Backend::Failure::kCostly,
                     std::generic_category().message(errno), now);
    return Dial::kFailed;
  }
  if (const ttrpc::Status owner = backend_->CheckOwner(connection_.fd()); !owner.ok()) {
    backend_->Failed(Backend::Failure::kCostly, owner.message(), now);
    return Dial::kFailed;
  }
  backend_->Succeeded();
  connection_.Start();
  return Dial::kConnected;
}

void BackendConnection::Retry() {
  const auto now = Backend::Clock::now();
  switch (TryConnect()) {
    case Dial::kConnected:
      // Not destroyed here: this is its timer's own callback, which fires no more.
      return;
    case Dial::kPending:
      if (now < pending_->give_up) {
        pending_->delay = std::min<std::chrono::milliseconds>(pending_->delay * 2, kLongestRetry);
        pending_->timer.Start(std::min<Duration>(pending_->delay, pending_->give_up - now));
        return;
      }
      backend_->Failed(Backend::Failure::kCostly, "it does not accept connections", now);
      break;
    case Dial::kFailed:
      break;
  }
  Close();
  owner_.OnBackendUnreachable(*this);
}

void BackendConnection::Close() {
  if (pending_) pending_->timer.Stop();
  write_deadline_.Stop();
  connection_.Close();
}

void BackendConnection::OnWriteBlocked(bool blocked) {
  if (blocked) {
    worker_.backend_write_deadlines().Start(&write_deadline_);
  } else {
    write_deadline_.Stop();
  }
}

void BackendConnection::Add(Call* call) {
  call->backend = this;
  call->backend_id = next_id_;
  next_id_ += 2;
  if (next_is_last_ || next_id_ > worker_.last_stream_id()) Retire();
  calls_.Insert(call->backend_id, call);
}

Call* BackendConnection::Find(const ttrpc::MessageHeader& header) {
  if (header.type == ttrpc::MessageType::kResponse || header.type == ttrpc::MessageType::kData) {
    if (Call* const* found = calls_.Find(header.stream_id)) return *found;
  }
  ++worker_.counters().backend_dropped;
  return nullptr;
}

void BackendConnection::OnMessage(const ttrpc::MessageHeader& header, std::string_view data) {
  if (Call* call = Find(header)) owner_.OnBackendMessage(*call, header, data);
}

void BackendConnection::OnOversizedMessage(const ttrpc::MessageHeader& header) {
  if (Call* call = Find(header)) owner_.OnBackendOversizedMessage(*call, header);
}

void BackendConnection::OnClosed(ttrpc::CloseReason reason, int) {
  write_deadline_.Stop();
  owner_.OnBackendClosed(*this, reason);
}

}  // namespace proxyd
