// SPDX-License-Identifier: Apache-2.0
//
// WorkerCounters: what a worker counts as a whole. LabeledCounters has what it counts by listener,
// backend, rule and method. Only the worker's own thread writes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "limits/limit.h"
#include "ttrpc/wire/connection.h"

namespace proxyd {

// Messages that violate the protocol, by what is wrong with them.
enum class ProtocolError {
  kPeerHeader,          // the reserved byte is not zero; the connection is closed
  kPeerMessageType,     // unknown type, or a response; the message is dropped
  kPeerEnvelope,        // a request that is refused before any rule is consulted
  kPeerStreamId,        // a request on an id that is even or in use
  kPeerData,            // data on an id without a call, or after the peer's close
  kPeerMessageSize,     // too long
  kBackendHeader,       // the same as kPeerHeader
  kBackendMessage,      // for no call, such as a late reply; the message is dropped
  kBackendMessageSize,  // too long
  kBackendData,         // data on a unary call
};
inline constexpr std::array<std::string_view, 10> kProtocolErrorNames = {
    "peer_header",    "peer_message_type", "peer_envelope",
    "peer_stream_id", "peer_data",         "peer_message_size",
    "backend_header", "backend_message",   "backend_message_size",
    "backend_data"};

struct WorkerCounters {
  uint64_t peers = 0;          // admitted
  uint64_t peers_refused = 0;  // closed before anything was read from them
  uint64_t calls = 0;          // forwarded
  uint64_t denied = 0;         // by the policy
  uint64_t refused = 0;    // answered with an error of the proxy: malformed, misplaced, too long
  uint64_t timed_out = 0;  // connections of peers and backends that a timeout closed
  uint64_t backends_timed_out = 0;                                     // the backends among them
  std::array<uint64_t, kLimits> limit_refusals{};                      // by Limit
  std::array<uint64_t, kProtocolErrorNames.size()> protocol_errors{};  // by ProtocolError
  ttrpc::ByteCounts peer_bytes;
  ttrpc::ByteCounts backend_bytes;

  void Count(Limit limit) { ++limit_refusals[static_cast<size_t>(limit)]; }
  void Count(ProtocolError error) { ++protocol_errors[static_cast<size_t>(error)]; }
  uint64_t of(ProtocolError error) const { return protocol_errors[static_cast<size_t>(error)]; }
};

}  // namespace proxyd
