// SPDX-License-Identifier: Apache-2.0
//
// HttpServer: answers GET and HEAD, one request per connection, for a scraper and a browser on this
// machine. It runs on the loop's thread.
//
// No local user can hold up the loop: the number of connections, the time of each, and the accept
// rate are bounded. A full server closes one connection for the next; FindYielding() chooses it.
// If it finds none, new connections wait to be accepted. Long bodies are built one after another, a
// slice in each turn of the loop.
//
// We serve HTTP ourselves because the libraries that set these bounds would add a second event loop
// to a daemon that runs as root. libevent's server shares our loop, but has no such bounds and
// spins when accept() finds no free descriptor.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "http/http_request.h"
#include "observe/sliced_text.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

struct HttpReply {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body = {};
  std::unique_ptr<SlicedText> more = {};  // the rest of the body, built in slices; may be null
};

class HttpServer {
 public:
  static constexpr size_t kConnections = 16;
  static constexpr size_t kRequestBytes = 8192;
  static constexpr size_t kDiscardedBytes = 65536;            // most bytes read after the request
  static constexpr auto kTimeout = std::chrono::seconds(10);  // total time of a connection
  static constexpr auto kStuck = std::chrono::seconds(1);     // a slower client can lose its place
  static constexpr int kAcceptsPerTick = 10;
  static constexpr auto kTick = std::chrono::milliseconds(100);

  // Returns the reply for a path without its query. The loop calls it.
  using Handler = std::function<HttpReply(std::string_view path)>;

  // The server calls `set_accepting` whenever it changes whether Serve() may be called. `loop` must
  // outlive this object.
  HttpServer(ttrpc::IoLoop& loop, Handler handler, std::function<void(bool)> set_accepting);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // `socket` must be connected and non-blocking. It is closed at once if no connection can be
  // closed for it: a request may have arrived since the last call of `set_accepting`.
  void Serve(ttrpc::UniqueFd socket);

 private:
  struct Connection;

  void Add(ttrpc::UniqueFd socket);
  void Read(Connection* connection);
  void ReadRequest(Connection* connection);
  void Discard(Connection* connection);
  void Written(Connection* connection);
  void Ended(Connection* connection);
  void Answer(Connection* connection, HttpReply reply, bool with_body);
  void MakeSlice();
  void Reply(Connection* connection);
  void Close(Connection* connection);
  bool Yields(const Connection& connection) const;
  Connection* FindYielding() const;
  bool MakeRoom();  // false if no connection can be closed
  void UpdateAccepting();

  ttrpc::IoLoop& loop_;
  const Handler handler_;
  const std::function<void(bool)> set_accepting_;
  std::list<std::unique_ptr<Connection>> connections_;  // the oldest first
  std::deque<Connection*> making_;  // replies under construction; the first is built next
  ttrpc::Timer next_slice_;
  bool accepting_ = true;
  int accepts_left_ = kAcceptsPerTick;
  ttrpc::Timer tick_;
};

}  // namespace proxyd
