// SPDX-License-Identifier: Apache-2.0
#include "http/http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "http/http_request.h"

namespace proxyd {

namespace {

struct BuffereventDeleter {
  void operator()(bufferevent* event) const { bufferevent_free(event); }
};

std::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

HttpReply Error(const HttpVerdict& verdict) {
  std::string body(Reason(verdict.status));
  if (!verdict.why.empty()) body.append(": ").append(verdict.why);
  return {.status = verdict.status, .body = body.append("\n"), .more = nullptr};
}

// This check fails closed: only a socket that the kernel reports as a Unix socket skips it.
HostCheck CheckFor(int socket) {
  int domain = 0;
  socklen_t size = sizeof domain;
  const bool known = ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0;
  return known && domain == AF_UNIX ? HostCheck::kAny : HostCheck::kLoopback;
}

bool HasUnreadBytes(int socket) {
  int count = 0;
  return ::ioctl(socket, FIONREAD, &count) == 0 && count > 0;
}

}  // namespace

struct HttpServer::Connection {
  enum class State {
    kAsking,   // the request is not complete
    kMaking,   // the reply is being built
    kReplied,  // the reply is being written
    kWritten,  // the reply is written and our side is shut down
  };

  Connection(HttpServer& s, ttrpc::UniqueFd fd)
      : server(s), hosts(CheckFor(fd.get())), deadline(s.loop_, [this] { server.Close(this); }) {
    event.reset(bufferevent_socket_new(s.loop_.base(), fd.get(), BEV_OPT_CLOSE_ON_FREE));
    if (event) static_cast<void>(fd.release());
  }

