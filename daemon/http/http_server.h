// SPDX-License-Identifier: Apache-2.0
//
// HttpServer: answers GET with what is shown there, one request for each connection. It is for a
// scraper and a browser on this machine, and bounded so that nobody else there can hold up the loop
// through it: so many connections, each for so long, so many a second; the others wait to be
// accepted. libevent's own server knows no such bounds, and would spin without descriptors. On the
// loop's thread.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

struct HttpReply {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

class HttpServer {
 public:
  static constexpr size_t kConnections = 16;
  static constexpr size_t kRequestBytes = 8192;
  static constexpr size_t kDiscardedBytes = 65536;  // of what else comes, until the other side ends
  static constexpr auto kTimeout = std::chrono::seconds(10);  // for each connection, in all
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

  // `socket` is connected and non-blocking.
  void Serve(ttrpc::UniqueFd socket);

 private:
  struct Connection;

  void Read(Connection* connection);
  void Discard(Connection* connection);
  void Written(Connection* connection);
  void Ended(Connection* connection);
  void Reply(Connection* connection, const HttpReply& reply, bool with_body);
  void Close(Connection* connection);
  void UpdateAccepting();

  ttrpc::IoLoop& loop_;
  const Handler handler_;
  const std::function<void(bool)> set_accepting_;
  std::list<std::unique_ptr<Connection>> connections_;
  bool accepting_ = true;
  int accepts_left_ = kAcceptsPerTick;
  ttrpc::Timer tick_;
};

}  // namespace proxyd
