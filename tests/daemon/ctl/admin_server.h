// SPDX-License-Identifier: Apache-2.0
//
// AdminServer: an admin service that answers as a test tells it to, on a thread of its own, for
// tests of ttrpc-proxyctl.
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
  v1::ReloadReply reload = {};
  v1::SetLogLevelReply log_level = {};
  v1::ExplainReply explain = {};
  std::vector<std::string> metrics = {};  // in these parts; a failure follows them
  std::vector<v1::TapEvent> events = {};
  // How a tap ends after its events; none: it waits for its caller to go.
  std::optional<ttrpc::Status> tap_ends = {};
  // By method: how it fails.
  std::map<std::string, ttrpc::Status> failures = {};
  bool lets_nobody_in = false;  // closes connections before a byte is read
  bool hangs = false;           // never answers
};

class AdminServer {
 public:
  // The test fails if it cannot listen there.
  AdminServer(const std::string& socket_path, AdminScript script);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // `ListPeers limit: 5`, in the order in which they came.
  std::vector<std::string> calls() const;
  // Waits until there are as many.
  void WaitForCalls(size_t count) const;

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace proxyd::ctl
