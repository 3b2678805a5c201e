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

// What to look at, where that can be said.
std::string Hint(const Status& failure) {
  if (failure.code() == StatusCode::kNotFound) {
    return "\nIs ttrpc-proxyd running, and does its configuration have a section [admin]?";
  }
  if (failure.message() == std::generic_category().message(EACCES)) {
    return "\nThe socket's owner, group and mode are those of [admin] in the daemon's "
           "configuration.";
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
  options.message_size = ttrpc::kMaxMessageSize;  // a list of all peers is long
  client_ = ttrpc::Client::Over(loop_.io(), std::move(**outcome), std::move(options));
  admin_ = std::make_unique<v1::AdminClient>(*client_);
  return {};
}

std::string AdminConnection::Why(const Status& status) const {
  if (status.code() == StatusCode::kUnavailable && client_->closed()) {
    if (answered_) return "the daemon closed the connection";
    return "the daemon closed the connection before it answered\n"
           "Is your user one of [admin] users in its configuration?";
  }
  if (status.code() == StatusCode::kDeadlineExceeded) {
    return "the daemon does not answer (--timeout says how long it is waited for)";
  }
  return status.message().empty() ? std::string(ttrpc::StatusCodeName(status.code()))
                                  : status.message();
}

}  // namespace proxyd::ctl
