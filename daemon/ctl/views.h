// SPDX-License-Identifier: Apache-2.0
//
// Formats replies of the admin service as text. The functions do no I/O; any thread may call them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "admin/admin.pb.h"

namespace proxyd::ctl {

namespace v1 = ttrpc::proxy::v1;

struct Look {
  bool colours = false;
  int64_t now = 0;  // microseconds since 1970
  // Returns the user's name, or an empty text if it has none.
  std::function<std::string(uint32_t uid)> user_name;
};

std::string ShowStatus(const v1::GetStatusReply& reply, const Look& look);
std::string ShowPeers(const v1::ListPeersReply& reply, const Look& look);
std::string ShowCalls(const v1::ListCallsReply& reply, const Look& look);
std::string ShowRules(const v1::ListRulesReply& reply, const Look& look);
std::string ShowUsers(const v1::ListUsersReply& reply, const Look& look);
std::string ShowBackends(const v1::ListBackendsReply& reply, const Look& look);
std::string ShowWorkloads(const v1::ListWorkloadsReply& reply, const Look& look);
std::string ShowExplanation(const v1::ExplainRequest& request, const v1::ExplainReply& reply,
                            const Look& look);

}  // namespace proxyd::ctl
