// SPDX-License-Identifier: Apache-2.0
//
// The lists of the admin service. Each shows as many entries as fit into a message (list_room.h).
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "admin/admin_service.h"
#include "admin/list_room.h"
#include "admin/time_fields.h"
#include "config/known_names.h"
#include "config/words.h"
#include "discovery/workload.h"
#include "proxy/peer.h"
#include "proxy/workload_state.h"
#include "proxy/workloads.h"

namespace proxyd {

namespace v1 = ttrpc::proxy::v1;
using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

constexpr uint32_t kListedByDefault = 1000;
constexpr uint32_t kListedAtMost = 10000;

size_t LimitOf(uint32_t asked) {
  return asked == 0 ? kListedByDefault : std::min(asked, kListedAtMost);
}

// Returns the name of a user for a string field, which must be UTF-8.
std::string NameOf(const DaemonInfo& info, uid_t uid) {
  return AsText(info.reports.audit().UserName(uid));
}

void Describe(const Peer& peer, const Call& call, v1::Call* out) {
  const Config& config = call.generation->config();
  const RuleConfig& rule = config.rules[call.rule];
  out->set_peer(peer.identity().id);
  out->set_stream_id(call.id);
  out->set_uid(peer.identity().uid);
  out->set_listener(peer.listener_name());
  out->set_service(AsText(call.label.service()));
  out->set_method(AsText(call.label.method()));
  out->set_kind(call.state.unary() ? "unary" : "stream");
  out->set_rule(rule.name);
  out->set_backend(config.backends[rule.backend].name);
  out->set_age_us(static_cast<uint64_t>(
      std::max<int64_t>(0, Microseconds(std::chrono::steady_clock::now() - call.start))));
  out->set_request_bytes(call.request_bytes);
  out->set_response_bytes(call.response_bytes);
}

// Names of workloads are names of files, which need not be UTF-8.
void Describe(const std::string& listener, const WorkloadState& state, v1::Workload* out) {
  const Workload& workload = state.workload;
  out->set_listener(listener);
  out->set_namespace_(AsText(workload.key.name_space));
  out->set_id(AsText(workload.key.id));
  if (workload.address) out->set_address(AsText(workload.address->ToString()));
  out->set_front(AsText(state.front()));
  out->set_peers(state.peers);
  out->set_found_time(SinceEpoch(state.since));
  out->set_sandbox(AsText(workload.sandbox));
  out->set_pod(AsText(PodOf(workload)));
  out->set_problem(AsText(state.problem()));
}

}  // namespace

AdminService::Task<v1::ListPeersReply> AdminService::ListPeers(
    ttrpc::Context&, const v1::ListPeersRequest& request) {
  const auto steady_now = std::chrono::steady_clock::now();
  const auto now = std::chrono::system_clock::now();
  const size_t limit = LimitOf(request.limit());
  v1::ListPeersReply reply;
  ListRoom room;
  for (const Peer& peer : info_.proxy.worker().peers()) {
    if (static_cast<size_t>(reply.peers_size()) == limit) break;
    v1::Peer* out = reply.add_peers();
    out->set_id(peer.identity().id);
    out->set_listener(peer.listener_name());
    out->set_uid(peer.identity().uid);
    out->set_user(NameOf(info_, peer.identity().uid));
    out->set_comm(AsText(peer.identity().labels.comm()));
    if (peer.identity().labels.loginuid() != kNoLoginUid)
      out->set_loginuid(peer.identity().labels.loginuid());
    out->set_gid(peer.identity().gid);
    out->set_pid(peer.identity().pid);
    out->set_connected_time(SinceEpoch(now) - Microseconds(steady_now - peer.connected()));
    out->set_calls(peer.calls().size());
    out->set_buffered(peer.held());
    reply.set_cut(!room.Keep(reply.mutable_peers()));
    if (reply.cut()) break;
  }
  reply.set_total(info_.proxy.worker().peers().size());
  co_return reply;
}

AdminService::Task<v1::ListCallsReply> AdminService::ListCalls(
    ttrpc::Context&, const v1::ListCallsRequest& request) {
  struct Found {
    const Peer* peer;
    const Call* call;
  };
  std::vector<Found> found;
  for (const Peer& peer : info_.proxy.worker().peers())
    peer.calls().ForEach([&](const auto& call) { found.push_back({&peer, call.get()}); });
  const size_t listed = std::min(LimitOf(request.limit()), found.size());
  // Calls that were read together have the same start time, so ids decide their order.
  std::partial_sort(found.begin(), found.begin() + static_cast<ptrdiff_t>(listed), found.end(),
                    [](const Found& a, const Found& b) {
                      return std::tuple(a.call->start, a.peer->identity().id, a.call->id) <
                             std::tuple(b.call->start, b.peer->identity().id, b.call->id);
                    });
  v1::ListCallsReply reply;
  ListRoom room;
  for (size_t i = 0; i < listed && !reply.cut(); ++i) {
    v1::Call* const out = reply.add_calls();
    Describe(*found[i].peer, *found[i].call, out);
    out->set_user(NameOf(info_, out->uid()));
    reply.set_cut(!room.Keep(reply.mutable_calls()));
  }
  reply.set_total(found.size());
  co_return reply;
}

