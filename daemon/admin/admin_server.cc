// SPDX-License-Identifier: Apache-2.0
#include "admin/admin_server.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "observe/process_labels.h"
#include "policy/match.h"

namespace proxyd {

using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

// These limits are enough for a handful of tools, and bound the memory that they can hold.
constexpr size_t kConnections = 64;
constexpr size_t kStreams = 16;

// Methods that only read state are not audited: tools call them every second.
constexpr std::array<std::string_view, 5> kAudited = {"Reload", "Drain", "SetLogLevel", "ClosePeer",
                                                      "Tap"};

bool IsAudited(std::string_view method) {
  return std::find(kAudited.begin(), kAudited.end(), method) != kAudited.end();
}

}  // namespace

AdminServer::AdminServer(DaemonInfo& info, AdminActions& actions)
    : info_(info),
      service_(info.proxy.loop(), info, actions),
      server_(info.proxy.loop(), Options()),
      listeners_(info.proxy.loop(), {.accepted =
                                         [this](size_t, ttrpc::UniqueFd connected) {
                                           server_.ServeConnection(std::move(connected));
                                         },
                                     .paused = nullptr}) {
  static_cast<void>(ttrpc::proxy::v1::RegisterAdmin(server_, service_));
}

std::vector<BoundSocket> AdminServer::Commit(ListenerSet::Change change) {
  std::vector<BoundSocket> gone = listeners_.CommitAndLog(std::move(change));
  service_.EndTaps([this](const ttrpc::UnixCredentials& caller) { return Allows(caller); });
  return gone;
}

// Connections outlive reloads, so each call is checked again.
ttrpc::ServerOptions AdminServer::Options() {
  ttrpc::ServerOptions options;
  options.connections = kConnections;
  options.streams = kStreams;
  options.handshaker = ttrpc::RequireUnixCredentials(
      [this](const ttrpc::UnixCredentials& caller) { return LetIn(caller); }, {.groups = false});
  options.unary_interceptors.push_back(
      [this](ttrpc::Context& context, const ttrpc::MethodInfo& method, std::string request,
             ttrpc::UnaryNext next) -> ttrpc::Task<ttrpc::Result<std::string>> {
        if (Status status = CheckCall(*context.credentials(), method); !status.ok())
          co_return status;
        co_return co_await next(std::move(request));
      });
  options.stream_interceptors.push_back(
      [this](ttrpc::Context& context, const ttrpc::MethodInfo& method, ttrpc::RawStream& stream,
             ttrpc::StreamServerNext next) -> ttrpc::Task<ttrpc::Result<std::string>> {
        if (Status status = CheckCall(*context.credentials(), method); !status.ok())
          co_return status;
        co_return co_await next(stream);
      });
  return options;
}

// [admin] users admit a caller as the `users` of a rule would.
bool AdminServer::Allows(const ttrpc::UnixCredentials& caller) const {
  const std::optional<AdminConfig>& admin = info_.config().admin;
  if (!admin) return false;
  RuleConfig rule;
  rule.users = admin->users;
  // The groups are not read: a client chooses how many it has, and reading them takes time.
  return FitsIdentity(rule, {.uid = caller.uid, .gid = caller.gid, .groups = {}},
                      info_.proxy.snapshot().policy.overflow());
}

Status AdminServer::LetIn(const ttrpc::UnixCredentials& caller) {
  if (Allows(caller)) return {};
  Record(AuditEvent::kRefuse, caller, nullptr);
  return {StatusCode::kPermissionDenied, "not listed in [admin] users"};
}

Status AdminServer::CheckCall(const ttrpc::UnixCredentials& caller,
                              const ttrpc::MethodInfo& method) {
  if (!Allows(caller)) {
    Record(AuditEvent::kDeny, caller, &method);
    return {StatusCode::kPermissionDenied, "not listed in [admin] users"};
  }
  if (IsAudited(method.method)) Record(AuditEvent::kCall, caller, &method);
  return {};
}

// These lines ignore [audit] calls: a user who watches or ends the calls of others must always
// leave a trace.
void AdminServer::Record(AuditEvent event, const ttrpc::UnixCredentials& caller,
                         const ttrpc::MethodInfo* method) const {
  AuditRecord record;
  record.event = event;
  record.listener = AdminService::kLabel;
  record.pid = caller.pid;
  record.uid = caller.uid;
  record.gid = caller.gid;
  if (method != nullptr) {
    record.service = method->service;
    record.method = method->method;
    record.kind = method->unary() ? "unary" : "stream";
  }
  record.carried_out = event == AuditEvent::kCall;
  if (event != AuditEvent::kCall) {
    record.code = StatusCode::kPermissionDenied;
    record.reason = AuditReason::kNotAdmitted;
  }
  const ProcessLabels labels = ReadProcessLabels(caller.pid);
  record.comm = labels.comm();
  record.loginuid = labels.loginuid();
  info_.reports.Tell(record, AuditCalls::kAll);
}

}  // namespace proxyd
