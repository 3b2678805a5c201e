// SPDX-License-Identifier: Apache-2.0
//
// ttrpc_call: makes one unary call over one connection, as whoever it is told to be, and prints
// what came back. For tests/demo.sh and for looking at a server by hand; blocking, one thread.
//
//   ttrpc_call [--uid UID] [--gid GID] SOCKET /SERVICE/METHOD [PAYLOAD_IN_HEX]
//
// Exit status: 0 the call succeeded; 1 it was answered with another status; 2 the connection was
// closed without a byte of an answer; 3 there is no answer for any other reason; 64 bad command
// line.
#include <grp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "ttrpc/message.h"
#include "ttrpc/request.h"
#include "ttrpc/response.h"
#include "ttrpc/unique_fd.h"

namespace {

using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;

// Longer than any deadline that a test gives; a call that takes it hangs.
constexpr time_t kPatienceSeconds = 30;

struct Options {
  std::string socket;
  std::string path;  // /SERVICE/METHOD
  std::string payload_hex;
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
};

std::optional<std::string> FromHex(std::string_view hex) {
  const auto digit = [](char c) {
    const auto at = std::string_view("0123456789abcdef").find(ttrpc::ToLowerAscii(c));
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
  };
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]);
    const int low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return bytes;
}

std::string ToHex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

// The server sees the effective ids of the moment of connect(2): they change before it, for good.
// Supplementary groups of the caller's would be the other user's too if they stayed.
Status Become(const Options& options) {
  if (!options.uid && !options.gid) return {};
  if (::setgroups(0, nullptr) != 0) return ttrpc::ErrnoStatus(errno, "setgroups");
  if (options.gid && ::setgid(*options.gid) != 0) return ttrpc::ErrnoStatus(errno, "setgid");
  if (options.uid && ::setuid(*options.uid) != 0) return ttrpc::ErrnoStatus(errno, "setuid");
  return {};
}

Result<ttrpc::UniqueFd> Connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return Status(StatusCode::kInvalidArgument, "the socket's path does not fit an address");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  ttrpc::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return ttrpc::ErrnoStatus(errno, "socket");
  const timeval patience{.tv_sec = kPatienceSeconds, .tv_usec = 0};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0) {
    return ttrpc::ErrnoStatus(errno, "setsockopt");
  }
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ttrpc::ErrnoStatus(errno, "connect " + path);
  }
  return socket;
}

std::string RequestMessage(const ttrpc::RequestView& request) {
  const size_t length = ttrpc::EncodedRequestSize(request);
  std::string message(ttrpc::kMessageHeaderLength + length, '\0');
  ttrpc::EncodeMessageHeader({.length = static_cast<uint32_t>(length), .stream_id = 1},
                             message.data());
  ttrpc::EncodeRequest(request, message.data() + ttrpc::kMessageHeaderLength);
  return message;
}

// EPIPE and ECONNRESET are no error here: a server that closes a peer at once may do so before the
// request is written, and what it sent before can still be read.
Status Send(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return {};
    } else if (errno != EINTR) {
      return ttrpc::ErrnoStatus(errno, "send");
    }
  }
  return {};
}

// As many bytes as there come, up to `length`.
Result<std::string> Receive(int socket, size_t length) {
  std::string bytes(length, '\0');
  size_t got = 0;
  while (got < length) {
    const ssize_t n = ::recv(socket, bytes.data() + got, length - got, 0);
    if (n > 0) {
      got += static_cast<size_t>(n);
    } else if (n == 0 || errno == ECONNRESET) {
      break;
    } else if (errno != EINTR) {
      return ttrpc::ErrnoStatus(errno, "recv");
    }
  }
  bytes.resize(got);
  return bytes;
}

// The data of the response to the call; CANCELLED if the connection was closed without a byte.
Result<std::string> ReceiveResponse(int socket) {
  const Result<std::string> header_bytes = Receive(socket, ttrpc::kMessageHeaderLength);
  if (!header_bytes) return header_bytes.error();
  if (header_bytes->empty()) return Status(StatusCode::kCancelled, "closed without a byte");
  if (header_bytes->size() < ttrpc::kMessageHeaderLength) {
    return Status(StatusCode::kDataLoss, "closed within a header");
  }
  const auto header = ttrpc::DecodeMessageHeader(header_bytes->data());
  if (header.length > ttrpc::kMaxMessageSize || header.type != ttrpc::MessageType::kResponse ||
      header.stream_id != 1) {
    return Status(StatusCode::kDataLoss, "not a response to the call");
  }
  Result<std::string> data = Receive(socket, header.length);
  if (data && data->size() < header.length) {
    return Status(StatusCode::kDataLoss, "closed within a response");
  }
  return data;
}

int Report(const Status& failure) {
  if (failure.code() == StatusCode::kCancelled) {
    std::printf("closed   without a byte of an answer\n");
    return 2;
  }
  std::fprintf(stderr, "ttrpc_call: %s\n", failure.ToString().c_str());
  return 3;
}

int Call(const Options& options, const ttrpc::RequestView& request) {
  if (const Status status = Become(options); !status.ok()) return Report(status);
  const Result<ttrpc::UniqueFd> socket = Connect(options.socket);
  if (!socket) return Report(socket.error());
  const Status sent = Send(socket->get(), RequestMessage(request));
  if (!sent.ok()) return Report(sent);
  const Result<std::string> data = ReceiveResponse(socket->get());
  if (!data) return Report(data.error());

  ttrpc::ResponseView response;
  if (const Status status = ttrpc::ParseResponse(*data, &response); !status.ok()) {
    return Report(status);
  }
  std::printf("status   %s\n", std::string(ttrpc::StatusCodeName(response.code)).c_str());
  if (!response.message.empty()) {
    std::printf("message  %s\n", std::string(response.message).c_str());
  }
  if (!response.payload.empty()) std::printf("payload  %s\n", ToHex(response.payload).c_str());
  return response.code == StatusCode::kOk ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int kUsage = 64;  // EX_USAGE
  Options options;
  CLI::App app("Makes one unary ttrpc call and prints its answer.");
  app.add_option("--uid", options.uid, "become this user before connecting");
  app.add_option("--gid", options.gid, "become this group before connecting");
  app.add_option("socket", options.socket, "path of the server's socket")->required();
  app.add_option("method", options.path, "/SERVICE/METHOD")->required();
  app.add_option("payload", options.payload_hex, "the request's payload, in hex");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }

  const size_t slash = options.path.rfind('/');
  const std::optional<std::string> payload = FromHex(options.payload_hex);
  if (!options.path.starts_with('/') || slash == 0 || !payload) {
    std::fprintf(stderr, "ttrpc_call: expected /SERVICE/METHOD and an even number of hex digits\n");
    return kUsage;
  }
  ttrpc::RequestView request;
  request.service = std::string_view(options.path).substr(1, slash - 1);
  request.method = std::string_view(options.path).substr(slash + 1);
  request.payload = *payload;
  return Call(options, request);
}
