// SPDX-License-Identifier: Apache-2.0
//
// client_internal::Relay: see client.h.
#include <optional>
#include <utility>

#include "ttrpc/client.h"

namespace ttrpc {

namespace {

// Until either side has ended.
Task<void> RelayRequests(RawStream* requests, RawClientStream* call) {
  while (std::optional<std::string> message = co_await requests->Receive()) {
    const Status sent = co_await call->Send(std::move(*message));
    if (!sent.ok()) co_return;
  }
  // One whose sender was lost has not been closed by it, and the server must not take it for whole.
  if (requests->status().ok()) call->CloseSend();
}

}  // namespace

Task<Result<std::string>> client_internal::Relay(std::unique_ptr<RawClientStream> call,
                                                 RawStream* requests, RawStream* replies) {
  TaskGroup sending;
  if (requests != nullptr) sending.Spawn(RelayRequests(requests, call.get()));
  for (;;) {
    std::optional<std::string> message = co_await call->Receive();
    if (!message) break;
    if (replies == nullptr) continue;
    if (Status status = co_await replies->Send(std::move(*message)); !status.ok()) co_return status;
  }
  sending.Clear();
  co_return co_await call->Finish();
}

}  // namespace ttrpc
