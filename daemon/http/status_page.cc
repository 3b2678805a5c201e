// SPDX-License-Identifier: Apache-2.0
#include "http/status_page.h"

#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/words.h"
#include "discovery/workload.h"
#include "observe/audit_line.h"
#include "observe/labeled_counters.h"
#include "observe/process_stats.h"
#include "observe/top_denied.h"
#include "proxy/generation.h"
#include "proxy/workload_state.h"
#include "proxy/workloads.h"

namespace proxyd {

namespace {

using nlohmann::json;

int64_t Milliseconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::string Dump(const json& value) {
  // Names that a peer sent need not be UTF-8.
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Returns a function that appends `describe(element)`, and a comma before each but the first.
template <typename Describe>
auto WithCommas(Describe describe) {
  return [first = true, describe = std::move(describe)](const auto& element,
                                                        std::string* out) mutable {
    if (!std::exchange(first, false)) out->push_back(',');
    out->append(Dump(describe(element)));
  };
}

// Rows appends a member that is a list, with `describe(element)` for each element.
class Rows {
 public:
  Rows(std::string_view key, SlicedText* text) : text_(*text) {
    text_.AddText(",\"" + std::string(key) + "\":[");
  }
  ~Rows() { text_.AddText("]"); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  template <typename Range, typename Describe>
  void AddEach(const Range& range, Describe describe) {
    text_.AddEach(range, WithCommas(std::move(describe)));
  }
  template <typename Element, typename Describe>
  void AddEachOf(std::vector<Element> elements, Describe describe) {
    text_.AddEachOf(std::move(elements), WithCommas(std::move(describe)));
  }

 private:
  SlicedText& text_;
};

// The functions below keep the generation alive, since a reload may happen between two slices and
// the text refers to its configuration.
void AddListeners(const Ref<Generation>& generation, const LabeledCounters& labeled,
                  SlicedText* text) {
  Rows("listeners", text)
      .AddEach(generation->config().listeners,
               [generation, &labeled](const ListenerConfig& listener) -> json {
                 const ListenerCounters& counts = labeled.listeners().at(listener.name);
                 return {{"name", listener.name},
                         {"address", ToString(listener.address)},
                         {"discovers", listener.discovery.has_value()},
                         {"peers", counts.peers},
                         {"admitted", counts.admitted},
                         {"refused", counts.refused()}};
               });
}

struct FoundWorkload {
  size_t place;  // in the order of the listeners and of the names
  std::string listener;
  const WorkloadState* state;
  std::string problem;

  bool is_faulty() const { return !problem.empty(); }
};

struct ListedWorkload {
  std::string listener;
  Workload workload;
  std::string front;
  size_t peers;
  std::chrono::system_clock::time_point since;
  std::string problem;
};

json Describe(const ListedWorkload& listed) {
  const Workload& workload = listed.workload;
  return {{"listener", listed.listener},
          {"name", workload.key.ToString()},
          {"address", workload.address ? workload.address->ToString() : ""},
          {"front", listed.front},
          {"pod", PodOf(workload)},
          {"since", Milliseconds(listed.since)},
          {"peers", listed.peers},
          {"problem", listed.problem}};
}

// Lists the workloads with a problem, then the others. If there are too many, those with fewest
// peers are left out. The list is a copy, since workloads may go between two slices.
void AddWorkloads(const Workloads& workloads, SlicedText* text) {
  constexpr size_t kMostWorkloads = 200;
  std::vector<FoundWorkload> found;
  workloads.ForEach([&found](const std::string& listener, const WorkloadState& state) {
    found.push_back({found.size(), listener, &state, state.problem()});
  });
  const size_t total = found.size();
  if (total > kMostWorkloads) {
    std::nth_element(found.begin(), found.begin() + kMostWorkloads, found.end(),
                     [](const FoundWorkload& a, const FoundWorkload& b) {
                       return std::tuple(b.is_faulty(), b.state->peers, a.place) <
                              std::tuple(a.is_faulty(), a.state->peers, b.place);
                     });
    found.resize(kMostWorkloads);
  }
  std::sort(found.begin(), found.end(), [](const FoundWorkload& a, const FoundWorkload& b) {
    return std::tuple(b.is_faulty(), a.place) < std::tuple(a.is_faulty(), b.place);
  });
  std::vector<ListedWorkload> listed;
  listed.reserve(found.size());
  for (const FoundWorkload& of : found) {
    listed.push_back({of.listener, of.state->workload, of.state->front(), of.state->peers,
                      of.state->since, of.problem});
  }
  Rows("workloads", text).AddEachOf(std::move(listed), [](const ListedWorkload& of) {
    return Describe(of);
  });
  text->AddText(",\"workloads_total\":" + std::to_string(total));
}

json Describe(const BackendConfig& backend, const BackendCounters& counts) {
  json addresses = json::array();
  for (const ttrpc::Address& address : backend.addresses) addresses.push_back(address.ToString());
  if (backend.discovered) addresses.push_back("discovered");
  return {{"name", backend.name},
          {"addresses", std::move(addresses)},
          {"up", counts.up},
          {"tried", counts.tried},
          {"error", counts.last_error},
          {"connections", counts.connections},
          {"calls", counts.calls_in_flight},
          {"count", counts.durations.count()},
          {"sum", std::chrono::duration<double>(counts.durations.sum()).count()},
          {"buckets", counts.durations.buckets()}};
}

void AddBackends(const Ref<Generation>& generation, const LabeledCounters& labeled,
                 SlicedText* text) {
  Rows("backends", text)
      .AddEach(generation->config().backends,
               [generation, &labeled](const BackendConfig& backend) -> json {
                 return Describe(backend, labeled.backends().at(backend.name));
               });
}

struct RuleHits {
  const RuleConfig* rule;
  uint64_t hits;
};

// Lists the rules in order. If there are too many, only those that decided most calls are listed.
void AddRules(const Ref<Generation>& generation, const LabeledCounters& labeled, SlicedText* text) {
  constexpr size_t kMostRules = 500;
  std::unordered_map<std::string_view, uint64_t> hits;  // by rule, in all listeners
  for (const auto& [key, rule] : labeled.rules()) hits[key.rule] += rule.decisions;
  std::vector<RuleHits> rules;
  for (const RuleConfig& rule : generation->config().rules)
    rules.push_back({&rule, hits[rule.name]});
  if (rules.size() > kMostRules) {
    std::stable_sort(rules.begin(), rules.end(),
                     [](const RuleHits& a, const RuleHits& b) { return a.hits > b.hits; });
    rules.resize(kMostRules);
    std::sort(rules.begin(), rules.end(),
              [](const RuleHits& a, const RuleHits& b) { return a.rule < b.rule; });
  }
  Rows("rules", text).AddEachOf(std::move(rules), [generation](const RuleHits& of) -> json {
    return {{"name", of.rule->name},
            {"action", WordOf(kActionWords, of.rule->action)},
            {"enforced", of.rule->enforce},
            {"hits", of.hits},
            {"where", of.rule->position.file + ":" + std::to_string(of.rule->position.line)}};
  });
  text->AddText(",\"unmatched\":" + std::to_string(hits[""]));
}

// Returns the number of finished calls by status, over all methods.
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

// Returns the number of calls that a rule denied or that no rule matched.
uint64_t Denied(const LabeledCounters& labeled) {
  uint64_t denied = 0;
  for (const auto& [key, rule] : labeled.rules()) {
    if (key.enforced && key.action == RuleConfig::Action::kDeny) denied += rule.decisions;
  }
  return denied;
}

// Returns the share that the user has used up of the limit it is nearest to.
double ShareOf(const Accounting::Usage& user, const LimitsConfig& limits) {
  return std::max(
      {static_cast<double>(user.connections) / limits.connections_per_user,
       static_cast<double>(user.calls) / limits.calls_per_user,
       static_cast<double>(user.buffered) / static_cast<double>(limits.buffered_per_user)});
}

json Describe(const Accounting::Usage& user, const Audit& audit) {
  return {{"uid", user.uid},
          {"user", audit.UserName(user.uid)},
          {"connections", user.connections},
          {"calls", user.calls},
          {"buffered", user.buffered}};
}

struct RankedUser {
  double share;  // the used part of the limit that the user is nearest to
  Accounting::Usage usage;
};

std::vector<RankedUser> RankedUsers(const Accounting& accounting, const LimitsConfig& limits) {
  std::vector<RankedUser> users;
  for (const Accounting::Usage& user : accounting.UnorderedUsage())
    users.push_back({ShareOf(user, limits), user});
  return users;
}

// Lists the users who are nearest to a limit. The total counts all connected users.
void AddUsers(const DaemonInfo& info, SlicedText* text) {
  const Config& config = info.config();
  text->AddText(",\"users\":[");
  text->AddFirstOf([&accounting = std::as_const(info.proxy.accounting()),
                    limits = config.limits] { return RankedUsers(accounting, limits); },
                   config.metrics ? config.metrics->users : MetricsConfig::kUsers,
                   [](const RankedUser& a, const RankedUser& b) {
                     return a.share != b.share ? a.share > b.share : a.usage.uid < b.usage.uid;
                   },
                   WithCommas([&info](const RankedUser& user) {
                     return Describe(user.usage, info.reports.audit());
                   }),
                   [](const std::vector<RankedUser>&, size_t total, std::string* out) {
                     out->append("],\"users_total\":").append(std::to_string(total));
                   });
}

void AddTopDenied(const Reports& reports, SlicedText* text) {
  constexpr size_t kMost = 10;
  Rows("top_denied", text)
      .AddEachOf(reports.top_denied().Top(kMost),
                 [&reports](const TopDenied::Entry& entry) -> json {
                   return {{"uid", entry.uid},
                           {"user", reports.audit().UserName(entry.uid)},
                           {"service", entry.service},
                           {"method", entry.method},
                           {"count", entry.count}};
                 });
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

// The name is read each time, since it may change.
std::string HostName() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

json Bounds() {
  json list = json::array();
  for (const auto bound : Histogram::kBounds)
    list.push_back(std::chrono::duration<double>(bound).count());
  return list;
}

// Facts are the members of bounded size. Lists that can be long follow in slices.
json Facts(const DaemonInfo& info) {
  const LabeledCounters& labeled = info.proxy.worker().labeled_counters();
  const WorkerCounters& counters = info.proxy.counters();
  const Accounting& accounting = info.proxy.accounting();
  const ProcessStats process = ReadProcessStats();
  json facts = {
      {"version", TTRPC_PROXY_VERSION},
      {"host", HostName()},
      {"pid", ::getpid()},
      {"now", Milliseconds(std::chrono::system_clock::now())},
      {"started", Milliseconds(info.started)},
      {"loaded", Milliseconds(info.loaded)},
      {"config", info.config().file},
      {"digest", info.digest},
      {"reloads", info.reloads},
      {"reloads_refused", info.reloads_refused},
      {"last_reload_successful", info.last_reload_successful},
      {"draining", info.draining},
      {"sandboxed", info.sandboxed},
      {"audit_lost", info.reports.audit().lost()},
      {"audit_failing", info.reports.audit().failing()},
      {"connections", accounting.connections()},
      {"buffered", accounting.buffered()},
      {"resident", process.resident_bytes},
      {"descriptors", process.open_descriptors},
      {"most_descriptors", process.most_descriptors},
      {"received", counters.peer_bytes.received},
      {"sent", counters.peer_bytes.sent},
      {"limits", Limits(info.config().limits)},
      {"bounds", Bounds()},
      {"outcomes", Outcomes(labeled)},
      {"denied", Denied(labeled)},
      {"refusals", Refusals(info.reports)},
  };
  if (info.draining) facts["drain_began"] = Milliseconds(info.drain_began);
  return facts;
}

}  // namespace

std::unique_ptr<SlicedText> StatusJson(const DaemonInfo& info) {
  Worker& worker = info.proxy.worker();
  const LabeledCounters& labeled = worker.labeled_counters();
  auto text = std::make_unique<SlicedText>();
  std::string facts = Dump(Facts(info));
  facts.pop_back();  // the closing brace, since more members follow
  text->AddText(std::move(facts));
  AddListeners(worker.generation(), labeled, text.get());
  AddBackends(worker.generation(), labeled, text.get());
  AddWorkloads(info.proxy.workloads(), text.get());
  AddRules(worker.generation(), labeled, text.get());
  AddUsers(info, text.get());
  AddTopDenied(info.reports, text.get());
  text->AddText("}");
  return text;
}

std::string_view StatusPage() {
  static constexpr std::string_view kPage =
#include "http/status_page.inc"
      ;
  return kPage;
}

}  // namespace proxyd
