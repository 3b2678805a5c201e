// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/connector.h"

#include <event2/event.h>
#include <linux/vm_sockets.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "hybrid_vsock.h"

namespace ttrpc {

namespace {

// connect(2) on a Unix socket whose accept queue is full returns EAGAIN, and no event signals when
// there is room.
constexpr auto kFirstRetry = std::chrono::milliseconds(1);
constexpr auto kLongestRetry = std::chrono::milliseconds(50);

// Disables the kernel's own limit of 2 s for an attempt, so that ConnectorOptions::timeout decides.
void LetItTakeItsTime(int socket) {
  const timeval day = {.tv_sec = 24L * 60 * 60, .tv_usec = 0};
  (void)::setsockopt(socket, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &day, sizeof day);
}

Status NoSocket(int error_number) {
  const bool used_up = error_number == EMFILE || error_number == ENFILE ||
                       error_number == ENOBUFS || error_number == ENOMEM;
  return {used_up ? StatusCode::kResourceExhausted : StatusCode::kUnknown,
          std::generic_category().message(error_number)};
}

}  // namespace

Connector::Connector(IoLoop& loop, std::function<void(Outcome)> done)
    : loop_(loop),
      done_(std::move(done)),
      retry_(loop, [this] { Finish(Connect()); }),
      timeout_(loop, [this] {
        Finish(Status(StatusCode::kDeadlineExceeded, answer_ ? "timed out waiting for an answer"
                                                             : "timed out waiting to be accepted"));
      }) {}

Connector::~Connector() = default;

std::optional<Connector::Outcome> Connector::Start(Address address, ConnectorOptions options) {
  Stop();
  address_ = std::move(address);
  options_ = std::move(options);
  retry_delay_ = kFirstRetry;
  socket_.reset(::socket(address_->ToSocketAddress().family(),
                         SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_) return NoSocket(errno);
  if (!address_->is_unix()) LetItTakeItsTime(socket_.get());
  auto outcome = Connect();
  if (outcome) {
    Stop();
  } else if (options_.timeout.count() > 0) {
    timeout_.Start(options_.timeout);
  }
  return outcome;
}

void Connector::Stop() {
  event_.reset();
  retry_.Stop();
  timeout_.Stop();
  answer_.reset();
  socket_.reset();
}

std::optional<Connector::Outcome> Connector::Connect() {
  const SocketAddress where = address_->ToSocketAddress();
  int result = 0;
  do {
    result = ::connect(socket_.get(), where.get(), where.length);
  } while (result < 0 && errno == EINTR);
  if (result == 0) return Connected();
  if (errno == EAGAIN) {
    retry_.Start(retry_delay_);
    retry_delay_ = std::min(retry_delay_ * 2, kLongestRetry);
    return std::nullopt;
  }
  if (errno == EINPROGRESS) {
    Await(EV_WRITE, &Connector::OnWritable);
    return std::nullopt;
  }
  return Failure(errno);
}

std::optional<Connector::Outcome> Connector::Connected() {
  if (address_->is_unix() && options_.check) {
    if (Status status = options_.check(socket_.get()); !status.ok()) return status;
  }
  if (address_->kind() != Address::Kind::kHybridVsock) return std::move(socket_);
  answer_ = std::make_unique<HybridVsockAnswer>();
  const std::string request = "CONNECT " + std::to_string(address_->port()) + "\n";
  // A new socket always has room for a few bytes unless it is broken.
  const ssize_t sent = ::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(request.size())) return Failure(sent < 0 ? errno : EPIPE);
  Await(EV_READ | EV_PERSIST, &Connector::OnReadable);
  return std::nullopt;
}

Connector::Outcome Connector::Failure(int error_number) const {
  StatusCode code = StatusCode::kUnknown;
  if (address_->is_unix()) {
    // Once the socket is connected, an error comes from the port or from the machine's monitor.
    const bool absent = error_number == ENOENT || error_number == ECONNREFUSED;
    if (absent && !answer_) code = StatusCode::kNotFound;
    if (answer_) code = StatusCode::kUnavailable;
  } else if (error_number == ECONNRESET || error_number == ECONNREFUSED || error_number == ENODEV) {
    code = StatusCode::kUnavailable;
  }
  return Status(code, std::generic_category().message(error_number));
}

void Connector::Await(short events, void (Connector::*ready)()) {
  ready_ = ready;
  event_.reset(event_new(
      loop_.base(), socket_.get(), events,
      [](evutil_socket_t, short, void* self) {
        auto* connector = static_cast<Connector*>(self);
        (connector->*connector->ready_)();
      },
      this));
  event_add(event_.get(), nullptr);
}

void Connector::OnWritable() {
  int error_number = 0;
  socklen_t length = sizeof error_number;
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error_number, &length) != 0)
    error_number = errno;
  if (error_number != 0) return Finish(Failure(error_number));
  Finish(Connected());
}

void Connector::OnReadable() {
  // MSG_PEEK first: bytes after the answer belong to the socket's next owner.
  std::array<char, HybridVsockAnswer::kMaxLength> bytes;
  const ssize_t seen = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_PEEK);
  if (seen < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    return Finish(Failure(errno));
  }
  if (seen == 0) return Finish(Status(StatusCode::kUnavailable, "the port was refused"));
  const size_t taken = answer_->Take({bytes.data(), static_cast<size_t>(seen)});
  if (::recv(socket_.get(), bytes.data(), taken, 0) < 0) return Finish(Failure(errno));
  switch (answer_->state()) {
    case HybridVsockAnswer::State::kIncomplete:
      return;
    case HybridVsockAnswer::State::kAccepted:
      return Finish(std::move(socket_));
    case HybridVsockAnswer::State::kWrong:
      return Finish(Status(StatusCode::kUnknown, "the answer is not OK"));
  }
}

void Connector::Finish(std::optional<Outcome> outcome) {
  if (!outcome) return;
  Stop();
  done_(std::move(*outcome));
}

}  // namespace ttrpc
