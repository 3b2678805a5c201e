// SPDX-License-Identifier: Apache-2.0
//
// ServerCore: the state of a server: services, listening sockets, connections, and the tasks of the
// handlers. Use it on the loop's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "server_connection.h"
#include "ttrpc/server.h"
#include "ttrpc/timer.h"
#include "ttrpc/wire/acceptor.h"
#include "ttrpc/wire/request.h"

namespace ttrpc {

class ServerCore {
 public:
  struct KnownMethod {
    KnownMethod(std::string_view service, const Method& m)
        : method(m), info(service, m.name, m.client_streams, m.server_streams) {}
    Method method;
    MethodInfo info;
  };
  struct Service {
    void* implementation;
    std::unordered_map<std::string_view, KnownMethod> methods;
  };

  ServerCore(IoLoop& loop, ServerOptions options);
  ~ServerCore();
  ServerCore(const ServerCore&) = delete;
  ServerCore& operator=(const ServerCore&) = delete;

  Status Register(ServiceDescription service);
  const std::unordered_map<std::string_view, Service>& services() const { return services_; }

  void Listen(ListeningSocket socket);
  void Listen(UniqueFd socket);
  void Accept(UniqueFd socket);
  void Shutdown(std::chrono::nanoseconds timeout, std::function<void()> done);
  void Close();

  IoLoop& loop() { return loop_; }
  const ServerOptions& options() const { return options_; }
  size_t connections() const { return connections_.size() + handshakes_.size(); }
  size_t calls() const;
  // Buffer for the request that is being parsed.
  RequestView& request_buffer() { return request_; }

  // Runs the handler until it first waits or ends. `request` is valid until then.
  void RunUnary(std::unique_ptr<ServerCall> call, Method::Unary handler, void* service,
                std::string_view request);
  void RunStream(std::unique_ptr<ServerStream> stream, Method::Stream handler, void* service);

  // Notes that a call is being destroyed.
  void OnHandlerEnded() {
    if (closed_) ReapSoon();
  }
  // Destroys a closed connection once the callbacks of this wake-up have returned.
  void Bury(ServerConnection& connection);

 private:
  struct Listening;
  struct Handshaking;

  void StartListening(std::unique_ptr<Listening> listening);
  Task<void> Shake(std::list<Handshaking>::iterator position, UniqueFd socket);
  void Bury(std::list<Handshaking>::iterator position);
  void Serve(UniqueFd socket, std::shared_ptr<const HandshakenPeer> peer);
  void Trouble(const Status& what);
  void ReapSoon();
  void Reap();

  IoLoop& loop_;
  const ServerOptions options_;
  std::unordered_map<std::string_view, Service> services_;
  RequestView request_;
  bool closed_ = false;  // accepts no new connections
  std::function<void()> done_;
  std::list<std::unique_ptr<Listening>> listening_;
  std::list<Handshaking> handshakes_, dead_handshakes_;
  std::list<ServerConnection> connections_, dead_connections_;
  Timer reaper_;
  Timer give_up_;
  TaskGroup tasks_;
};

}  // namespace ttrpc
