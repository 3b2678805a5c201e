// SPDX-License-Identifier: Apache-2.0
//
// The statuses with which the proxy itself answers. The functions are pure.
#pragma once

#include <string>
#include <string_view>

#include "config/config.h"
#include "ttrpc/status.h"
#include "ttrpc/wire/codec.h"
#include "ttrpc/wire/request.h"

namespace proxyd {

inline ttrpc::Status StreamIdMustBeOdd() {
  return {ttrpc::StatusCode::kInvalidArgument, "StreamID must be odd for client initiated streams"};
}

inline ttrpc::Status StreamIdInUse() {
  return {ttrpc::StatusCode::kInvalidArgument, "StreamID cannot be re-used"};
}

inline ttrpc::Status StreamNotActive() {
  return {ttrpc::StatusCode::kInvalidArgument, "StreamID is no longer active"};
}

inline ttrpc::Status Draining() { return {ttrpc::StatusCode::kUnavailable, "draining"}; }

inline ttrpc::Status DeadlineExceeded() {
  return {ttrpc::StatusCode::kDeadlineExceeded, "context deadline exceeded"};
}

// ttrpc-rust can transform the data of each message, for example encrypt it. Nothing in the header
// marks such a message, so that the status about data that cannot be read names the possible cause.
inline ttrpc::Status NotReadable(const ttrpc::Status& status) {
  return {status.code(),
          status.message() +
              "; if the client uses a payload transform of ttrpc-rust (such as encryption or "
              "compression), disable it, since a proxy must read the request"};
}

// Returns /SERVICE/METHOD.
inline std::string FullMethod(const ttrpc::RequestView& request) {
  return std::string("/").append(request.service).append("/").append(request.method);
}

inline ttrpc::Status MayNotCall(uid_t uid, const ttrpc::RequestView& request) {
  return {ttrpc::StatusCode::kPermissionDenied,
          "uid " + std::to_string(uid) + " may not call " + FullMethod(request)};
}

// At one socket for all workloads, the requests of other services name none.
inline ttrpc::Status UnknownService(const ttrpc::RequestView& request) {
  return {ttrpc::StatusCode::kUnimplemented, "service " + std::string(request.service)};
}

// `name` is NAMESPACE/ID.
inline ttrpc::Status NoWorkload(std::string_view name) {
  return {ttrpc::StatusCode::kNotFound, "no workload " + std::string(name)};
}

inline ttrpc::Status WorkloadCannotBeUsed(std::string_view name) {
  return {ttrpc::StatusCode::kUnavailable,
          "workload " + std::string(name) + " cannot be used; see ttrpc-proxyctl workloads"};
}

// The client's own request may have been short enough, so the status names what the proxy added.
inline ttrpc::Status TooLongToForward(size_t length, size_t limit, const BackendConfig& backend) {
  ttrpc::Status status = ttrpc::MessageTooLong(length, limit);
  if (!backend.forward_identity) return status;
  return {status.code(), status.message() + " (including the identity that forward_identity adds)"};
}

// `what` is the end of the sentence that begins with the backend. The status names the backend but
// not its path.
inline ttrpc::Status BackendStatus(ttrpc::StatusCode code, const BackendConfig& backend,
                                   std::string_view what) {
  return {code, "backend \"" + backend.name + "\" " + std::string(what)};
}

inline ttrpc::Status CannotBeReached(const BackendConfig& backend) {
  return BackendStatus(ttrpc::StatusCode::kUnavailable, backend, "cannot be reached");
}

inline ttrpc::Status Disconnected(const BackendConfig& backend) {
  return BackendStatus(ttrpc::StatusCode::kUnavailable, backend, "disconnected");
}

inline ttrpc::Status TakesNoRequests(const BackendConfig& backend) {
  return BackendStatus(ttrpc::StatusCode::kUnavailable, backend, "has stopped reading");
}

}  // namespace proxyd
