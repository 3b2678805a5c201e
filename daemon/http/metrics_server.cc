// SPDX-License-Identifier: Apache-2.0
#include "http/metrics_server.h"

#include <utility>

#include "http/metrics.h"
#include "http/status_page.h"

namespace proxyd {

MetricsServer::MetricsServer(const DaemonInfo& info)
    : info_(info),
      endpoint_(info.proxy.loop(), "[metrics]",
                [this](ttrpc::UniqueFd connected) { http_.Serve(std::move(connected)); }),
      http_(
          info.proxy.loop(), [this](std::string_view path) { return Show(path); },
          [this](bool accepting) { endpoint_.SetAccepting(accepting); }) {}

ttrpc::Result<Endpoint::Change> MetricsServer::Prepare(const Config& after) {
  if (!after.metrics) return endpoint_.Prepare(std::nullopt);
  return endpoint_.Prepare(
      Endpoint::Place{.address = after.metrics->address, .access = after.metrics->access});
}

HttpReply MetricsServer::Show(std::string_view path) const {
  if (path == "/metrics")
    return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = MetricsText(info_)};
  if (path == "/") return {.type = "text/html; charset=utf-8", .body = std::string(StatusPage())};
  if (path == "/status.json") return {.type = "application/json", .body = StatusJson(info_)};
  if (path == "/healthz") return {.body = "ok\n"};
  if (path == "/readyz") {
    if (info_.draining) return {.status = 503, .body = "draining\n"};
    return {.body = "ready\n"};
  }
  return {.status = 404, .body = "expected /, /metrics, /status.json, /healthz or /readyz\n"};
}

}  // namespace proxyd
