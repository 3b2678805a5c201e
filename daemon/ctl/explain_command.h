// SPDX-License-Identifier: Apache-2.0
//
// The part of `ttrpc-proxyctl explain` that works without a daemon.
#pragma once

#include "admin/admin.pb.h"
#include "policy/snapshot.h"

namespace proxyd::ctl {

// Returns what a daemon with this configuration would answer. `listener` is an index into its
// listeners. `request.method` must be a valid method name. Pure.
ttrpc::proxy::v1::ExplainReply ExplainLocally(const Snapshot& snapshot, size_t listener,
                                              const ttrpc::proxy::v1::ExplainRequest& request);

}  // namespace proxyd::ctl
