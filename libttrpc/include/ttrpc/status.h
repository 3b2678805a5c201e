// SPDX-License-Identifier: Apache-2.0
//
// Status: how a call ended. Result<T>: a value, or the Status that says why there is none.
// Values; any thread. The codes are gRPC's, on the wire as google.rpc.Status.code.
#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ttrpc {

enum class StatusCode : int32_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "OK", "PERMISSION_DENIED", …; "UNRECOGNIZED" for a number that the enum does not name. The view
// lives for ever.
std::string_view StatusCodeName(StatusCode code);

// More about an error, in a message of any type: google.protobuf.Any, its message still encoded.
struct StatusDetail {
  StatusDetail(std::string url, std::string bytes)
      : type_url(std::move(url)), value(std::move(bytes)) {}
  std::string type_url;  // "type.googleapis.com/google.rpc.ErrorInfo"
  std::string value;

  friend bool operator==(const StatusDetail&, const StatusDetail&) = default;
};

// An OK status is a null pointer: it costs nothing to make, to hand on and to test.
class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  // kOk gives OK, whatever the message.
  Status(StatusCode code, std::string message, std::vector<StatusDetail> details = {});
  Status(const Status& other);
  Status& operator=(const Status& other);
  Status(Status&& other) noexcept = default;
  Status& operator=(Status&& other) noexcept = default;

  bool ok() const { return state_ == nullptr; }
  StatusCode code() const { return ok() ? StatusCode::kOk : state_->code; }
  // Empty if OK. Valid for as long as the status is neither assigned to nor destroyed.
  const std::string& message() const;
  // Empty if OK. Valid for as long.
  const std::vector<StatusDetail>& details() const;

  // "OK" or "PERMISSION_DENIED: uid 1000 may not call /svc/Method".
  std::string ToString() const;

  friend bool operator==(const Status& a, const Status& b) {
    return a.code() == b.code() && a.message() == b.message() && a.details() == b.details();
  }

 private:
  struct State {
    State(StatusCode c, std::string m, std::vector<StatusDetail> d)
        : code(c), message(std::move(m)), details(std::move(d)) {}
    StatusCode code;
    std::string message;
    std::vector<StatusDetail> details;
  };
  std::unique_ptr<const State> state_;
};

std::ostream& operator<<(std::ostream& out, const Status& status);

// The Status of a failed system call: `what` followed by strerror(error_number). The codes are
// those that Go's server gives such an error: EEXIST and ENOTEMPTY ALREADY_EXISTS, ENOENT
// NOT_FOUND, EACCES and EPERM PERMISSION_DENIED, anything else UNKNOWN.
Status ErrnoStatus(int error_number, std::string_view what);

// Has std::expected's member names, so that it can become an alias of it.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {
  }  // NOLINT: implicit, as in std::expected
  Result(Status error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: never OK

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // Only with a value: std::get aborts the program otherwise (it throws through a noexcept border).
  T& value() & noexcept { return std::get<0>(state_); }
  const T& value() const& noexcept { return std::get<0>(state_); }
  T&& value() && noexcept { return std::get<0>(std::move(state_)); }
  T& operator*() & noexcept { return value(); }
  const T& operator*() const& noexcept { return value(); }
  T&& operator*() && noexcept { return std::move(*this).value(); }
  T* operator->() noexcept { return &value(); }
  const T* operator->() const noexcept { return &value(); }

  // Only without a value.
  const Status& error() const noexcept { return std::get<1>(state_); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace ttrpc
