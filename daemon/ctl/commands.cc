// SPDX-License-Identifier: Apache-2.0
#include "ctl/commands.h"

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "ctl/admin_connection.h"
#include "ctl/output.h"
#include "ctl/table.h"
#include "ctl/views.h"
#include "text/escape.h"

namespace proxyd::ctl {
namespace {

using ttrpc::Result;
using ttrpc::Status;

Look MakeLook() {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {.colours = HasColours(),
          .now = duration_cast<microseconds>(now).count(),
          .user_name = [](uint32_t uid) { return UserName(uid); }};
}

// Failure() wraps a message for the user; its code means nothing.
Status Failure(const std::string& why) { return {ttrpc::StatusCode::kUnknown, why}; }

template <typename Request, typename Reply>
Result<std::string> Ask(const Options& options,
                        ttrpc::Task<Result<Reply>> (v1::Admin::*method)(ttrpc::Context&,
                                                                        const Request&),
                        const Request& request, std::string (*show)(const Reply&, const Look&)) {
  const auto connection = AdminConnection::Open(*options.address, options.timeout);
  if (!connection) return connection.error();
  const Result<Reply> reply = (*connection)->Call(method, request);
  if (!reply) return Failure((*connection)->Why(reply.error()));
  // Each reply of --watch is one line, so that a program can split the output.
  if (options.json) return ToJson(*reply, options.watch.has_value());
  return show(*reply, MakeLook());
}

template <typename Request>
Request Limited(const Options& options) {
  Request request;
  request.set_limit(options.limit);
  return request;
}

// Returns one name per line, for shell completion.
template <typename Things>
std::string NamesOf(const Things& things) {
  std::string lines;
  for (const auto& thing : things) lines += text::Printable(thing.name()) + "\n";
  return lines;
}

Result<std::string> AskNames(const Options& options) {
  if (options.names == "rules") {
    return Ask(
        options, &v1::Admin::ListRules, v1::ListRulesRequest(),
        +[](const v1::ListRulesReply& reply, const Look&) { return NamesOf(reply.rules()); });
  }
  if (options.names == "backends") {
    return Ask(
        options, &v1::Admin::ListBackends, v1::ListBackendsRequest(),
        +[](const v1::ListBackendsReply& reply, const Look&) { return NamesOf(reply.backends()); });
  }
  return Ask(
      options, &v1::Admin::GetStatus, v1::GetStatusRequest(),
      +[](const v1::GetStatusReply& reply, const Look&) { return NamesOf(reply.listeners()); });
}

Result<std::string> LookOnce(const Options& options) {
  switch (options.command) {
    case Command::kPeers:
      return Ask(options, &v1::Admin::ListPeers, Limited<v1::ListPeersRequest>(options),
                 &ShowPeers);
    case Command::kCalls:
      return Ask(options, &v1::Admin::ListCalls, Limited<v1::ListCallsRequest>(options),
                 &ShowCalls);
    case Command::kRules:
      return Ask(options, &v1::Admin::ListRules, v1::ListRulesRequest(), &ShowRules);
    case Command::kUsers:
      return Ask(options, &v1::Admin::ListUsers, v1::ListUsersRequest(), &ShowUsers);
    case Command::kBackends:
      return Ask(options, &v1::Admin::ListBackends, v1::ListBackendsRequest(), &ShowBackends);
    case Command::kWorkloads: {
      v1::ListWorkloadsRequest request;
      request.set_listener(options.workloads_listener);
      return Ask(options, &v1::Admin::ListWorkloads, request, &ShowWorkloads);
    }
    case Command::kNames:
      return AskNames(options);
    default:
      return Ask(options, &v1::Admin::GetStatus, v1::GetStatusRequest(), &ShowStatus);
  }
}

// Watch() reports errors and continues, since the daemon may only be restarting.
[[noreturn]] void Watch(const Options& options, std::string first) {
  Screen screen;
  Result<std::string> text = std::move(first);
  while (true) {
    if (text && options.json) {
      Print(*text);
    } else if (text) {
      screen.Show(*text);
    } else {
      Complain(text.error().message());
    }
    std::this_thread::sleep_for(*options.watch);
    text = LookOnce(options);
  }
}

int CloseListener(AdminConnection& connection, const Options& options) {
  v1::ClosePeerRequest request;
  request.set_listener(options.close_listener);
  const auto reply = connection.Call(&v1::Admin::ClosePeer, request);
  if (!reply) return Fail(connection.Why(reply.error()));
  Print(options.json ? ToJson(*reply, true)
                     : "Closed " + std::to_string(reply->closed()) +
                           (reply->closed() == 1 ? " peer.\n" : " peers.\n"));
  return EXIT_SUCCESS;
}

int Close(AdminConnection& connection, const Options& options) {
  if (!options.close_listener.empty()) return CloseListener(connection, options);
  int status = EXIT_SUCCESS;
  for (const uint64_t peer : options.peers) {
    v1::ClosePeerRequest request;
    request.set_id(peer);
    const auto reply = connection.Call(&v1::Admin::ClosePeer, request);
    if (!reply) {
      status = Fail(connection.Why(reply.error()));
    } else {
      Print(options.json ? ToJson(*reply, true) : "Closed peer " + std::to_string(peer) + ".\n");
    }
  }
  return status;
}

int Drain(AdminConnection& connection, const Options& options) {
  const auto reply = connection.Call(&v1::Admin::Drain, v1::DrainRequest());
  if (!reply) return Fail(connection.Why(reply.error()));
  Print(options.json ? ToJson(*reply, false) : "The daemon is draining.\n");
  return EXIT_SUCCESS;
}

int SetLogLevel(AdminConnection& connection, const Options& options) {
  v1::SetLogLevelRequest request;
  request.set_level(options.log_level);
  const auto reply = connection.Call(&v1::Admin::SetLogLevel, request);
  if (!reply) return Fail(connection.Why(reply.error()));
  Print(options.json
            ? ToJson(*reply, false)
            : "Changed the log level from " + Toned(reply->previous(), Tone::kPlain, false) +
                  " to " + options.log_level + ".\n");
  return EXIT_SUCCESS;
}

}  // namespace

int RunLook(const Options& options) {
  Result<std::string> text = LookOnce(options);
  if (!text) return Fail(text.error().message());
  if (options.watch) Watch(options, *std::move(text));
  Print(*text);
  return EXIT_SUCCESS;
}

int RunAction(const Options& options) {
  const auto connection = AdminConnection::Open(*options.address, options.timeout);
  if (!connection) return Fail(connection.error().message());
  switch (options.command) {
    case Command::kDrain:
      return Drain(**connection, options);
    case Command::kLogLevel:
      return SetLogLevel(**connection, options);
    default:
      return Close(**connection, options);
  }
}

}  // namespace proxyd::ctl
