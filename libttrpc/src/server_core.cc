// SPDX-License-Identifier: Apache-2.0
#include "server_core.h"

#include <sys/socket.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "server_chain.h"

namespace ttrpc {

namespace {

ServerOptions Checked(ServerOptions options) {
  options.message_size = std::min(options.message_size, kMaxMessageSize);
  return options;
}

}  // namespace

struct ServerCore::Listening {
  std::optional<ListeningSocket> made;
  UniqueFd given;
  std::optional<Acceptor> acceptor;
};

struct ServerCore::Handshaking {
  explicit Handshaking(ServerCore& core)
      : timer(core.loop_, [this, &core] {
          core.Trouble({StatusCode::kDeadlineExceeded, "handshake timeout"});
          core.Bury(position);
        }) {}
  std::list<Handshaking>::iterator position;
  bool buried = false;  // the result is ignored
  Timer timer;
  TaskGroup task;
};

ServerCore::ServerCore(IoLoop& loop, ServerOptions options)
    : loop_(loop),
      options_(Checked(std::move(options))),
      reaper_(loop, [this] { Reap(); }),
      give_up_(loop, [this] { Close(); }) {}

ServerCore::~ServerCore() {
  done_ = nullptr;
  Close();
}

Status ServerCore::Register(ServiceDescription service) {
  const auto [entry, is_new] =
      services_.try_emplace(service.name, Service{service.implementation, {}});
  if (!is_new)
    return {StatusCode::kAlreadyExists,
            "service " + std::string(service.name) + " is already registered"};
  for (const Method& method : service.methods)
    entry->second.methods.try_emplace(method.name, service.name, method);
  return {};
}

size_t ServerCore::calls() const {
  size_t count = 0;
  for (const ServerConnection& connection : connections_) count += connection.calls();
  return count;
}

void ServerCore::Trouble(const Status& what) {
  if (options_.on_trouble) options_.on_trouble(what);
}

// Accepting.

void ServerCore::Listen(ListeningSocket socket) {
  auto listening = std::make_unique<Listening>();
  listening->made.emplace(std::move(socket));
  StartListening(std::move(listening));
}

void ServerCore::Listen(UniqueFd socket) {
  auto listening = std::make_unique<Listening>();
  listening->given = std::move(socket);
  StartListening(std::move(listening));
}

void ServerCore::StartListening(std::unique_ptr<Listening> listening) {
  if (closed_) return;
  AcceptorCallbacks callbacks;
  callbacks.accepted = [this](UniqueFd socket) { Accept(std::move(socket)); };
  callbacks.paused = [this](int error_number) {
    Trouble(error_number == 0 ? Status(StatusCode::kUnknown, "accepting connections again")
                              : Status(StatusCode::kResourceExhausted,
                                       "cannot accept connections: " +
                                           std::generic_category().message(error_number)));
  };
  const int fd = listening->made ? listening->made->fd() : listening->given.get();
  listening->acceptor.emplace(loop_, fd, std::move(callbacks));
  listening_.push_back(std::move(listening));
}

void ServerCore::Accept(UniqueFd socket) {
  if (closed_) return;
  if (options_.connections != 0 && connections() >= options_.connections) {
    Trouble({StatusCode::kResourceExhausted, "too many connections"});
    return;
  }
  if (!options_.handshaker) return Serve(std::move(socket), nullptr);
  const auto position = handshakes_.emplace(handshakes_.end(), *this);
  position->position = position;
  if (options_.handshake_timeout > std::chrono::nanoseconds(0))
    position->timer.Start(options_.handshake_timeout);
  position->task.Spawn(Shake(position, std::move(socket)));
}

Task<void> ServerCore::Shake(std::list<Handshaking>::iterator position, UniqueFd socket) {
  Result<Handshaken> handshaken = co_await options_.handshaker->Handshake(loop_, std::move(socket));
  if (position->buried) co_return;
  Bury(position);
  if (!handshaken) {
    Trouble(handshaken.error());
  } else if (!closed_) {
    Serve(std::move(handshaken->socket),
          std::make_shared<const HandshakenPeer>(std::move(handshaken->credentials),
                                                 std::move(handshaken->session)));
  }
}

void ServerCore::Serve(UniqueFd socket, std::shared_ptr<const HandshakenPeer> peer) {
  connections_.emplace_back(*this, std::move(socket), std::move(peer));
  connections_.back().Start(std::prev(connections_.end()));
}

// Handlers.

void ServerCore::RunUnary(std::unique_ptr<ServerCall> call, Method::Unary handler, void* service,
                          std::string_view request) {
  if (options_.unary_interceptors.empty()) {
    tasks_.Spawn(server_chain::Run(std::move(call), handler, service, request));
  } else {
    tasks_.Spawn(server_chain::RunIntercepted(options_, std::move(call), {handler, service},
                                              std::string(request)));
  }
}

void ServerCore::RunStream(std::unique_ptr<ServerStream> stream, Method::Stream handler,
                           void* service) {
  if (options_.stream_interceptors.empty()) {
    tasks_.Spawn(server_chain::Run(std::move(stream), handler, service));
  } else {
    tasks_.Spawn(server_chain::RunIntercepted(options_, std::move(stream), {handler, service}));
  }
}

// Ends.

void ServerCore::Bury(ServerConnection& connection) {
  dead_connections_.splice(dead_connections_.end(), connections_, connection.position());
  ReapSoon();
}

void ServerCore::Bury(std::list<Handshaking>::iterator position) {
  position->buried = true;
  position->timer.Stop();
  dead_handshakes_.splice(dead_handshakes_.end(), handshakes_, position);
  ReapSoon();
}

void ServerCore::ReapSoon() {
  if (!reaper_.active()) reaper_.Start(std::chrono::nanoseconds(0));
}

void ServerCore::Reap() {
  dead_handshakes_.clear();
  dead_connections_.clear();
  if (!closed_ || !done_ || connections() > 0 || !tasks_.empty()) return;
  give_up_.Stop();
  // `done` may destroy this.
  const auto done = std::exchange(done_, nullptr);
  done();
}

void ServerCore::Shutdown(std::chrono::nanoseconds timeout, std::function<void()> done) {
  closed_ = true;
  done_ = std::move(done);
  listening_.clear();
  while (!handshakes_.empty()) Bury(handshakes_.begin());
  for (auto next = connections_.begin(); next != connections_.end();) {
    // Drain() may remove the connection from the list.
    ServerConnection& connection = *next++;
    connection.Drain();
  }
  give_up_.Start(timeout);
  ReapSoon();
}

void ServerCore::Close() {
  closed_ = true;
  listening_.clear();
  while (!handshakes_.empty()) Bury(handshakes_.begin());
  // First, because closing the connections would cancel the handlers' contexts.
  tasks_.Clear();
  while (!connections_.empty()) {
    connections_.front().Close();
    Bury(connections_.front());
  }
}

}  // namespace ttrpc
