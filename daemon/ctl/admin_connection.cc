// SPDX-License-Identifier: Apache-2.0
#include "ctl/admin_connection.h"

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include "ttrpc/wire/connector.h"

namespace proxyd::ctl {
namespace {

using ttrpc::Status;
using ttrpc::StatusCode;

// Returns what the user can check after a failure to connect, or an empty text.
std::string Hint(const Status& failure) {
  if (failure.code() == StatusCode::kNotFound) {
    return "; check that ttrpc-proxyd is running and that its configuration has an [admin] section";
  }
  if (failure.message() == std::generic_category().message(EACCES)) {
    return "; check owner, group and mode of [admin] in the daemon's configuration";
  }
  return "";
}

}  // namespace

ttrpc::Result<std::unique_ptr<AdminConnection>> AdminConnection::Open(
    const ttrpc::Address& address, std::chrono::nanoseconds timeout, Check check) {
  std::unique_ptr<AdminConnection> connection(new AdminConnection(address, timeout));
  if (Status status = connection->Connect(std::move(check)); !status.ok()) return status;
  return connection;
}

Status AdminConnection::Connect(Check check) {
  std::optional<ttrpc::Connector::Outcome> outcome;
  ttrpc::Connector connector(loop_.io(), [this, &outcome](ttrpc::Connector::Outcome later) {
    outcome = std::move(later);
    loop_.Stop();
  });
  outcome = connector.Start(address_, {.timeout = timeout_, .check = std::move(check)});
  if (!outcome) loop_.RunForever();
  if (!*outcome) {
    const Status& failure = outcome->error();
    return {failure.code(),
            "cannot connect to " + address_.ToString() + ": " + failure.message() + Hint(failure)};
  }
  ttrpc::ClientOptions options;
  options.message_size = ttrpc::kMaxMessageSize;  // lists of peers and calls can be long
  client_ = ttrpc::Client::Over(loop_.io(), std::move(**outcome), std::move(options));
  admin_ = std::make_unique<v1::AdminClient>(*client_);
  return {};
}

std::string AdminConnection::Why(const Status& status) const {
  if (status.code() == StatusCode::kUnavailable && client_->closed()) {
    if (answered_) return "the daemon closed the connection";
    return "the daemon closed the connection without a reply; check that its configuration lists "
           "your user in [admin] users";
  }
  if (status.code() == StatusCode::kDeadlineExceeded) {
    return "the daemon did not reply in time; use --timeout to wait longer";
  }
  return status.message().empty() ? std::string(ttrpc::StatusCodeName(status.code()))
                                  : status.message();
}

}  // namespace proxyd::ctl
