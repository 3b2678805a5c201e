// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-bench-echo: the backend of the benchmark. It answers bench.Echo/Echo, and the call of
// containerd's that the generator can make, with the payload that it received, and any other method
// with UNIMPLEMENTED. It runs until it is killed. One thread.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "socket_io.h"
#include "ttrpc/unique_fd.h"
#include "wire.h"

namespace bench {
namespace {

constexpr int kEvents = 64;
// A caller with more unread replies than this is not read.
constexpr size_t kHighWater = 4U << 20;

class EchoServer {
 public:
  explicit EchoServer(const std::string& path)
      : listener_(ListenUnix(path)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) FailErrno("epoll_create1");
    listener_interest_.Set(epoll_.get(), listener_.get(), EPOLLIN, kListenerTag);
  }

  [[noreturn]] void Run() {
    std::array<epoll_event, kEvents> events{};
    for (;;) {
      const int ready = ::epoll_wait(epoll_.get(), events.data(), kEvents, -1);
      if (ready < 0 && errno != EINTR) FailErrno("epoll_wait");
      for (int i = 0; i < ready; ++i) {
        const epoll_event& event = events[static_cast<size_t>(i)];
        if (event.data.u64 == kListenerTag) {
          AcceptAll();
        } else {
          Serve(event.data.u64, event.events);
        }
      }
    }
  }

 private:
  struct Connection {
    ttrpc::UniqueFd fd;
    InBuffer in;
    OutBuffer out;
    Interest interest;
  };

  // Every other tag is the descriptor of a connection. One wake-up reports each descriptor at most
  // once, so a tag cannot mean a connection that was closed earlier in the wake-up, unless the
  // listener accepted another one in between. That connection then finds nothing to read.
  static constexpr uint64_t kListenerTag = ~uint64_t{0};

  void AcceptAll() {
    for (;;) {
      ttrpc::UniqueFd fd(
          ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) {
        if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
        FailErrno("accept");
      }
      const auto tag = static_cast<size_t>(fd.get());
      if (connections_.size() <= tag) connections_.resize(tag + 1);
      connections_[tag] = std::make_unique<Connection>();
      connections_[tag]->fd = std::move(fd);
      Watch(tag);
    }
  }

  void Serve(size_t tag, uint32_t events) {
    Connection& connection = *connections_[tag];
    const bool alive = ((events & ~uint32_t{EPOLLOUT}) == 0 || Receive(connection)) &&
                       connection.out.Flush(connection.fd.get());
    if (alive) {
      Watch(tag);
    } else {
      connections_[tag].reset();
    }
  }

  bool Receive(Connection& connection) {
    if (connection.in.ReadFrom(connection.fd.get()) == InBuffer::ReadResult::kEnd) return false;
    while (const auto message = connection.in.NextMessage()) Answer(connection, *message);
    return true;
  }

  static void Answer(Connection& connection, const Message& message) {
    Request request;
    if (message.header.type != ttrpc::MessageType::kRequest) Fail("a message that is no request");
    if (!ParseRequest(message.data, request)) Fail("a request that does not parse");
    if ((request.service == kService && request.method == kMethod) ||
        (request.service == kTaskService && request.method == kTaskMethod)) {
      AppendReply(connection.out.bytes(), message.header.stream_id, request.payload);
    } else {
      AppendUnimplemented(connection.out.bytes(), message.header.stream_id);
    }
  }

  void Watch(size_t tag) {
    Connection& connection = *connections_[tag];
    const size_t pending = connection.out.pending();
    const uint32_t events =
        (pending < kHighWater ? uint32_t{EPOLLIN} : 0U) | (pending > 0 ? uint32_t{EPOLLOUT} : 0U);
    connection.interest.Set(epoll_.get(), connection.fd.get(), events, tag);
  }

  ttrpc::UniqueFd listener_;
  ttrpc::UniqueFd epoll_;
  Interest listener_interest_;
  std::vector<std::unique_ptr<Connection>> connections_;  // indexed by descriptor
};

int Run(int argc, char** argv) {
  std::string socket;
  CLI::App app{"Answers the calls of ttrpc-bench-load with their own payload."};
  app.add_option("--socket", socket, "path of the Unix socket to listen on")->required();
  CLI11_PARSE(app, argc, argv);
  RaiseDescriptorLimit();
  EchoServer(socket).Run();
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  try {
    return bench::Run(argc, argv);
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
