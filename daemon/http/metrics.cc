// SPDX-License-Identifier: Apache-2.0
#include "http/metrics.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/words.h"
#include "http/metrics_format.h"
#include "limits/limit.h"
#include "observe/labeled_counters.h"
#include "observe/process_stats.h"
#include "proxy/workloads.h"

namespace proxyd {

namespace {

// Family is one metric and the text that its samples are appended to. Functions that write samples
// get one.
struct Family {
  std::string_view name;  // static
  std::string* out;

  template <typename Number>
  void Add(MetricLabels labels, Number value) const {
    AppendSample(name, labels, value, out);
  }
  void Add(MetricLabels labels, const Histogram& histogram) const {
    AppendHistogram(name, labels, histogram, out);
  }
};

// Families appends metrics in order; samples belong to the last one begun. Arguments that outlive
// the call must not refer to the configuration, since a reload between slices replaces it.
class Families {
 public:
  explicit Families(SlicedText* text) : text_(*text) {}

  void Counter(std::string_view name, std::string_view help) { Begin(name, "counter", help); }
  void Gauge(std::string_view name, std::string_view help) { Begin(name, "gauge", help); }
  void Histograms(std::string_view name, std::string_view help) { Begin(name, "histogram", help); }

  template <typename Number>
  void Add(MetricLabels labels, Number value) {
    std::string sample;
    AppendSample(name_, labels, value, &sample);
    text_.AddText(std::move(sample));
  }
  // Calls `write(element, family)` for each element.
  template <typename Range, typename Write>
  void AddEach(const Range& range, Write write) {
    text_.AddEach(range, [name = name_, write](const auto& element, std::string* out) {
      write(element, Family{name, out});
    });
  }
  template <typename Element, typename Write>
  void AddEachOf(std::vector<Element> elements, Write write) {
    text_.AddEachOf(std::move(elements),
                    [name = name_, write](const Element& element, std::string* out) {
                      write(element, Family{name, out});
                    });
  }
  // Adds one metric for each of the first elements and calls `rest(others, family)` for the others.
  // SlicedText explains the order.
  template <typename Elements, typename Before, typename Write, typename Rest>
  void AddFirstOf(Elements elements, size_t shown, Before before, Write write, Rest rest) {
    text_.AddFirstOf(
        std::move(elements), shown, std::move(before),
        [name = name_, write](const auto& element, std::string* out) {
          write(element, Family{name, out});
        },
        [name = name_, rest](const auto& others, size_t, std::string* out) {
          rest(others, Family{name, out});
        });
  }

 private:
  void Begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    std::string head;
    AppendFamily(name, type, help, &head);
    text_.AddText(std::move(head));
  }

