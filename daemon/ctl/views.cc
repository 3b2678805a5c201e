// SPDX-License-Identifier: Apache-2.0
#include "ctl/views.h"

#include <chrono>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "ctl/table.h"
#include "ctl/units.h"

namespace proxyd::ctl {
namespace {

using std::chrono::microseconds;

std::string Since(int64_t time, const Look& look) {
  return HumanDuration(microseconds(look.now - time));
}

// Returns `3 peers` or `1 peer`.
std::string Count(uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string Limit(uint64_t limit) { return limit == 0 ? "no limit" : std::to_string(limit); }

// Facts collects lines `  Key: value`, with the keys aligned to the right.
class Facts {
 public:
  explicit Facts(const Look& look) : look_(look) {}

  void Add(std::string_view key, const std::string& value, Tone tone = Tone::kPlain) {
    constexpr size_t kWidth = 15;
    out_.append(kWidth - key.size(), ' ');
    out_ += Toned(key, Tone::kFaint, look_.colours) + ": " + Toned(value, tone, look_.colours);
    out_ += '\n';
  }
  std::string Take() { return std::move(out_); }

 private:
  const Look& look_;
  std::string out_;
};

// Returns a note if a list is incomplete. `cut` means that the reply reached the size limit of a
// message; a higher --limit would not help.
std::string Incomplete(int shown, uint64_t total, const char* noun, bool cut) {
  if (shown < 0 || static_cast<uint64_t>(shown) >= total) return "";
  return "listed " + std::to_string(shown) + " of " + std::to_string(total) + " " + noun +
         (cut ? "; one reply cannot hold more\n" : "; use --limit to list more\n");
}

void AddConfiguration(const v1::GetStatusReply& reply, const Look& look, Facts* facts) {
  facts->Add("Configuration", reply.config_file() + ", loaded " +
                                  HumanTime(reply.config_load_time()) + " (" +
                                  Since(reply.config_load_time(), look) + " ago)");
  facts->Add("Digest", reply.config_digest());
  std::string reloads = std::to_string(reply.reloads()) + " applied";
  if (reply.reloads_refused() > 0) {
    reloads += ", " + std::to_string(reply.reloads_refused()) + " refused";
  }
  facts->Add("Reloads", reloads, reply.reloads_refused() > 0 ? Tone::kWarning : Tone::kPlain);
}

void AddLoad(const v1::GetStatusReply& reply, Facts* facts) {
  const v1::Limits& limits = reply.limits();
  facts->Add("Peers", std::to_string(reply.peers()) + " of " +
                          std::to_string(limits.connections()) + " (" +
                          std::to_string(limits.connections_reserved()) + " reserved for root)");
  facts->Add("Calls", std::to_string(reply.calls()) + " in flight");
  facts->Add("Memory", HumanBytes(reply.buffered()) + " of " + HumanBytes(limits.buffered()));
  facts->Add("Limits per user",
             Count(limits.connections_per_user(), "connection") + ", " +
                 std::to_string(limits.backend_connections_per_user()) + " to backends (" +
                 Count(limits.backends_per_peer(), "workload") + " per connection), " +
                 Count(limits.calls_per_user(), "call") + " (" +
                 std::to_string(limits.calls_per_connection()) + " per connection), " +
                 HumanBytes(limits.buffered_per_user()) +
                 ", requests per second: " + Limit(limits.requests_per_second_per_user()));
}

void AddWorkloads(const v1::GetStatusReply& reply, Facts* facts) {
  bool discovers = false;
  uint64_t served = 0;
  uint64_t faulty = 0;
  for (const v1::Listener& listener : reply.listeners()) {
    discovers |= listener.has_workloads_served();
    served += listener.workloads_served();
    faulty += listener.workloads_faulty();
  }
  if (!discovers) return;
  facts->Add("Workloads",
             std::to_string(served) + " served" +
                 (faulty == 0 ? "" : ", " + std::to_string(faulty) + " with a problem"),
             faulty == 0 ? Tone::kPlain : Tone::kWarning);
}

std::string ListenersOf(const v1::GetStatusReply& reply, const Look& look) {
  Table table({{.title = "LISTENER", .align = Align::kLeft},
               {.title = "PEERS", .align = Align::kRight},
               {.title = "ACCEPTED", .align = Align::kRight},
               {.title = "REFUSED", .align = Align::kRight},
               {.title = "ADDRESS", .align = Align::kLeft}});
  for (const v1::Listener& listener : reply.listeners()) {
    table.AddRow({listener.name(), listener.peers(), listener.accepted(), listener.refused(),
                  listener.address()});
  }
  return table.Render(look.colours);
}

Cell UserCell(uint32_t uid, const Look& look) {
  return look.user_name ? look.user_name(uid) : std::string();
}

Tone ToneOfAction(std::string_view action) {
  return action == "allow" ? Tone::kGood : action == "deny" ? Tone::kBad : Tone::kPlain;
}

std::string FileAndLine(const std::string& file, uint32_t line) {
  return file + ":" + std::to_string(line);
}

Cell StateOf(const v1::Backend& backend) {
  if (backend.up()) return {"up", Tone::kGood};
  if (!backend.tried()) return {"untried", Tone::kFaint};
  return {"down", Tone::kBad};
}

// Returns `NAMESPACE/ID` and the annotations, or an empty text for a call about no workload.
std::string DescribeWorkload(const v1::ExplainRequest& request) {
  std::string text = request.namespace_();
  if (!request.id().empty()) text.append(text.empty() ? "" : "/").append(request.id());
  std::map<std::string, std::string> annotations;
  for (const auto& [key, value] : request.annotations()) annotations.emplace(key, value);
  for (const auto& [key, value] : annotations) {
    text.append(text.empty() ? "" : ", ").append(key).append(" = ").append(value);
  }
  return text;
}

}  // namespace

std::string ShowStatus(const v1::GetStatusReply& reply, const Look& look) {
  std::string out = Toned("ttrpc-proxyd " + reply.version(), Tone::kStrong, look.colours);
  out += reply.draining() ? ", " + Toned("draining", Tone::kWarning, look.colours)
                          : ", " + Toned("running", Tone::kGood, look.colours);
  const int64_t began = reply.has_drain_time() ? reply.drain_time() : reply.start_time();
  out += " for " + Since(began, look) + "\n";
  Facts facts(look);
  facts.Add("Process", std::to_string(reply.pid()) + ", " + Count(reply.workers(), "worker") +
                           (reply.sandboxed() ? ", sandboxed" : ", not sandboxed"));
  facts.Add("Started", HumanTime(reply.start_time()));
  AddConfiguration(reply, look, &facts);
  facts.Add("Log level", reply.log_level());
  AddWorkloads(reply, &facts);
  AddLoad(reply, &facts);
  facts.Add("Audit",
            reply.audit_lost() == 0 ? "complete" : Count(reply.audit_lost(), "line") + " lost",
            reply.audit_lost() == 0 ? Tone::kPlain : Tone::kBad);
  if (reply.taps() > 0) facts.Add("Taps", std::to_string(reply.taps()), Tone::kWarning);
  out += facts.Take();
  return reply.listeners().empty() ? out : out + "\n" + ListenersOf(reply, look);
}

std::string ShowPeers(const v1::ListPeersReply& reply, const Look& look) {
  Table table({{.title = "PEER", .align = Align::kRight},
               {.title = "LISTENER", .align = Align::kLeft},
               {.title = "UID", .align = Align::kRight},
               {.title = "USER", .align = Align::kLeft},
               {.title = "GID", .align = Align::kRight},
               {.title = "PID", .align = Align::kRight},
               {.title = "CALLS", .align = Align::kRight},
               {.title = "BUFFERED", .align = Align::kRight},
               {.title = "CONNECTED", .align = Align::kRight}});
  for (const v1::Peer& peer : reply.peers()) {
    table.AddRow({peer.id(), peer.listener(), peer.uid(), UserCell(peer.uid(), look), peer.gid(),
                  peer.pid() > 0 ? std::to_string(peer.pid()) : std::string(), peer.calls(),
                  HumanBytes(peer.buffered()), Since(peer.connected_time(), look)});
  }
  return table.Render(look.colours) +
         Incomplete(reply.peers_size(), reply.total(), "peers", reply.cut());
}

std::string ShowCalls(const v1::ListCallsReply& reply, const Look& look) {
  Table table({{.title = "PEER", .align = Align::kRight},
               {.title = "STREAM", .align = Align::kRight},
               {.title = "LISTENER", .align = Align::kLeft},
               {.title = "UID", .align = Align::kRight},
               {.title = "USER", .align = Align::kLeft},
               {.title = "KIND", .align = Align::kLeft},
               {.title = "AGE", .align = Align::kRight},
               {.title = "SENT", .align = Align::kRight},
               {.title = "RECEIVED", .align = Align::kRight},
               {.title = "BACKEND", .align = Align::kLeft},
               {.title = "RULE", .align = Align::kLeft},
               {.title = "METHOD", .align = Align::kLeft}});
  for (const v1::Call& call : reply.calls()) {
    table.AddRow({call.peer(), call.stream_id(), call.listener(), call.uid(),
                  UserCell(call.uid(), look), call.kind(),
                  HumanDuration(microseconds(call.age_us())), HumanBytes(call.request_bytes()),
                  HumanBytes(call.response_bytes()), call.backend(), call.rule(),
                  "/" + call.service() + "/" + call.method()});
  }
  return table.Render(look.colours) +
         Incomplete(reply.calls_size(), reply.total(), "calls", reply.cut());
}

std::string ShowRules(const v1::ListRulesReply& reply, const Look& look) {
  Table table({{.title = "RULE", .align = Align::kLeft},
               {.title = "ACTION", .align = Align::kLeft},
               {.title = "ENFORCED", .align = Align::kLeft},
               {.title = "HITS", .align = Align::kRight},
               {.title = "BACKEND", .align = Align::kLeft},
               {.title = "WHERE", .align = Align::kLeft}});
  for (const v1::Rule& rule : reply.rules()) {
    table.AddRow({rule.name(), Cell(rule.action(), ToneOfAction(rule.action())),
                  rule.enforced() ? Cell("yes") : Cell("no", Tone::kWarning), rule.hits(),
                  rule.backend(), FileAndLine(rule.file(), rule.line())});
  }
  return table.Render(look.colours) +
         Incomplete(reply.rules_size(), reply.total(), "rules", reply.cut()) +
         "denied because no rule matched: " + std::to_string(reply.denied_by_default()) + "\n";
}

std::string ShowUsers(const v1::ListUsersReply& reply, const Look& look) {
  Table table({{.title = "UID", .align = Align::kRight},
               {.title = "USER", .align = Align::kLeft},
               {.title = "CONNECTIONS", .align = Align::kRight},
               {.title = "CALLS", .align = Align::kRight},
               {.title = "BUFFERED", .align = Align::kRight}});
  for (const v1::User& user : reply.users()) {
    table.AddRow({user.uid(), UserCell(user.uid(), look), user.connections(), user.calls(),
                  HumanBytes(user.buffered())});
  }
  return table.Render(look.colours) +
         Incomplete(reply.users_size(), reply.total(), "users", reply.cut());
}

std::string ShowBackends(const v1::ListBackendsReply& reply, const Look& look) {
  Table table({{.title = "BACKEND", .align = Align::kLeft},
               {.title = "STATE", .align = Align::kLeft},
               {.title = "CONNECTIONS", .align = Align::kRight},
               {.title = "CALLS", .align = Align::kRight},
               {.title = "CONNECTS", .align = Align::kRight},
               {.title = "FAILED", .align = Align::kRight},
               {.title = "ADDRESS", .align = Align::kLeft},
               {.title = "LAST ERROR", .align = Align::kLeft}});
  for (const v1::Backend& backend : reply.backends()) {
    std::string addresses;
    for (const std::string& address : backend.addresses()) {
      addresses += (addresses.empty() ? "" : ",") + address;
    }
    table.AddRow({backend.name(), StateOf(backend), backend.connections(), backend.calls(),
                  backend.connects(), backend.connects_failed(), addresses,
                  backend.up() ? std::string() : backend.last_error()});
  }
  return table.Render(look.colours) +
         Incomplete(reply.backends_size(), reply.total(), "backends", reply.cut());
}

std::string ShowWorkloads(const v1::ListWorkloadsReply& reply, const Look& look) {
  Table table({{.title = "LISTENER", .align = Align::kLeft},
               {.title = "NAMESPACE", .align = Align::kLeft},
               {.title = "ID", .align = Align::kLeft},
               {.title = "ADDRESS", .align = Align::kLeft},
               {.title = "FRONT", .align = Align::kLeft},
               {.title = "PEERS", .align = Align::kRight},
               {.title = "SINCE", .align = Align::kRight},
               {.title = "POD", .align = Align::kLeft},
               {.title = "PROBLEM", .align = Align::kLeft}});
  for (const v1::Workload& workload : reply.workloads()) {
    table.AddRow({workload.listener(), workload.namespace_(), workload.id(), workload.address(),
                  workload.front(), workload.peers(), Since(workload.found_time(), look),
                  workload.pod(), Cell(workload.problem(), Tone::kWarning)});
  }
  return table.Render(look.colours) +
         Incomplete(reply.workloads_size(), reply.total(), "workloads", reply.cut());
}

std::string ShowExplanation(const v1::ExplainRequest& request, const v1::ExplainReply& reply,
                            const Look& look) {
  std::string out = reply.allowed() ? Toned("allowed", Tone::kGood, look.colours)
                                    : Toned("denied", Tone::kBad, look.colours);
  out += ": " + Toned(reply.reason(), Tone::kPlain, look.colours) + "\n";
  const auto add = [&out, &look](std::string_view key, const std::string& text) {
    out += "  " + Toned(key, Tone::kFaint, look.colours) + ": " +
           Toned(text, Tone::kPlain, look.colours) + "\n";
  };
  // The ids are shown since the user database may give other groups than the user expects.
  const std::string name = look.user_name ? look.user_name(request.uid()) : std::string();
  std::string who = "uid " + std::to_string(request.uid()) +
                    (name.empty() ? "" : " (" + name + ")") + ", gid " +
                    std::to_string(request.gid());
  if (!request.groups().empty()) who += ", groups";
  for (const uint32_t group : request.groups()) who += " " + std::to_string(group);
  add("caller", who);
  if (const std::string workload = DescribeWorkload(request); !workload.empty())
    add("workload", workload);
  if (reply.allowed()) {
    add("streams", reply.rule().streams() ? "the client may send data after its request"
                                          : "the client may not send data after its request");
  }
  for (const v1::DecidingRule& shadow : reply.shadows()) {
    add("not enforced", "rule \"" + shadow.name() + "\" (" +
                            FileAndLine(shadow.file(), shadow.line()) +
                            ") matches first and would " + shadow.action() + " the call");
  }
  for (const std::string& note : reply.notes()) add("note", note);
  return out;
}

}  // namespace proxyd::ctl
