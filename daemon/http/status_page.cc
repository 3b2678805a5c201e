// SPDX-License-Identifier: Apache-2.0
#include "http/status_page.h"

#include <unistd.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "observe/audit_line.h"
#include "observe/labeled_counters.h"
#include "observe/process_stats.h"

namespace proxyd {

namespace {

using nlohmann::json;

int64_t Milliseconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

json Listeners(const DaemonInfo& info) {
  json list = json::array();
  for (const ListenerConfig& listener : info.config().listeners) {
    const auto& by_listener = info.proxy.worker().labeled_counters().listeners();
    const ListenerCounters& counts = by_listener.at(listener.name);
    list.push_back({{"name", listener.name},
                    {"address", ToString(listener.address)},
                    {"peers", counts.peers},
                    {"admitted", counts.admitted},
                    {"refused", counts.refused()}});
  }
  return list;
}

json Backends(const DaemonInfo& info) {
  json list = json::array();
  for (const BackendConfig& backend : info.config().backends) {
    const BackendCounters& counts =
        info.proxy.worker().labeled_counters().backends().at(backend.name);
    json addresses = json::array();
    for (const ttrpc::Address& address : backend.addresses) addresses.push_back(address.ToString());
    list.push_back({{"name", backend.name},
                    {"addresses", std::move(addresses)},
                    {"up", counts.up},
                    {"tried", counts.connects + counts.connects_failed > 0},
                    {"error", counts.last_error},
                    {"connections", counts.connections},
                    {"calls", counts.calls_in_flight},
                    {"count", counts.durations.count()},
                    {"sum", std::chrono::duration<double>(counts.durations.sum()).count()},
                    {"buckets", counts.durations.buckets()}});
  }
  return list;
}

// Of all methods together, by status.
json Outcomes(const LabeledCounters& labeled) {
  std::map<std::string, uint64_t> outcomes;
  for (const auto& [key, method] : labeled.methods()) {
    for (size_t code = 0; code < method.ended.size(); ++code) {
      if (method.ended[code] == 0) continue;
      outcomes[std::string(ttrpc::StatusCodeName(static_cast<ttrpc::StatusCode>(code)))] +=
          method.ended[code];
    }
  }
  return outcomes;
}

// Calls that a rule has denied, or that none has allowed.
uint64_t Denied(const LabeledCounters& labeled) {
  uint64_t denied = 0;
  for (const auto& [key, rule] : labeled.rules()) {
    if (key.enforced && key.action == RuleConfig::Action::kDeny) denied += rule.decisions;
  }
  return denied;
}

json Users(const DaemonInfo& info) {
  json list = json::array();
  for (const Accounting::Usage& user : info.proxy.accounting().usage()) {
    list.push_back({{"uid", user.uid},
                    {"user", info.reports.audit().UserName(user.uid)},
                    {"connections", user.connections},
                    {"calls", user.calls},
                    {"buffered", user.buffered}});
  }
  return list;
}

json Limits(const LimitsConfig& limits) {
  return {{"connections", limits.connections},
          {"connections_per_user", limits.connections_per_user},
          {"calls_per_user", limits.calls_per_user},
          {"buffered_per_user", limits.buffered_per_user},
          {"buffered", limits.buffered}};
}

json Refusals(const Reports& reports) {
  json list = json::array();
  for (const Refusal& refusal : reports.refusals()) {
    json entry = {{"time", Milliseconds(refusal.time)},
                  {"event", EventName(refusal.event)},
                  {"listener", refusal.listener},
                  {"pid", refusal.pid},
                  {"service", refusal.service},
                  {"method", refusal.method},
                  {"rule", refusal.rule}};
    if (refusal.uid != static_cast<uid_t>(-1)) {
      entry["uid"] = refusal.uid;
      entry["user"] = reports.audit().UserName(refusal.uid);
    }
    entry["reason"] = ReasonName(refusal.reason);
    entry["limit"] = refusal.limit;
    entry["detail"] = refusal.detail;
    if (refusal.code) entry["code"] = ttrpc::StatusCodeName(*refusal.code);
    list.push_back(std::move(entry));
  }
  return list;
}

json Bounds() {
  json list = json::array();
  for (const auto bound : Histogram::kBounds)
    list.push_back(std::chrono::duration<double>(bound).count());
  return list;
}

}  // namespace

std::string StatusJson(const DaemonInfo& info) {
  const LabeledCounters& labeled = info.proxy.worker().labeled_counters();
  const WorkerCounters& counters = info.proxy.counters();
  const Accounting& accounting = info.proxy.accounting();
  const ProcessStats process = ReadProcessStats();
  const json status = {
      {"version", TTRPC_PROXY_VERSION},
      {"pid", ::getpid()},
      {"now", Milliseconds(std::chrono::system_clock::now())},
      {"started", Milliseconds(info.started)},
      {"loaded", Milliseconds(info.loaded)},
      {"config", info.config().file},
      {"digest", info.digest},
      {"reloads", info.reloads},
      {"reloads_refused", info.reloads_refused},
      {"draining", info.draining},
      {"sandboxed", info.sandboxed},
      {"audit_lost", info.reports.audit().lost()},
      {"connections", accounting.connections()},
      {"buffered", accounting.buffered()},
      {"resident", process.resident_bytes},
      {"descriptors", process.open_descriptors},
      {"most_descriptors", process.most_descriptors},
      {"received", counters.peer_bytes.received},
      {"sent", counters.peer_bytes.sent},
      {"limits", Limits(info.config().limits)},
      {"listeners", Listeners(info)},
      {"backends", Backends(info)},
      {"bounds", Bounds()},
      {"outcomes", Outcomes(labeled)},
      {"denied", Denied(labeled)},
      {"users", Users(info)},
      {"refusals", Refusals(info.reports)},
  };
  // What a peer sent need not be text.
  return status.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string_view StatusPage() {
  static constexpr std::string_view kPage =
#include "http/status_page.inc"
      ;
  return kPage;
}

}  // namespace proxyd