  HttpServer& server;
  const HostCheck hosts;
  std::unique_ptr<bufferevent, BuffereventDeleter> event;
  ttrpc::Timer deadline;
  State state = State::kAsking;
  std::chrono::steady_clock::time_point replied{};
  HttpReply reply;  // only in state kMaking
  bool with_body = true;
  bool ended = false;  // the client has closed its side
  size_t discarded = 0;
};

HttpServer::HttpServer(ttrpc::IoLoop& loop, Handler handler,
                       std::function<void(bool)> set_accepting)
    : loop_(loop),
      handler_(std::move(handler)),
      set_accepting_(std::move(set_accepting)),
      next_slice_(loop, [this] { MakeSlice(); }),
      tick_(loop, [this] {
        accepts_left_ = kAcceptsPerTick;
        UpdateAccepting();
      }) {}

HttpServer::~HttpServer() = default;

void HttpServer::Serve(ttrpc::UniqueFd socket) {
  --accepts_left_;
  if (!tick_.active()) tick_.Start(kTick);
  if (MakeRoom()) Add(std::move(socket));
  UpdateAccepting();
}

void HttpServer::Add(ttrpc::UniqueFd socket) {
  auto made = std::make_unique<Connection>(*this, std::move(socket));
  if (!made->event) return;
  Connection* const connection = connections_.emplace_back(std::move(made)).get();
  bufferevent_setcb(
      connection->event.get(),
      [](bufferevent*, void* self) {
        auto* own = static_cast<Connection*>(self);
        own->server.Read(own);
      },
      // The output buffer is empty.
      [](bufferevent*, void* self) {
        auto* own = static_cast<Connection*>(self);
        if (own->state == Connection::State::kReplied) own->server.Written(own);
      },
      [](bufferevent*, short what, void* self) {
        auto* own = static_cast<Connection*>(self);
        if ((what & BEV_EVENT_EOF) != 0) return own->server.Ended(own);
        own->server.Close(own);
      },
      connection);
  bufferevent_setwatermark(connection->event.get(), EV_READ, 0, kRequestBytes);
  connection->deadline.Start(kTimeout);
  if (bufferevent_enable(connection->event.get(), EV_READ | EV_WRITE) != 0) Close(connection);
}

void HttpServer::Read(Connection* connection) {
  if (connection->state == Connection::State::kAsking) {
    ReadRequest(connection);
  } else {
    Discard(connection);
  }
  // Reading decides whether this connection may yield, and thus whether the server accepts.
  UpdateAccepting();
}

void HttpServer::ReadRequest(Connection* connection) {
  evbuffer* const input = bufferevent_get_input(connection->event.get());
  const size_t size = evbuffer_get_length(input);
  const auto* bytes = reinterpret_cast<const char*>(evbuffer_pullup(input, -1));
  const std::string_view text(bytes, bytes != nullptr ? size : 0);
  const size_t end = EndOfHead(text);
  if (end == text.npos && size < kRequestBytes) return;
  HttpRequest request;
  const HttpVerdict verdict =
      end == text.npos ? HttpVerdict{431, {}}
                       : ParseHttpRequest(text.substr(0, end), connection->hosts, &request);
  HttpReply reply = verdict.status == 200 ? handler_(request.path) : Error(verdict);
  Answer(connection, std::move(reply), request.method != "HEAD");
  Discard(connection);
}

// Drops bytes after the request, since a connection serves only one.
void HttpServer::Discard(Connection* connection) {
  evbuffer* const input = bufferevent_get_input(connection->event.get());
  const size_t size = evbuffer_get_length(input);
  evbuffer_drain(input, size);
  connection->discarded += size;
  if (connection->discarded > kDiscardedBytes) Close(connection);
}

// Closing a socket with unread bytes would reset it and lose the rest of the reply. So we shut down
// our side and leave the client until the deadline to close.
void HttpServer::Written(Connection* connection) {
  if (connection->ended) return Close(connection);
  connection->state = Connection::State::kWritten;
  ::shutdown(bufferevent_getfd(connection->event.get()), SHUT_WR);
  UpdateAccepting();
}

// A client may shut down its side after the request and still wait for the reply.
void HttpServer::Ended(Connection* connection) {
  const bool awaits_reply = connection->state == Connection::State::kMaking ||
                            connection->state == Connection::State::kReplied;
  if (!awaits_reply) return Close(connection);
  connection->ended = true;
}

void HttpServer::Answer(Connection* connection, HttpReply reply, bool with_body) {
  connection->reply = std::move(reply);
  connection->with_body = with_body;
  if (!connection->reply.more) return Reply(connection);
  connection->state = Connection::State::kMaking;
  making_.push_back(connection);
  if (!next_slice_.active()) next_slice_.Start(std::chrono::nanoseconds(0));
}

// Each turn of the loop builds one slice of one reply, however many clients wait.
void HttpServer::MakeSlice() {
  if (making_.empty()) return;
  Connection* const connection = making_.front();
  HttpReply& reply = connection->reply;
  if (!reply.more->AppendSlice(&reply.body)) {
    making_.pop_front();
    Reply(connection);
  }
  if (!making_.empty()) next_slice_.Start(std::chrono::nanoseconds(0));
}

void HttpServer::Reply(Connection* connection) {
  const HttpReply reply = std::exchange(connection->reply, HttpReply());
  connection->state = Connection::State::kReplied;
  connection->replied = loop_.Now();
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  head.append(Reason(reply.status)).append("\r\nContent-Type: ").append(reply.type);
  head.append("\r\nContent-Length: ").append(std::to_string(reply.body.size()));
  if (reply.status == 405) head.append("\r\nAllow: GET, HEAD");
  // Replies must not load other content, be cached, or be embedded in another page.
  head.append(
      "\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff"
      "\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin"
      "\r\nContent-Security-Policy: default-src 'none'; "
      "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\r\n");
  bufferevent_write(connection->event.get(), head.data(), head.size());
  if (connection->with_body)
    bufferevent_write(connection->event.get(), reply.body.data(), reply.body.size());
}

void HttpServer::Close(Connection* connection) {
  const auto found =
      std::find_if(connections_.begin(), connections_.end(),
                   [connection](const auto& own) { return own.get() == connection; });
  if (found == connections_.end()) return;
  std::erase(making_, connection);
  connections_.erase(found);
  UpdateAccepting();
}

// Unread bytes may be a request: the server accepts several connections before it reads the first,
// and the last of them must not cost the first its reply.
bool HttpServer::Yields(const Connection& connection) const {
  switch (connection.state) {
    case Connection::State::kAsking:
      return !HasUnreadBytes(bufferevent_getfd(connection.event.get()));
    case Connection::State::kMaking:
      return false;
    case Connection::State::kReplied:
      return connection.replied <= loop_.Now() - kStuck;
    case Connection::State::kWritten:
      return true;
  }
  return false;
}

// Returns the connection to close for a new one: the oldest without a request, else the oldest with
// its whole reply written, else the oldest that is stuck in its reply. Returns null if all are
// being served. Without this a local user could lock out a scraper with 16 idle connections.
HttpServer::Connection* HttpServer::FindYielding() const {
  using State = Connection::State;
  for (const State state : {State::kAsking, State::kWritten, State::kReplied}) {
    for (const auto& connection : connections_) {
      if (connection->state == state && Yields(*connection)) return connection.get();
    }
  }
  return nullptr;
}

bool HttpServer::MakeRoom() {
  if (connections_.size() < kConnections) return true;
  Connection* const yielding = FindYielding();
  if (yielding != nullptr) Close(yielding);
  return yielding != nullptr;
}

void HttpServer::UpdateAccepting() {
  const bool full = connections_.size() >= kConnections;
  // A connection that is being served now may count as stuck at the next tick.
  if (full && !tick_.active()) tick_.Start(kTick);
  const bool accepting = accepts_left_ > 0 && (!full || FindYielding() != nullptr);
  if (accepting == accepting_) return;
  accepting_ = accepting;
  set_accepting_(accepting);
}

}  // namespace proxyd
