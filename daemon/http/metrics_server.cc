// SPDX-License-Identifier: Apache-2.0
#include "http/metrics_server.h"

#include <utility>

#include "http/metrics.h"
#include "http/status_page.h"

namespace proxyd {

MetricsServer::MetricsServer(const DaemonInfo& info)
    : info_(info),
      listeners_(info.proxy.loop(), {.accepted =
                                         [this](size_t, ttrpc::UniqueFd connected) {
                                           http_.Serve(std::move(connected));
                                         },
                                     .paused = nullptr}),
      http_(
          info.proxy.loop(), [this](std::string_view path) { return Show(path); },
          [this](bool accepting) { listeners_.SetAccepting(accepting); }) {}

HttpReply MetricsServer::Show(std::string_view path) const {
  if (path == "/metrics")
    return {.type = "text/plain; version=0.0.4; charset=utf-8",
            .more = MetricsText(info_, MetricsParts::kAll)};
  if (path == "/") return {.type = "text/html; charset=utf-8", .body = std::string(StatusPage())};
  if (path == "/status.json") return {.type = "application/json", .more = StatusJson(info_)};
  if (path == "/healthz") return {.body = "ok\n"};
  if (path == "/readyz") {
    if (info_.draining) return {.status = 503, .body = "draining\n"};
    return {.body = "ready\n"};
  }
  return {.status = 404, .body = "Not Found: use /, /metrics, /status.json, /healthz or /readyz\n"};
}

}  // namespace proxyd
