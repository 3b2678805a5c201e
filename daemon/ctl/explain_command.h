// SPDX-License-Identifier: Apache-2.0
//
// The part of `ttrpc-proxyctl explain` that needs no daemon.
#pragma once

#include "admin/admin.pb.h"
#include "policy/snapshot.h"

namespace proxyd::ctl {

// What the daemon would answer if it had this configuration. `listener`: an index. `request.method`
// is known to be one. Pure.
ttrpc::proxy::v1::ExplainReply ExplainLocally(const Snapshot& snapshot, size_t listener,
                                              const ttrpc::proxy::v1::ExplainRequest& request);

}  // namespace proxyd::ctl
