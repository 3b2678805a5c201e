// SPDX-License-Identifier: Apache-2.0
//
// Server: serves registered services on any number of listening sockets. Call all functions on the
// loop's thread; none of them waits. The loop calls the services' methods.
//
//   ttrpc::EventLoop loop;
//   Greeter greeter;                                     // implements example::Greeter
//   ttrpc::Server server(loop.io());
//   example::RegisterGreeter(server, greeter);
//   if (ttrpc::Status status = server.Listen(address); !status.ok()) …
//   loop.RunForever();
//
// No input from a peer ends the server, or uses more memory than its options allow.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "ttrpc/address.h"
#include "ttrpc/handshaker.h"
#include "ttrpc/interceptor.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/listening_socket.h"
#include "ttrpc/message_size.h"
#include "ttrpc/service.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace ttrpc {

struct ServerOptions {
  ServerOptions() {}
  // Null: the server serves every client that can connect, and Context::credentials() is null.
  std::unique_ptr<Handshaker> handshaker;
  // A connection whose handshake takes longer is closed. 0: no limit.
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(10);
  std::vector<UnaryInterceptor> unary_interceptors;  // outermost first
  std::vector<StreamServerInterceptor> stream_interceptors;
  // Bytes of data in one message. The server neither sends nor accepts longer ones. A value above
  // kMaxMessageSize counts as kMaxMessageSize.
  uint32_t message_size = kDefaultMessageSize;
  // The maximum number of connections, including those in their handshake. The server closes
  // further ones without sending a byte. 0: no limit.
  size_t connections = 0;
  // The maximum number of calls in flight on one connection. Further calls get RESOURCE_EXHAUSTED
  // `too many streams`. A call counts until its handler has ended, even if it is already answered.
  // 0: no limit.
  size_t streams = 1024;
  // Bytes buffered for a stream that its handler does not read. All streams of a connection
  // together may buffer four times as much.
  size_t stream_buffer = 4U << 20;
  // Bytes of replies queued for a client that does not read them. Above this, the server stops
  // reading the client's connection until the queue is short again.
  size_t send_buffer = 16U << 20;
  // The loop calls this with events that no call reports: a refused connection with the reason, and
  // that the server has stopped or resumed accepting connections. It must not destroy the server.
  // May be null.
  std::function<void(const Status& what)> on_trouble;
};

class ServerCore;  // private

class Server {
 public:
  // `loop` must outlive the server.
  explicit Server(IoLoop& loop, ServerOptions options = {});
  // Calls Close().
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Registers a service; call this before the first connection. The server borrows the service's
  // names and implementation until it is destroyed. Returns ALREADY_EXISTS if a service of that
  // name is registered.
  Status Register(ServiceDescription service);

  // Makes a listening socket, owns it and serves it. Returns the status of
  // ListeningSocket::Create().
  Status Listen(const ListeningSocketOptions& options);
  Status Listen(const Address& address);
  // Owns and serves a socket that already listens, such as one from systemd. Makes it non-blocking.
  // Returns INVALID_ARGUMENT and closes it if it is not a socket or does not listen.
  Status Serve(UniqueFd listening);
  // Owns and serves a connected socket, such as one end of a socketpair. Makes it non-blocking. If
  // the connection is refused, the reason goes to ServerOptions::on_trouble. Do not call this after
  // Shutdown() or Close().
  void ServeConnection(UniqueFd connected);

  // Drains the server: stops listening, closes idle connections at once and each other connection
  // after its last call. New calls get UNAVAILABLE `ttrpc: server closed`. After `timeout`, closes
  // the remaining connections as Close() does. The loop calls `done` when no connection and no
  // handler is left. `done` may be null, and may destroy the server. Another call, such as at a
  // second SIGTERM, replaces `timeout` and `done`.
  void Shutdown(std::chrono::nanoseconds timeout, std::function<void()> done);
  // Stops listening, closes all connections and destroys the tasks and contexts of the calls in
  // flight before it returns. Do not call this from a handler: use Shutdown() with a timeout of
  // zero there.
  void Close();

  size_t connections() const;  // including those in their handshake
  size_t calls() const;  // including calls whose client has disconnected, until their handlers end

 private:
  std::unique_ptr<ServerCore> core_;
};

}  // namespace ttrpc
