// SPDX-License-Identifier: Apache-2.0
//
// The protobuf fields around a payload that the two ends of the benchmark exchange. They are
// written with support/wire.h and not with libttrpc's envelopes, which are part of what is
// measured. Values, no I/O; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "payload.h"

namespace bench {

inline constexpr std::string_view kService = "bench.Echo";
inline constexpr std::string_view kMethod = "Echo";
inline constexpr std::string_view kWaitMethod = "Wait";  // never answers

// The backend answers this call of containerd's like its own, so that proxies that lead calls by
// the workload that they name can be measured.
inline constexpr std::string_view kTaskService = "containerd.task.v3.Task";
inline constexpr std::string_view kTaskMethod = "State";

// One field of a protobuf message. `bytes` points into the reader's input.
struct Field {
  uint32_t number = 0;
  uint64_t varint = 0;
  std::string_view bytes;
};

// Reads varint and length-delimited fields; ttrpc's envelopes have no others.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : rest_(bytes) {}

  // Returns false at the end, and at the first byte that cannot be parsed; ok() distinguishes the
  // two.
  [[nodiscard]] bool Next(Field& field);
  bool ok() const { return ok_; }

 private:
  bool ReadVarint(uint64_t& value);

  std::string_view rest_;
  bool ok_ = true;
};

// Each of these appends one whole message: header and envelope.
void AppendRequest(std::string& out, uint32_t stream_id, std::string_view method, uint64_t counter,
                   const PayloadPattern& pattern);
// The workload that a call of kTaskMethod names, in its payload and in its metadata.
struct TaskTarget {
  std::string id;  // empty: calls are those of kMethod
  std::string name_space;
};
// Returns what precedes the pattern's message in the payload: the id is field 1, the message
// field 2.
std::string TaskPrefix(const TaskTarget& target, const PayloadPattern& pattern);
// `prefix` is TaskPrefix() of the same values.
struct TaskRequest {
  uint32_t stream_id = 0;
  std::string_view prefix;
  std::string_view name_space;
  uint64_t counter = 0;
};
void AppendTaskRequest(std::string& out, const TaskRequest& request, const PayloadPattern& pattern);
void AppendReply(std::string& out, uint32_t stream_id, std::string_view payload);
void AppendStatus(std::string& out, uint32_t stream_id, uint64_t code, std::string_view message);
void AppendUnimplemented(std::string& out, uint32_t stream_id);
void AppendData(std::string& out, uint32_t stream_id, uint8_t flags, std::string_view data);

// A request of any kind. AppendRequest() makes only those that are measured.
struct OutgoingRequest {
  uint32_t stream_id = 0;
  uint8_t flags = 0;
  std::string_view service;
  std::string_view method;
  std::string_view payload;
  uint64_t timeout_nano = 0;
};
void AppendRequest(std::string& out, const OutgoingRequest& request);

struct Request {
  std::string_view service;
  std::string_view method;
  std::string_view payload;
};
// Returns false if the envelope cannot be parsed. The views point into `data`.
[[nodiscard]] bool ParseRequest(std::string_view data, Request& request);

struct Reply {
  uint64_t code = 0;
  std::string_view status_message;
  std::string_view payload;
};
[[nodiscard]] bool ParseReply(std::string_view data, Reply& reply);

}  // namespace bench
