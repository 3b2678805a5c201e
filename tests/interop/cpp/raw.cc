// SPDX-License-Identifier: Apache-2.0
//
// Checks that write what the library refuses to write. Sockets are blocking, and run.sh limits the
// time of the process.
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <utility>

#include "check.h"
#include "ttrpc/wire/message.h"
#include "ttrpc/wire/request.h"
#include "ttrpc/wire/response.h"

namespace interop {
namespace {

constexpr int64_t kShortDeadline = 200'000'000;

class RawConnection {
 public:
  explicit RawConnection(const std::string& address)
      : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const ttrpc::SocketAddress where = ttrpc::Address::Parse(address)->ToSocketAddress();
    if (::connect(socket_.get(), where.get(), where.length) != 0) Wrong("cannot connect");
  }

  void Send(uint32_t id, const char* method, const std::string& payload, int64_t timeout = 0) {
    ttrpc::RequestView request;
    request.service = "interop.v1.Echo";
    request.method = method;
    request.payload = payload;
    request.timeout_nano = timeout;
    const size_t size = ttrpc::EncodedRequestSize(request);
    std::string message(ttrpc::kMessageHeaderLength + size, '\0');
    ttrpc::EncodeMessageHeader({.length = static_cast<uint32_t>(size), .stream_id = id},
                               message.data());
    ttrpc::EncodeRequest(request, message.data() + ttrpc::kMessageHeaderLength);
    for (size_t sent = 0; sent < message.size();) {
      const ssize_t n =
          ::send(socket_.get(), message.data() + sent, message.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) Wrong("cannot send");
      sent += static_cast<size_t>(n);
    }
  }

  std::pair<uint32_t, ttrpc::Status> Receive() {
    const std::string header = Read(ttrpc::kMessageHeaderLength);
    const ttrpc::MessageHeader decoded = ttrpc::DecodeMessageHeader(header.data());
    const std::string data = Read(decoded.length);
    if (decoded.type != ttrpc::MessageType::kResponse) Wrong("another message than a response");
    ttrpc::ResponseView response;
    if (!ttrpc::ParseResponse(data, &response).ok()) Wrong("not a response");
    return {decoded.stream_id, ttrpc::StatusOf(response)};
  }

 private:
  std::string Read(size_t size) {
    std::string bytes(size, '\0');
    for (size_t have = 0; have < size;) {
      const ssize_t n = ::recv(socket_.get(), bytes.data() + have, size - have, 0);
      if (n <= 0) Wrong("the connection was closed");
      have += static_cast<size_t>(n);
    }
    return bytes;
  }

  ttrpc::UniqueFd socket_;
};

}  // namespace

// Sends a request of one byte more than the maximum, and after it one that must still be answered.
std::string OversizedRaw(const std::string& address) {
  RawConnection connection(address);
  pb::EchoRequest request;
  request.set_payload(std::string(PayloadFor(kMessageMax) + 1, '\0'));
  connection.Send(1, "Echo", request.SerializeAsString());
  connection.Send(3, "Echo", "");
  std::string outcome, later = "closed";
  for (int i = 0; i < 2; ++i) {
    const auto [id, status] = connection.Receive();
    if (id == 1) outcome = CodeAndText(status);
    if (id == 3 && status.ok()) later = "open";
  }
  return outcome + ", " + later;
}

// Sends a timeout that the client itself does not enforce, so that the answer comes from the other
// side.
std::string DeadlineWire(const std::string& address) {
  RawConnection connection(address);
  pb::WaitRequest key;
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  key.set_key("deadline-wire-cpp-" + std::to_string(::getpid()) + "-" + std::to_string(now));
  const std::string bytes = key.SerializeAsString();
  connection.Send(1, "Sleep", bytes, kShortDeadline);
  const std::string outcome = Code(connection.Receive().second);
  connection.Send(3, "Echo", "");
  const bool open = connection.Receive().second.ok();
  connection.Send(5, "Ended", bytes);
  if (!connection.Receive().second.ok()) Wrong("waiting for the end at the server");
  return outcome + (open ? ", open" : ", then closed");
}

}  // namespace interop
