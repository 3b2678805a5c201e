// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/status.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>

namespace ttrpc {

std::string_view StatusCodeName(StatusCode code) {
  static constexpr std::array<std::string_view, 17> kNames = {
      "OK",
      "CANCELLED",
      "UNKNOWN",
      "INVALID_ARGUMENT",
      "DEADLINE_EXCEEDED",
      "NOT_FOUND",
      "ALREADY_EXISTS",
      "PERMISSION_DENIED",
      "RESOURCE_EXHAUSTED",
      "FAILED_PRECONDITION",
      "ABORTED",
      "OUT_OF_RANGE",
      "UNIMPLEMENTED",
      "INTERNAL",
      "UNAVAILABLE",
      "DATA_LOSS",
      "UNAUTHENTICATED",
  };
  const auto number = static_cast<size_t>(static_cast<uint32_t>(code));
  return number < kNames.size() ? kNames[number] : "UNRECOGNIZED";
}

Status::Status(StatusCode code, std::string message, std::vector<StatusDetail> details) {
  if (code == StatusCode::kOk) return;
  state_.reset(new State(code, std::move(message), std::move(details)));
}

Status::Status(const Status& other) : state_(other.ok() ? nullptr : new State(*other.state_)) {}

Status& Status::operator=(const Status& other) {
  if (this != &other) state_.reset(other.ok() ? nullptr : new State(*other.state_));
  return *this;
}

void Status::Deleter::operator()(const State* state) const { delete state; }

const std::string& Status::message() const {
  static const std::string kNone;
  return ok() ? kNone : state_->message;
}

const std::vector<StatusDetail>& Status::details() const {
  static const std::vector<StatusDetail> kNone;
  return ok() ? kNone : state_->details;
}

std::string Status::ToString() const {
  std::string text(StatusCodeName(code()));
  if (!message().empty()) text.append(": ").append(message());
  return text;
}

Status status_internal::OkIsNoError() {
  return {StatusCode::kInternal, "ttrpc: an OK status is not an error"};
}

std::ostream& operator<<(std::ostream& out, const Status& status) {
  return out << status.ToString();
}

namespace {

StatusCode CodeOfErrno(int error_number) {
  switch (error_number) {
    case EACCES:
    case EPERM:
      return StatusCode::kPermissionDenied;
    case ENOENT:
      return StatusCode::kNotFound;
    case EEXIST:
    case ENOTEMPTY:
      return StatusCode::kAlreadyExists;
    default:
      return StatusCode::kUnknown;
  }
}

}  // namespace

Status ErrnoStatus(int error_number, std::string_view what) {
  std::string message(what);
  // generic_category().message() is thread-safe; strerror() is not.
  message.append(": ").append(std::generic_category().message(error_number));
  return {CodeOfErrno(error_number), std::move(message)};
}

}  // namespace ttrpc
