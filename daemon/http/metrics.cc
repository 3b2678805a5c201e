// SPDX-License-Identifier: Apache-2.0
#include "http/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <chrono>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "config/words.h"
#include "observe/labeled_counters.h"
#include "observe/process_stats.h"

namespace proxyd {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

double Seconds(std::chrono::nanoseconds span) {
  return std::chrono::duration<double>(span).count();
}

// Families in the order in which they are begun; each sample belongs to the last.
class Families {
 public:
  void Begin(std::string_view name, MetricType type, std::string_view help) {
    MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
  }
  void Counter(std::string_view name, std::string_view help) {
    Begin(name, MetricType::Counter, help);
  }
  void Gauge(std::string_view name, std::string_view help) { Begin(name, MetricType::Gauge, help); }

  void Add(Labels labels, double value) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = std::move(labels);
    if (families_.back().type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
  }
  void Add(Labels labels, uint64_t value) { Add(std::move(labels), static_cast<double>(value)); }

  void Add(Labels labels, const Histogram& histogram) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = std::move(labels);
    metric.histogram.sample_count = histogram.count();
    metric.histogram.sample_sum = Seconds(histogram.sum());
    uint64_t below = 0;
    for (size_t i = 0; i < histogram.buckets().size(); ++i) {
      below += histogram.buckets()[i];
      const double bound = i < Histogram::kBounds.size() ? Seconds(Histogram::kBounds[i])
                                                         : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back({.cumulative_count = below, .upper_bound = bound});
    }
  }

  std::string Text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  std::vector<MetricFamily> families_;
};

void AddListeners(const LabeledCounters& labeled, Families* out) {
  out->Gauge("ttrpc_proxy_connections", "Peers that are connected.");
  for (const auto& [name, listener] : labeled.listeners())
    out->Add({{"listener", name}}, listener.peers);
  out->Counter("ttrpc_proxy_connections_total",
               "Connections that were accepted, by what became "
               "of them.");
  for (const auto& [name, listener] : labeled.listeners()) {
    out->Add({{"listener", name}, {"result", "admitted"}}, listener.admitted);
    out->Add({{"listener", name}, {"result", "not_admitted"}}, listener.not_admitted);
    out->Add({{"listener", name}, {"result", "no_credentials"}}, listener.no_credentials);
    out->Add({{"listener", name}, {"result", "over_limit"}}, listener.over_limit);
  }
}

void AddBackends(const LabeledCounters& labeled, Families* out) {
  out->Gauge("ttrpc_proxy_calls_in_flight", "Calls that a backend has not answered yet.");
  for (const auto& [name, backend] : labeled.backends())
    out->Add({{"backend", name}}, backend.calls_in_flight);
  out->Begin("ttrpc_proxy_call_duration_seconds", MetricType::Histogram,
             "How long calls took, from their request to their end.");
  for (const auto& [name, backend] : labeled.backends())
    out->Add({{"backend", name}}, backend.durations);
  out->Gauge("ttrpc_proxy_backend_up", "Whether the last attempt to connect succeeded.");
  for (const auto& [name, backend] : labeled.backends())
    out->Add({{"backend", name}}, uint64_t{backend.up});
  out->Counter("ttrpc_proxy_backend_connects_total", "Attempts to connect.");
  for (const auto& [name, backend] : labeled.backends()) {
    out->Add({{"backend", name}, {"result", "connected"}}, backend.connects);
    out->Add({{"backend", name}, {"result", "failed"}}, backend.connects_failed);
  }
}

void AddCalls(const LabeledCounters& labeled, Families* out) {
  out->Counter("ttrpc_proxy_calls_total",
               "Calls that have ended, those included that were refused; by status.");
  for (const auto& [key, method] : labeled.methods()) {
    for (size_t code = 0; code < method.ended.size(); ++code) {
      if (method.ended[code] == 0) continue;
      const auto name = ttrpc::StatusCodeName(static_cast<ttrpc::StatusCode>(code));
      out->Add({{"listener", key.listener},
                {"backend", key.backend},
                {"service", key.service},
                {"method", key.method},
                {"code", std::string(name)}},
               method.ended[code]);
    }
  }
  out->Counter("ttrpc_proxy_decisions_total",
               "Calls that a rule decided, or with enforced=\"false\" would have; rule=\"\": none "
               "matched.");
  for (const auto& [key, rule] : labeled.rules()) {
    out->Add({{"listener", key.listener},
              {"rule", key.rule},
              {"action", std::string(WordOf(kActionWords, key.action))},
              {"enforced", key.enforced ? "true" : "false"}},
             rule.decisions);
  }
}

