// SPDX-License-Identifier: Apache-2.0
//
// Server: serves registered services on any number of listening sockets. All functions are called
// on the loop's thread, and none waits; the loop calls the services' methods.
//
//   ttrpc::EventLoop loop;
//   Greeter greeter;                                     // implements example::Greeter
//   ttrpc::Server server(loop.io());
//   example::RegisterGreeter(server, greeter);
//   if (ttrpc::Status status = server.Listen(address); !status.ok()) …
//   loop.RunForever();
//
// What peers send never ends the server, and costs no more than the limits in its options allow.
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
  // Null: everybody who can connect is served, and Context::credentials() is null.
  std::unique_ptr<Handshaker> handshaker;
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(10);
  std::vector<UnaryInterceptor> unary_interceptors;  // outermost first
  std::vector<StreamServerInterceptor> stream_interceptors;
  uint32_t message_size = kDefaultMessageSize;  // longer ones are neither sent nor taken
  // The most connections at once, including those in their handshake; more are closed without a
  // byte. 0: any number.
  size_t connections = 0;
  // The most calls at once on one connection; more get RESOURCE_EXHAUSTED `too many streams`. 0:
  // any number. A call whose client has its answer counts until its handler has ended.
  size_t streams = 1024;
  // Bytes kept for a stream that is not read; for all those of a connection, four times as many.
  size_t stream_buffer = 4U << 20;
  // Bytes of replies kept for a connection that takes none; from here on it is not read.
  size_t send_buffer = 16U << 20;
  // The loop calls it with what no caller learns: why a connection was refused, that accepting
  // pauses and goes on. It must not destroy the server. May be null.
  std::function<void(const Status& what)> on_trouble;
};

class ServerCore;  // private

class Server {
 public:
  // `loop` must outlive the server.
  explicit Server(IoLoop& loop, ServerOptions options = {});
  // Close().
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // To be called before the first connection. The server borrows the service's names and
  // implementation until it is destroyed. ALREADY_EXISTS: a service of that name is registered.
  Status Register(ServiceDescription service);

  // Makes a listening socket, owns and serves it. The statuses are ListeningSocket::Create()'s.
  Status Listen(const ListeningSocketOptions& options);
  Status Listen(const Address& address);
  // Owns and serves a socket that already listens, such as one that systemd passed, and makes it
  // non-blocking. INVALID_ARGUMENT: it does not listen; it is closed.
  Status Serve(UniqueFd listening);
  // Owns and serves a connected socket, such as an end of a socketpair, and makes it non-blocking.
  // Not to be called after Shutdown() or Close(). A refusal goes to ServerOptions::on_trouble.
  void ServeConnection(UniqueFd connected);

  // Stops listening, closes idle connections now and each other one after its last call; new calls
  // get UNAVAILABLE `ttrpc: server closed`. After `timeout` the rest is closed as by Close(). The
  // loop calls `done`, which may be null and may destroy the server, when no connection and no
  // handler is left. To be called once.
  void Shutdown(std::chrono::nanoseconds timeout, std::function<void()> done);
  // Stops listening, closes all connections, cancels the contexts of the calls under way, and
  // destroys their tasks, before it returns. Not to be called from a handler: use Shutdown() with a
  // timeout of zero there.
  void Close();

  size_t connections() const;  // includes those in their handshake
  size_t calls() const;        // includes those whose client is gone, until their handlers end

 private:
  std::unique_ptr<ServerCore> core_;
};

}  // namespace ttrpc
