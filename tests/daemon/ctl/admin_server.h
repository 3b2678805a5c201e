// SPDX-License-Identifier: Apache-2.0
//
// AdminServer: an admin service for tests of ttrpc-proxyctl. It gives scripted answers, on a thread
// of its own.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/admin.pb.h"
#include "ttrpc/status.h"

namespace proxyd::ctl {

namespace v1 = ttrpc::proxy::v1;

struct AdminScript {
  v1::GetStatusReply status = {};
  v1::ListPeersReply peers = {};
  v1::ListCallsReply calls = {};
  v1::ListRulesReply rules = {};
  v1::ListUsersReply users = {};
  v1::ListBackendsReply backends = {};
  v1::ListWorkloadsReply workloads = {};
  v1::ReloadReply reload = {};
  v1::SetLogLevelReply log_level = {};
  v1::ExplainReply explain = {};
  std::vector<std::string> metrics = {};  // sent as these parts, followed by the failure if any
  std::vector<v1::TapEvent> events = {};
  // The status of a tap after its events; none: the tap lasts until the client leaves.
  std::optional<ttrpc::Status> tap_ends = {};
  // The errors of methods, by name.
  std::map<std::string, ttrpc::Status> failures = {};
  bool lets_nobody_in = false;  // closes connections before it reads a byte
  bool hangs = false;           // never answers
};

class AdminServer {
 public:
  // The test fails if the server cannot listen on `socket_path`.
  AdminServer(const std::string& socket_path, AdminScript script);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // Returns each call as `ListPeers limit: 5`, in order.
  std::vector<std::string> calls() const;
  // Waits until `count` calls were made.
  void WaitForCalls(size_t count) const;

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace proxyd::ctl
