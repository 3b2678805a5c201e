// SPDX-License-Identifier: Apache-2.0
//
// Status: the outcome of a call. Result<T>: a value, or the Status that says why there is none. The
// codes are gRPC's and travel as google.rpc.Status.code.
//
// Both are values that own their contents. Any thread may use one, one thread at a time. No
// function here fails.
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

// Returns "OK", "PERMISSION_DENIED" and so on, or "UNRECOGNIZED" for a number that the enum does
// not name. The view stays valid until the program ends.
std::string_view StatusCodeName(StatusCode code);

// A detail of an error: a google.protobuf.Any whose message is still encoded.
struct StatusDetail {
  StatusDetail(std::string url, std::string bytes)
      : type_url(std::move(url)), value(std::move(bytes)) {}
  std::string type_url;  // "type.googleapis.com/google.rpc.ErrorInfo"
  std::string value;

  friend bool operator==(const StatusDetail&, const StatusDetail&) = default;
};

// An OK status is a null pointer, so that it is cheap to make, to pass and to test.
class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  // If `code` is kOk, the message and the details are dropped. The message may be any bytes; a
  // server sends U+FFFD for each byte that is not UTF-8.
  Status(StatusCode code, std::string message, std::vector<StatusDetail> details = {});
  Status(const Status& other);
  Status& operator=(const Status& other);
  Status(Status&& other) noexcept = default;
  Status& operator=(Status&& other) noexcept = default;

  bool ok() const { return state_ == nullptr; }
  StatusCode code() const { return ok() ? StatusCode::kOk : state_->code; }
  // Both are empty if the status is OK. Valid until the status is assigned to, moved from or
  // destroyed.
  const std::string& message() const;
  const std::vector<StatusDetail>& details() const;

  // Returns "OK" or "PERMISSION_DENIED: uid 1000 may not call /svc/Method".
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
  // Errors are rare, so that destroying one is a call, and destroying an OK is a comparison.
  struct Deleter {
    void operator()(const State* state) const;
  };
  std::unique_ptr<const State, Deleter> state_;
};

// Writes ToString().
std::ostream& operator<<(std::ostream& out, const Status& status);

// Returns the status of a failed system call. Its message is `what`, a colon and
// strerror(error_number). The code follows Go's server: ALREADY_EXISTS for EEXIST and ENOTEMPTY,
// NOT_FOUND for ENOENT, PERMISSION_DENIED for EACCES and EPERM, UNKNOWN for all others.
Status ErrnoStatus(int error_number, std::string_view what);

namespace status_internal {

// Returns INTERNAL `ttrpc: an OK status is not an error`.
Status OkIsNoError();

}  // namespace status_internal

// A Result has the member names of std::expected, so that it can become an alias of it. References
// from value() and error() are valid until the result is assigned to, moved from or destroyed.
template <typename T>
class [[nodiscard]] Result {
 public:
  // Both constructors are implicit, as in std::expected.
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT
  // An OK status cannot explain a missing value. It is replaced by INTERNAL `ttrpc: an OK status is
  // not an error`.
  Result(Status error)  // NOLINT
      : state_(std::in_place_index<1>,
               error.ok() ? status_internal::OkIsNoError() : std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // Call these only if there is a value. Otherwise they end the program.
  T& value() & noexcept { return std::get<0>(state_); }
  const T& value() const& noexcept { return std::get<0>(state_); }
  T&& value() && noexcept { return std::get<0>(std::move(state_)); }
  T& operator*() & noexcept { return value(); }
  const T& operator*() const& noexcept { return value(); }
  T&& operator*() && noexcept { return std::move(*this).value(); }
  T* operator->() noexcept { return &value(); }
  const T* operator->() const noexcept { return &value(); }

  // Call this only if there is no value. Otherwise it ends the program. Never OK.
  const Status& error() const noexcept { return std::get<1>(state_); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace ttrpc