AdminService::Task<v1::ListRulesReply> AdminService::ListRules(ttrpc::Context&,
                                                               const v1::ListRulesRequest&) {
  const Config& config = info_.config();
  std::map<std::string_view, uint64_t> hits;  // by the name of the rule, which is unique
  for (const auto& [key, rule] : info_.proxy.worker().labeled_counters().rules())
    hits[key.rule] += rule.decisions;
  v1::ListRulesReply reply;
  ListRoom room;
  for (const RuleConfig& rule : config.rules) {
    v1::Rule* out = reply.add_rules();
    out->set_name(rule.name);
    out->set_action(std::string(WordOf(kActionWords, rule.action)));
    out->set_enforced(rule.enforce);
    out->set_hits(hits[rule.name]);
    out->set_file(rule.position.file);
    out->set_line(rule.position.line);
    if (rule.action == RuleConfig::Action::kAllow)
      out->set_backend(config.backends[rule.backend].name);
    reply.set_cut(!room.Keep(reply.mutable_rules()));
    if (reply.cut()) break;
  }
  reply.set_total(config.rules.size());
  reply.set_denied_by_default(hits[""]);
  co_return reply;
}

AdminService::Task<v1::ListUsersReply> AdminService::ListUsers(ttrpc::Context&,
                                                               const v1::ListUsersRequest&) {
  v1::ListUsersReply reply;
  ListRoom room;
  const std::vector<Accounting::Usage> users = info_.proxy.accounting().usage();
  for (const Accounting::Usage& user : users) {
    v1::User* out = reply.add_users();
    out->set_uid(user.uid);
    out->set_user(NameOf(info_, user.uid));
    out->set_connections(user.connections);
    out->set_calls(user.calls);
    out->set_buffered(user.buffered);
    reply.set_cut(!room.Keep(reply.mutable_users()));
    if (reply.cut()) break;
  }
  reply.set_total(users.size());
  co_return reply;
}

AdminService::Task<v1::ListBackendsReply> AdminService::ListBackends(
    ttrpc::Context&, const v1::ListBackendsRequest&) {
  v1::ListBackendsReply reply;
  ListRoom room;
  for (const BackendConfig& backend : info_.config().backends) {
    const BackendCounters& counts =
        info_.proxy.worker().labeled_counters().backends().at(backend.name);
    v1::Backend* out = reply.add_backends();
    out->set_name(backend.name);
    for (const ttrpc::Address& address : backend.addresses) out->add_addresses(address.ToString());
    if (backend.discovered) out->add_addresses("discovered");
    out->set_up(counts.up);
    out->set_tried(counts.tried);
    out->set_last_error(AsText(counts.last_error));
    out->set_connections(counts.connections);
    out->set_calls(counts.calls_in_flight);
    out->set_connects(counts.connects);
    out->set_connects_failed(counts.connects_failed);
    reply.set_cut(!room.Keep(reply.mutable_backends()));
    if (reply.cut()) break;
  }
  reply.set_total(info_.config().backends.size());
  co_return reply;
}

AdminService::Task<v1::ListWorkloadsReply> AdminService::ListWorkloads(
    ttrpc::Context&, const v1::ListWorkloadsRequest& request) {
  const auto& listeners = info_.config().listeners;
  const std::string& wanted = request.listener();
  if (!wanted.empty()) {
    const auto found =
        std::find_if(listeners.begin(), listeners.end(),
                     [&wanted](const ListenerConfig& listener) { return listener.name == wanted; });
    if (found == listeners.end()) co_return NoSuchName("listener", wanted, listeners);
    if (!found->discovery)
      co_return Status(
          StatusCode::kInvalidArgument,
          AsText("listener \"" + wanted + "\" discovers nothing; name a listener with `discover`"));
  }
  v1::ListWorkloadsReply reply;
  ListRoom room;
  size_t total = 0;
  info_.proxy.workloads().ForEach([&](const std::string& listener, const WorkloadState& state) {
    if (!wanted.empty() && listener != wanted) return;
    ++total;
    if (reply.cut()) return;
    Describe(listener, state, reply.add_workloads());
    reply.set_cut(!room.Keep(reply.mutable_workloads()));
  });
  reply.set_total(total);
  co_return reply;
}

}  // namespace proxyd
