// SPDX-License-Identifier: Apache-2.0
//
// `ttrpc-proxyctl explain`: what the daemon's policy would decide, or that of a configuration file,
// and why.
#pragma once

#include <string>

#include "admin/admin.pb.h"
#include "ctl/options.h"
#include "policy/snapshot.h"

namespace proxyd::ctl {

// Gives the exit status.
int RunExplain(const Options& options);

// What the daemon would answer if it had this configuration. `listener`: an index. `request.method`
// is known to be one. Pure.
ttrpc::proxy::v1::ExplainReply ExplainLocally(const Snapshot& snapshot, size_t listener,
                                              const ttrpc::proxy::v1::ExplainRequest& request);

}  // namespace proxyd::ctl