  SlicedText& text_;
  std::string_view name_;
};

double SinceEpoch(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

void AddDaemon(const DaemonInfo& info, Families* out) {
  out->Gauge("ttrpc_proxy_build_info", "Always 1; the label is the version of the daemon.");
  out->Add({{"version", TTRPC_PROXY_VERSION}}, uint64_t{1});
  out->Gauge("ttrpc_proxy_config_info",
             "Always 1; the label digest is the SHA-256 of the effective configuration.");
  out->Add({{"digest", info.digest}, {"version", TTRPC_PROXY_VERSION}}, uint64_t{1});
  out->Gauge("ttrpc_proxy_config_last_reload_successful",
             "Whether the last attempt to load the configuration succeeded.");
  out->Add({}, uint64_t{info.last_reload_successful});
  out->Gauge("ttrpc_proxy_config_last_reload_success_timestamp_seconds",
             "Unix time at which the configuration in force was loaded.");
  out->Add({}, SinceEpoch(info.loaded));
  out->Counter("ttrpc_proxy_reloads_total", "Reloads of the configuration, by result.");
  out->Add({{"result", "taken"}}, info.reloads);
  out->Add({{"result", "refused"}}, info.reloads_refused);
  out->Gauge("ttrpc_proxy_draining", "Whether the daemon is draining.");
  out->Add({}, uint64_t{info.draining});
  out->Counter("ttrpc_proxy_audit_lost_total", "Audit lines that were lost.");
  out->Add({}, info.reports.audit().lost());
  out->Gauge("ttrpc_proxy_audit_failing", "Whether the last write to the audit target failed.");
  out->Add({}, uint64_t{info.reports.audit().failing()});
}

void AddLimits(const DaemonInfo& info, Families* out) {
  out->Gauge("ttrpc_proxy_limit", "The value of each limit; +Inf means no limit.");
  for (size_t i = 0; i < kLimits; ++i) {
    const auto limit = static_cast<Limit>(i);
    const auto value = ValueOf(limit, info.config().limits, info.proxy.worker().backend_limits());
    out->Add({{"limit", NameOf(limit)}},
             value ? static_cast<double>(*value) : std::numeric_limits<double>::infinity());
  }
}

void AddListeners(const LabeledCounters& labeled, Families* out) {
  using Listener = std::pair<const std::string, ListenerCounters>;
  out->Gauge("ttrpc_proxy_connections", "Connected peers.");
  out->AddEach(labeled.listeners(), [](const Listener& listener, const Family& family) {
    family.Add({{"listener", listener.first}}, listener.second.peers);
  });
  out->Counter("ttrpc_proxy_connections_total",
               "Accepted connections, by result: admitted, or why they were not.");
  out->AddEach(labeled.listeners(), [](const Listener& listener, const Family& family) {
    const auto& [name, counts] = listener;
    family.Add({{"listener", name}, {"result", "admitted"}}, counts.admitted);
    family.Add({{"listener", name}, {"result", "not_admitted"}}, counts.not_admitted);
    family.Add({{"listener", name}, {"result", "no_credentials"}}, counts.no_credentials);
    family.Add({{"listener", name}, {"result", "over_limit"}}, counts.over_limit);
  });
}

void AddWorkloads(const DaemonInfo& info, Families* out) {
  std::vector<std::string> listeners;
  for (const ListenerConfig& listener : info.config().listeners) {
    if (listener.discovery) listeners.push_back(listener.name);
  }
  out->Gauge("ttrpc_proxy_workloads",
             "Workloads that were discovered: served, or faulty if something is wrong with them.");
  out->AddEachOf(std::move(listeners), [&workloads = info.proxy.workloads()](
                                           const std::string& listener, const Family& family) {
    family.Add({{"listener", listener}, {"state", "served"}}, uint64_t{workloads.served(listener)});
    family.Add({{"listener", listener}, {"state", "faulty"}}, uint64_t{workloads.faulty(listener)});
  });
}

void AddTimeouts(const DaemonInfo& info, Families* out) {
  using Listener = std::pair<const std::string, ListenerCounters>;
  out->Counter("ttrpc_proxy_timeouts_total",
               "Connections closed by a timeout; listener is empty for connections to backends.");
  out->AddEach(info.proxy.worker().labeled_counters().listeners(),
               [](const Listener& listener, const Family& family) {
                 for (size_t i = 0; i < kPeerTimeoutNames.size(); ++i) {
                   family.Add({{"kind", kPeerTimeoutNames[i]}, {"listener", listener.first}},
                              listener.second.timeouts[i]);
                 }
               });
  out->Add({{"kind", "backend_write"}, {"listener", ""}}, info.proxy.counters().backends_timed_out);
}

void AddBackends(const DaemonInfo& info, Families* out) {
  using Backend = std::pair<const std::string, BackendCounters>;
  const std::map<std::string, BackendCounters>& backends =
      info.proxy.worker().labeled_counters().backends();
  out->Gauge("ttrpc_proxy_calls_in_flight", "Calls in flight, by backend.");
  out->AddEach(backends, [](const Backend& backend, const Family& family) {
    family.Add({{"backend", backend.first}}, backend.second.calls_in_flight);
  });
  out->Gauge("ttrpc_proxy_oldest_call_age_seconds",
             "Age of the oldest call in flight; 0 if no call is in flight.");
  out->AddEach(backends, [](const Backend& backend, const Family& family) {
    const auto since = backend.second.oldest_call();
    const double age =
        since ? std::chrono::duration<double>(std::chrono::steady_clock::now() - *since).count()
              : 0;
    family.Add({{"backend", backend.first}}, std::max(age, 0.0));
  });
  out->Histograms("ttrpc_proxy_call_duration_seconds",
                  "Duration of calls, from the request to the end.");
  out->AddEach(backends, [](const Backend& backend, const Family& family) {
    family.Add({{"backend", backend.first}}, backend.second.durations);
  });
  // A backend without an attempt to connect, or removed by a reload, is neither up nor down. One
  // that is discovered has many addresses, and the last attempt says nothing about the others.
  std::vector<const Backend*> tried;
  for (const BackendConfig& backend : info.config().backends) {
    const auto found = backends.find(backend.name);
    if (backend.discovered || found == backends.end() || !found->second.tried) continue;
    tried.push_back(&*found);
  }
  out->Gauge("ttrpc_proxy_backend_up",
             "Whether the last attempt to connect succeeded; absent before the first attempt, and "
             "for backends that are discovered.");
  out->AddEachOf(std::move(tried), [](const Backend* backend, const Family& family) {
    family.Add({{"backend", backend->first}}, uint64_t{backend->second.up});
  });
  out->Counter("ttrpc_proxy_backend_connects_total", "Attempts to connect, by result.");
  out->AddEach(backends, [](const Backend& backend, const Family& family) {
    const auto& [name, counts] = backend;
    family.Add({{"backend", name}, {"result", "connected"}}, counts.connects);
    family.Add({{"backend", name}, {"result", "failed"}}, counts.connects_failed);
  });
}

void AddCalls(const LabeledCounters& labeled, Families* out) {
  using Method = std::pair<const LabeledCounters::MethodKey, MethodCounters>;
  using Rule = std::pair<const LabeledCounters::RuleKey, RuleCounters>;
  out->Counter("ttrpc_proxy_calls_total", "Finished calls, including refused ones, by status.");
  out->AddEach(labeled.methods(), [](const Method& method, const Family& family) {
    const auto& [key, counts] = method;
    for (size_t code = 0; code < counts.ended.size(); ++code) {
      if (counts.ended[code] == 0) continue;
      family.Add({{"listener", key.listener},
                  {"backend", key.backend},
                  {"service", key.service},
                  {"method", key.method},
                  {"code", ttrpc::StatusCodeName(static_cast<ttrpc::StatusCode>(code))}},
                 counts.ended[code]);
    }
  });
  out->Counter("ttrpc_proxy_decisions_total",
               "Calls decided by a rule; with enforced=\"false\" the rule would have decided, with "
               "rule=\"\" no rule matched.");
  out->AddEach(labeled.rules(), [](const Rule& rule, const Family& family) {
    const auto& [key, counts] = rule;
    family.Add({{"listener", key.listener},
                {"rule", key.rule},
                {"action", WordOf(kActionWords, key.action)},
                {"enforced", key.enforced ? "true" : "false"}},
               counts.decisions);
  });
}

void AddCounters(const WorkerCounters& counters, Families* out) {
  out->Counter("ttrpc_proxy_received_bytes_total", "Bytes received, by side.");
  out->Add({{"side", "peer"}}, counters.peer_bytes.received);
  out->Add({{"side", "backend"}}, counters.backend_bytes.received);
  out->Counter("ttrpc_proxy_sent_bytes_total", "Bytes sent, by side.");
  out->Add({{"side", "peer"}}, counters.peer_bytes.sent);
  out->Add({{"side", "backend"}}, counters.backend_bytes.sent);
  out->Counter("ttrpc_proxy_limit_refusals_total",
               "Connections and calls refused because a limit was reached.");
  for (size_t i = 0; i < counters.limit_refusals.size(); ++i)
    out->Add({{"limit", NameOf(static_cast<Limit>(i))}}, counters.limit_refusals[i]);
  out->Counter("ttrpc_proxy_protocol_errors_total", "Messages that violate the protocol, by kind.");
  for (size_t i = 0; i < counters.protocol_errors.size(); ++i)
    out->Add({{"kind", kProtocolErrorNames[i]}}, counters.protocol_errors[i]);
}

size_t UsersShown(const Config& config) {
  return config.metrics ? config.metrics->users : MetricsConfig::kUsers;
}

using Usage = Accounting::Usage;
using Measure = uint64_t (*)(const Usage& user);

// Adds the users with the largest values, in order, and the sum of all others.
void AddLargest(const Accounting& accounting, size_t shown, Measure of, Families* out) {
  out->AddFirstOf([&accounting] { return accounting.UnorderedUsage(); }, shown,
                  // Equal values are ordered by uid, so that each scrape shows the same users.
                  [of](const Usage& a, const Usage& b) {
                    return of(a) != of(b) ? of(a) > of(b) : a.uid < b.uid;
                  },
                  [of](const Usage& user, const Family& family) {
                    family.Add({{"uid", std::to_string(user.uid)}}, of(user));
                  },
                  [of](const std::vector<Usage>& others, const Family& family) {
                    if (others.empty()) return;
                    uint64_t sum = 0;
                    for (const Usage& user : others) sum += of(user);
                    family.Add({{"uid", "other"}}, sum);
                  });
}

void AddUsers(const DaemonInfo& info, Families* out) {
  const auto add = [&info, out](Measure of) {
    AddLargest(info.proxy.accounting(), UsersShown(info.config()), of, out);
  };
  out->Gauge("ttrpc_proxy_user_connections",
             "Connections of each connected user; uid=\"other\" is the sum of users with fewer.");
  add([](const Usage& user) { return uint64_t{user.connections}; });
  out->Gauge("ttrpc_proxy_user_calls",
             "Calls in flight of each connected user; uid=\"other\" is the sum of users with "
             "fewer.");
  add([](const Usage& user) { return uint64_t{user.calls}; });
  out->Gauge("ttrpc_proxy_user_buffered_bytes",
             "Memory held for each connected user; uid=\"other\" is the sum of users with less.");
  add([](const Usage& user) { return user.buffered; });
}

void AddProcess(const ProcessStats& stats, Families* out) {
  out->Counter("process_cpu_seconds_total", "User and system CPU time.");
  out->Add({}, stats.cpu_seconds);
  out->Gauge("process_start_time_seconds", "Unix time at which the process started.");
  out->Add({}, stats.start_time);
  out->Gauge("process_resident_memory_bytes", "Resident memory.");
  out->Add({}, stats.resident_bytes);
  out->Gauge("process_virtual_memory_bytes", "Virtual memory.");
  out->Add({}, stats.virtual_bytes);
  out->Gauge("process_open_fds", "Open file descriptors.");
  out->Add({}, stats.open_descriptors);
  out->Gauge("process_max_fds", "Maximum number of open file descriptors.");
  out->Add({}, stats.most_descriptors);
}

}  // namespace

std::unique_ptr<SlicedText> MetricsText(const DaemonInfo& info, MetricsParts parts) {
  auto text = std::make_unique<SlicedText>();
  Families families(text.get());
  const LabeledCounters& labeled = info.proxy.worker().labeled_counters();
  AddDaemon(info, &families);
  AddLimits(info, &families);
  AddListeners(labeled, &families);
  AddWorkloads(info, &families);
  AddBackends(info, &families);
  AddCalls(labeled, &families);
  AddCounters(info.proxy.counters(), &families);
  AddTimeouts(info, &families);
  AddUsers(info, &families);
  if (parts == MetricsParts::kAll) AddProcess(ReadProcessStats(), &families);
  return text;
}

}  // namespace proxyd