void AddCounters(const WorkerCounters& counters, Families* out) {
  out->Counter("ttrpc_proxy_received_bytes_total", "Bytes that were received.");
  out->Add({{"side", "peer"}}, counters.peer_bytes.received);
  out->Add({{"side", "backend"}}, counters.backend_bytes.received);
  out->Counter("ttrpc_proxy_sent_bytes_total", "Bytes that were sent.");
  out->Add({{"side", "peer"}}, counters.peer_bytes.sent);
  out->Add({{"side", "backend"}}, counters.backend_bytes.sent);
  out->Counter("ttrpc_proxy_limit_refusals_total",
               "Connections and calls that were one too many for a limit.");
  for (size_t i = 0; i < counters.limit_refusals.size(); ++i)
    out->Add({{"limit", std::string(NameOf(static_cast<Limit>(i)))}}, counters.limit_refusals[i]);
  out->Counter("ttrpc_proxy_protocol_errors_total",
               "Messages that have no business to be there, by what is wrong with them.");
  for (size_t i = 0; i < counters.protocol_errors.size(); ++i)
    out->Add({{"kind", std::string(kProtocolErrorNames[i])}}, counters.protocol_errors[i]);
  out->Counter("ttrpc_proxy_timeouts_total", "Connections that a timeout closed.");
  out->Add({}, counters.timed_out);
}

void AddUsers(const Accounting& accounting, Families* out) {
  const std::vector<Accounting::Usage> users = accounting.usage();
  const auto label = [](const Accounting::Usage& user) {
    return Labels{{"uid", std::to_string(user.uid)}};
  };
  out->Gauge("ttrpc_proxy_user_connections", "Connections of a user who is connected.");
  for (const auto& user : users) out->Add(label(user), uint64_t{user.connections});
  out->Gauge("ttrpc_proxy_user_calls", "Calls in flight of a user who is connected.");
  for (const auto& user : users) out->Add(label(user), uint64_t{user.calls});
  out->Gauge("ttrpc_proxy_user_buffered_bytes", "Memory held for a user who is connected.");
  for (const auto& user : users) out->Add(label(user), user.buffered);
}

void AddDaemon(const DaemonInfo& info, Families* out) {
  out->Gauge("ttrpc_proxy_build_info", "Always 1; the label says what runs.");
  out->Add({{"version", TTRPC_PROXY_VERSION}}, uint64_t{1});
  out->Counter("ttrpc_proxy_reloads_total", "Reloads of the configuration.");
  out->Add({{"result", "taken"}}, info.reloads);
  out->Add({{"result", "refused"}}, info.reloads_refused);
  out->Counter("ttrpc_proxy_audit_lost_total", "Audit lines that were lost.");
  out->Add({}, info.reports.audit().lost());
}

void AddProcess(const ProcessStats& stats, Families* out) {
  out->Counter("process_cpu_seconds_total", "CPU time, of user and system.");
  out->Add({}, stats.cpu_seconds);
  out->Gauge("process_start_time_seconds", "When the process started, since 1970.");
  out->Add({}, stats.start_time);
  out->Gauge("process_resident_memory_bytes", "Resident memory.");
  out->Add({}, stats.resident_bytes);
  out->Gauge("process_virtual_memory_bytes", "Virtual memory.");
  out->Add({}, stats.virtual_bytes);
  out->Gauge("process_open_fds", "Open descriptors.");
  out->Add({}, stats.open_descriptors);
  out->Gauge("process_max_fds", "As many as may be open.");
  out->Add({}, stats.most_descriptors);
}

}  // namespace

std::string MetricsText(const DaemonInfo& info) {
  Families families;
  const LabeledCounters& labeled = info.proxy.worker().labeled_counters();
  AddDaemon(info, &families);
  AddListeners(labeled, &families);
  AddBackends(labeled, &families);
  AddCalls(labeled, &families);
  AddCounters(info.proxy.counters(), &families);
  AddUsers(info.proxy.accounting(), &families);
  AddProcess(ReadProcessStats(), &families);
  return families.Text();
}

}  // namespace proxyd
