// SPDX-License-Identifier: Apache-2.0
#include "dial.h"

#include <optional>
#include <utility>

#include "ttrpc/wire/connector.h"
#include "until.h"

namespace ttrpc {

Task<Result<UniqueFd>> ConnectTo(IoLoop& loop, Address address) {
  Waiter waiter(loop);
  std::optional<Connector::Outcome> outcome;
  Connector connector(loop, [&waiter, &outcome](Connector::Outcome later) {
    outcome = std::move(later);
    waiter.Wake();
  });
  outcome = connector.Start(address);
  if (!outcome) co_await Until(waiter);
  if (!*outcome) {
    co_return Status(StatusCode::kUnavailable,
                     address.ToString() + ": " + outcome->error().message());
  }
  co_return std::move(**outcome);
}

}  // namespace ttrpc
