// SPDX-License-Identifier: Apache-2.0
//
// HttpServer: answers GET, one request for each connection, for a scraper and a browser on this
// machine. It bounds the connections, the time that each may take and how many are accepted a
// second, so that no other user of this machine can hold up the loop. Where all places are taken,
// the connection that loses least by it makes room for the next: see FindYielding(). While there is
// none, further ones wait to be accepted. Bodies that may be long are made one after another, a
// slice in each turn of the loop.
//
// HTTP is our own because no library that we would keep sets these bounds without bringing a second
// event loop into a daemon that runs as root. libevent's server, which shares our loop, has none of
// them, and spins when there are no descriptors left to accept with. On the loop's thread.
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
  std::unique_ptr<SlicedText> more = {};  // of the body; null: none
};

class HttpServer {
 public:
  static constexpr size_t kConnections = 16;
  static constexpr size_t kRequestBytes = 8192;
  static constexpr size_t kDiscardedBytes = 65536;  // of what else comes, until the other side ends
  static constexpr auto kTimeout = std::chrono::seconds(10);  // for each connection, in all
  static constexpr auto kStuck = std::chrono::seconds(1);     // for a reply, where places are short
  static constexpr int kAcceptsPerTick = 10;
  static constexpr auto kTick = std::chrono::milliseconds(100);

  // `path`: without its query. Called by the loop.
  using Handler = std::function<HttpReply(std::string_view path)>;

  // `set_accepting` is told whether Serve() may be called, whenever that changes. `loop` must
  // outlive it.
  HttpServer(ttrpc::IoLoop& loop, Handler handler, std::function<void(bool)> set_accepting);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // `socket` is connected and non-blocking. It is closed at once if no connection makes room for
  // it: a request may have come since `set_accepting` was last called.
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
  bool MakeRoom();  // false: there is none to be made
  void UpdateAccepting();

  ttrpc::IoLoop& loop_;
  const Handler handler_;
  const std::function<void(bool)> set_accepting_;
  std::list<std::unique_ptr<Connection>> connections_;  // the oldest first
  std::deque<Connection*> making_;  // whose replies have slices to be made, in turn
  ttrpc::Timer next_slice_;
  bool accepting_ = true;
  int accepts_left_ = kAcceptsPerTick;
  ttrpc::Timer tick_;
};

}  // namespace proxyd
