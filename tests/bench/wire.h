// SPDX-License-Identifier: Apache-2.0
//
// The few protobuf bytes that the benchmark's two ends exchange, and the payload that proves each
// reply belongs to its request. Written by hand and not with libttrpc's envelopes: those are part
// of what is measured, so they do not get to judge themselves. Values, no I/O; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

inline constexpr std::string_view kService = "bench.Echo";
inline constexpr std::string_view kMethod = "Echo";

// One field of a protobuf message; `bytes` points into what the reader was given.
struct Field {
  uint32_t number = 0;
  uint64_t varint = 0;
  std::string_view bytes;
};

// Reads varint and length-delimited fields, all that ttrpc's envelopes are made of.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : rest_(bytes) {}

  // False at the end, and at the first byte that does not read: ok() tells which.
  [[nodiscard]] bool Next(Field& field);
  bool ok() const { return ok_; }

 private:
  bool ReadVarint(uint64_t& value);

  std::string_view rest_;
  bool ok_ = true;
};

// The largest payload that a request with our names can carry in a message every peer takes.
inline constexpr size_t kMaxPayloadSize = (4U << 20) - 64;

// Payloads of one size, each made from its counter: a protobuf message of a fixed64 (the counter)
// and bytes (noise that starts elsewhere for each counter), so that Go's decoder accepts it.
class PayloadPattern {
 public:
  static constexpr size_t kMinSize = 14;  // the two fields with no noise

  explicit PayloadPattern(size_t size);  // kMinSize to kMaxPayloadSize

  size_t size() const { return size_; }
  void AppendTo(std::string& out, uint64_t counter) const;
  // Compares each byte.
  bool Matches(std::string_view payload, uint64_t counter) const;

 private:
  using Head = std::array<char, kMinSize>;
  Head MakeHead(uint64_t counter) const;
  std::string_view Noise(uint64_t counter) const;

  size_t size_;
  std::string noise_;
};

// Each appends one whole message: header and envelope.
void AppendRequest(std::string& out, uint32_t stream_id, uint64_t counter,
                   const PayloadPattern& pattern);
void AppendReply(std::string& out, uint32_t stream_id, std::string_view payload);
void AppendUnimplemented(std::string& out, uint32_t stream_id);

struct Request {
  std::string_view service;
  std::string_view method;
  std::string_view payload;
};
// False if the envelope does not read. The views point into `data`.
[[nodiscard]] bool ParseRequest(std::string_view data, Request& request);

struct Reply {
  uint64_t code = 0;
  std::string_view status_message;
  std::string_view payload;
};
[[nodiscard]] bool ParseReply(std::string_view data, Reply& reply);

}  // namespace bench
