// SPDX-License-Identifier: Apache-2.0
#include "ctl/explain_command.h"

#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/known_names.h"
#include "config/load.h"
#include "ctl/admin_connection.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/views.h"
#include "policy/explain.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd::ctl {

namespace {

v1::ExplainRequest RequestOf(const ExplainOptions& options, const ResolvedUser& who) {
  v1::ExplainRequest request;
  request.set_listener(options.listener);
  request.set_uid(who.uid);
  request.set_gid(who.gid);
  for (const gid_t group : who.groups) request.add_groups(group);
  request.set_method(options.method);
  for (const auto& [key, value] : options.metadata) (*request.mutable_metadata())[key] = value;
  request.set_namespace_(options.name_space);
  request.set_id(options.id);
  for (const auto& [key, value] : options.annotations)
    (*request.mutable_annotations())[key] = value;
  // Only a call about a workload can meet a rule with {user}.
  if (!options.name_space.empty() || !options.id.empty() || !options.annotations.empty())
    request.set_user(UserName(who.uid));
  return request;
}

int Show(const Options& options, const v1::ExplainRequest& request, const v1::ExplainReply& reply) {
  Print(options.json ? ToJson(reply, false)
                     : ShowExplanation(request, reply,
                                       {.colours = HasColours(), .now = 0, .user_name = UserName}));
  const std::optional<bool>& expect = options.explain.expect;
  if (!expect || *expect == reply.allowed()) return EXIT_SUCCESS;
  Complain(*expect ? "--expect allow failed: the call is denied"
                   : "--expect deny failed: the call is allowed");
  return kUnexpected;
}

// Returns the index of the listener with that name; without a name, of the only listener.
ttrpc::Result<size_t> FindListener(const Config& config, const std::string& name) {
  const auto& listeners = config.listeners;
  if (name.empty() && listeners.size() == 1) return size_t{0};
  for (size_t i = 0; i < listeners.size(); ++i) {
    if (listeners[i].name == name) return i;
  }
  if (!name.empty()) return NoSuchName("listener", name, listeners);
  return ttrpc::Status(ttrpc::StatusCode::kNotFound,
                       "--listener is needed; " + UseOneOf(NamesOf(listeners)));
}

int ExplainFile(const Options& options, const v1::ExplainRequest& request) {
  LoadedConfig loaded = LoadConfig(options.explain.config, SystemNameResolver());
  for (const ConfigError& error : loaded.errors) ComplainPlainly(error.ToString());
  if (!loaded.config) return ExitStatusOf(loaded.errors);
  const auto listener = FindListener(*loaded.config, options.explain.listener);
  if (!listener) return Fail(listener.error().message());
  const Snapshot snapshot(*std::move(loaded.config),
                          {.uid = ttrpc::OverflowUid(), .gid = ttrpc::OverflowGid()});
  return Show(options, request, ExplainLocally(snapshot, *listener, request));
}

void Describe(const Config& config, size_t index, v1::DecidingRule* out) {
  const RuleConfig& rule = config.rules[index];
  const bool allow = rule.action == RuleConfig::Action::kAllow;
  out->set_name(rule.name);
  out->set_action(allow ? "allow" : "deny");
  out->set_file(rule.position.file);
  out->set_line(rule.position.line);
  out->set_column(rule.position.column);
  if (!allow) return;
  out->set_backend(config.backends[rule.backend].name);
  out->set_streams(rule.streams);
}

}  // namespace

v1::ExplainReply ExplainLocally(const Snapshot& snapshot, size_t listener,
                                const v1::ExplainRequest& request) {
  const std::vector<gid_t> groups(request.groups().begin(), request.groups().end());
  std::vector<ttrpc::MetadataEntry> metadata;
  for (const auto& [key, value] : request.metadata()) {
    metadata.push_back({.key = key, .value = value});
  }
  std::map<std::string, std::string> annotations;
  for (const auto& [key, value] : request.annotations()) annotations.emplace(key, value);
  const WorkloadView workload = {.name_space = request.namespace_(),
                                 .id = request.id(),
                                 .annotations = annotations.empty() ? nullptr : &annotations};
  const Explanation found =
      Explain(snapshot, {.listener = listener,
                         .identity = {.uid = request.uid(), .gid = request.gid(), .groups = groups},
                         .method = *ParseMethodName(request.method()),
                         .metadata = metadata,
                         .workload = workload.empty() ? nullptr : &workload,
                         .user = request.user()});
  v1::ExplainReply reply;
  reply.set_admitted(found.admitted);
  reply.set_allowed(found.allowed);
  if (found.rule) Describe(snapshot.config, *found.rule, reply.mutable_rule());
  for (const size_t shadow : found.shadows) {
    Describe(snapshot.config, shadow, reply.add_shadows());
  }
  reply.set_reason(found.reason);
  for (const std::string& note : found.notes) reply.add_notes(note);
  return reply;
}

int RunExplain(const Options& options) {
  const auto who = ResolveUser(options.explain.who);
  if (!who) return Fail(who.error().message());
  if (!who->assumed.empty()) ComplainPlainly("note: " + who->assumed);
  const v1::ExplainRequest request = RequestOf(options.explain, *who);
  if (!options.explain.config.empty()) return ExplainFile(options, request);
  const auto connection = AdminConnection::Open(*options.address, options.timeout);
  if (!connection) return Fail(connection.error().message());
  const auto reply = (*connection)->Call(&v1::Admin::Explain, request);
  if (!reply) return Fail((*connection)->Why(reply.error()));
  return Show(options, request, *reply);
}

}  // namespace proxyd::ctl
