// SPDX-License-Identifier: Apache-2.0
//
// MetricsServer: implements [metrics], the socket and the pages served on it. It runs on the loop's
// thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "http/http_server.h"
#include "proxy/daemon_info.h"
#include "proxy/listener_set.h"
#include "ttrpc/status.h"

namespace proxyd {

class MetricsServer {
 public:
  // `info` must outlive this object.
  explicit MetricsServer(const DaemonInfo& info);
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  // ListenerSet documents these.
  std::vector<ListenerSet::Here> here() const { return listeners_.here(); }
  ttrpc::Result<ListenerSet::Change> Prepare(const Config& after, ListenerSet::NewSockets made) {
    return listeners_.Prepare(SocketsOf(after.metrics), std::move(made));
  }
  ttrpc::Result<ListenerSet::Change> Prepare(const Config& after) {
    return listeners_.Prepare(SocketsOf(after.metrics));
  }
  [[nodiscard]] std::vector<BoundSocket> Commit(ListenerSet::Change change) {
    return listeners_.CommitAndLog(std::move(change));
  }
  // Stops listening and removes the socket. Connections stay open. A drain begins with this.
  void StopListening() { listeners_.Clear(); }

 private:
  HttpReply Show(std::string_view path) const;

  const DaemonInfo& info_;
  ListenerSet listeners_;
  HttpServer http_;
};

}  // namespace proxyd
