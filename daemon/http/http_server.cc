// SPDX-License-Identifier: Apache-2.0
#include "http/http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
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

HttpReply Error(int status) {
  return {.status = status, .body = std::string(Reason(status)).append("\n")};
}

}  // namespace

struct HttpServer::Connection {
  Connection(HttpServer& s, ttrpc::UniqueFd fd)
      : server(s), deadline(s.loop_, [this] { server.Close(this); }) {
    event.reset(bufferevent_socket_new(s.loop_.base(), fd.get(), BEV_OPT_CLOSE_ON_FREE));
    if (event) static_cast<void>(fd.release());
  }

  HttpServer& server;
  std::unique_ptr<bufferevent, BuffereventDeleter> event;
  ttrpc::Timer deadline;
  bool replied = false;
  bool written = false;  // all of the reply, and our side is closed
  bool ended = false;    // the other side
  size_t discarded = 0;
};

HttpServer::HttpServer(ttrpc::IoLoop& loop, Handler handler,
                       std::function<void(bool)> set_accepting)
    : loop_(loop),
      handler_(std::move(handler)),
      set_accepting_(std::move(set_accepting)),
      tick_(loop, [this] {
        accepts_left_ = kAcceptsPerTick;
        UpdateAccepting();
      }) {}

HttpServer::~HttpServer() = default;

void HttpServer::Serve(ttrpc::UniqueFd socket) {
  auto made = std::make_unique<Connection>(*this, std::move(socket));
  if (!made->event) return;
  Connection* const connection = connections_.emplace_back(std::move(made)).get();
  bufferevent_setcb(
      connection->event.get(),
      [](bufferevent*, void* self) {
        auto* own = static_cast<Connection*>(self);
        own->server.Read(own);
      },
      // All of the reply is written.
      [](bufferevent*, void* self) {
        auto* own = static_cast<Connection*>(self);
        if (own->replied) own->server.Written(own);
      },
      [](bufferevent*, short what, void* self) {
        auto* own = static_cast<Connection*>(self);
        if ((what & BEV_EVENT_EOF) != 0) return own->server.Ended(own);
        own->server.Close(own);
      },
      connection);
  bufferevent_setwatermark(connection->event.get(), EV_READ, 0, kRequestBytes);
  connection->deadline.Start(kTimeout);
  if (bufferevent_enable(connection->event.get(), EV_READ | EV_WRITE) != 0)
    return Close(connection);
  --accepts_left_;
  if (!tick_.active()) tick_.Start(kTick);
  UpdateAccepting();
}

void HttpServer::Read(Connection* connection) {
  if (connection->replied) return Discard(connection);
  evbuffer* const input = bufferevent_get_input(connection->event.get());
  const size_t size = evbuffer_get_length(input);
  const auto* bytes = reinterpret_cast<const char*>(evbuffer_pullup(input, -1));
  const std::string_view text(bytes, bytes != nullptr ? size : 0);
  const size_t end = EndOfHead(text);
  if (end == text.npos && size < kRequestBytes) return;
  HttpRequest request;
  const int status = end == text.npos ? 431 : ParseHttpRequest(text.substr(0, end), &request);
  const HttpReply reply = status == 200 ? handler_(request.path) : Error(status);
  Reply(connection, reply, request.method != "HEAD");
  Discard(connection);
}

// What comes behind a request: there is one for each connection.
void HttpServer::Discard(Connection* connection) {
  evbuffer* const input = bufferevent_get_input(connection->event.get());
  const size_t size = evbuffer_get_length(input);
  evbuffer_drain(input, size);
  connection->discarded += size;
  if (connection->discarded > kDiscardedBytes) Close(connection);
}

// A socket that is closed with bytes unread takes back what is not yet delivered. So the other side
// is told that this was all, and has until its deadline to end as well.
void HttpServer::Written(Connection* connection) {
  if (connection->ended) return Close(connection);
  connection->written = true;
  ::shutdown(bufferevent_getfd(connection->event.get()), SHUT_WR);
}

// Who has asked may well close its side, and wait for the reply.
void HttpServer::Ended(Connection* connection) {
  if (!connection->replied || connection->written) return Close(connection);
  connection->ended = true;
}

void HttpServer::Reply(Connection* connection, const HttpReply& reply, bool with_body) {
  connection->replied = true;
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  head.append(Reason(reply.status)).append("\r\nContent-Type: ").append(reply.type);
  head.append("\r\nContent-Length: ").append(std::to_string(reply.body.size()));
  if (reply.status == 405) head.append("\r\nAllow: GET, HEAD");
  // Nothing that is shown may bring anything with it, be kept, or be shown within something else.
  head.append(
      "\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff"
      "\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin"
      "\r\nContent-Security-Policy: default-src 'none'; "
      "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\r\n");
  if (with_body) head.append(reply.body);
  bufferevent_write(connection->event.get(), head.data(), head.size());
}

void HttpServer::Close(Connection* connection) {
  const auto found =
      std::find_if(connections_.begin(), connections_.end(),
                   [connection](const auto& own) { return own.get() == connection; });
  if (found == connections_.end()) return;
  connections_.erase(found);
  UpdateAccepting();
}

void HttpServer::UpdateAccepting() {
  const bool accepting = connections_.size() < kConnections && accepts_left_ > 0;
  if (accepting == accepting_) return;
  accepting_ = accepting;
  set_accepting_(accepting);
}

}  // namespace proxyd
