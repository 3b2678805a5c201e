// SPDX-License-Identifier: Apache-2.0
//
// AdminServer: implements [admin]. It owns the socket, admits clients, and audits their calls. It
// runs on the loop's thread.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/admin_service.h"
#include "config/config.h"
#include "proxy/daemon_info.h"
#include "proxy/listener_set.h"
#include "ttrpc/server.h"
#include "ttrpc/status.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

class AdminServer {
 public:
  // `info` and `actions` must outlive this object.
  AdminServer(DaemonInfo& info, AdminActions& actions);
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // ListenerSet documents these.
  std::vector<ListenerSet::Here> here() const { return listeners_.here(); }
  ttrpc::Result<ListenerSet::Change> Prepare(const Config& after, ListenerSet::NewSockets made) {
    return listeners_.Prepare(SocketsOf(after.admin), std::move(made));
  }
  ttrpc::Result<ListenerSet::Change> Prepare(const Config& after) {
    return listeners_.Prepare(SocketsOf(after.admin));
  }
  // Call it when the configuration that `change` was prepared for is in force. It also ends the
  // taps of users who are no longer listed.
  [[nodiscard]] std::vector<BoundSocket> Commit(ListenerSet::Change change);

  // Stops listening and removes the socket. Connections stay open. A drain begins with this.
  void StopListening() { listeners_.Clear(); }

  // Replies to all clients that wait for a reload.
  void Reloaded(const ReloadOutcome& outcome) { service_.Reloaded(outcome); }

 private:
  ttrpc::ServerOptions Options();
  bool Allows(const ttrpc::UnixCredentials& caller) const;
  ttrpc::Status LetIn(const ttrpc::UnixCredentials& caller);
  ttrpc::Status CheckCall(const ttrpc::UnixCredentials& caller, const ttrpc::MethodInfo& method);
  void Record(AuditEvent event, const ttrpc::UnixCredentials& caller,
              const ttrpc::MethodInfo* method) const;

  DaemonInfo& info_;
  AdminService service_;
  ttrpc::Server server_;
  ListenerSet listeners_;
};

}  // namespace proxyd
