// SPDX-License-Identifier: Apache-2.0
//
// StreamState: the state machine of one call between a peer and its backend. Pure: it is asked
// about each message and says what becomes of it. A state lives from the request that was forwarded
// until the call's end; messages on ids that have none are refused (from a peer) or dropped (from a
// backend) by whoever looks them up.
//
// What it guarantees to a backend: data only on a call whose rule lets it stream, nothing after the
// peer's side has closed. To a peer: nothing after the backend's end of the call, no data on a
// unary call.
#pragma once

#include <cstdint>

#include "ttrpc/wire/message.h"

namespace proxyd {

// What becomes of data from a peer.
enum class PeerData {
  kForward,           // as data, without flags
  kForwardThenClose,  // as data without flags, then kClose
  kClose,             // remote closed and no data, without a payload
  kDrop,              // says nothing new: no data, and not closed, or of a stream closed already
  kRefuse,            // the peer's side is closed: the call is answered
};

// What becomes of a message from a backend.
enum class BackendMessage {
  kForward,        // as it came
  kForwardAndEnd,  // as it came; it ends the call
  kRefuse,         // data on a unary call: the call is answered
};

class StreamState {
 public:
  // From the flags of the request: neither remote closed nor remote open is a unary call.
  explicit StreamState(uint8_t request_flags);

  PeerData OnPeerData(uint8_t flags);
  // `header` is that of a response or of data.
  BackendMessage OnBackendMessage(const ttrpc::MessageHeader& header) const;

  bool unary() const { return unary_; }

 private:
  bool unary_;
  bool peer_open_;
};

// Whether a backend sends nothing more for a call after this message: a response, or data with
// remote closed.
bool IsLastOfBackend(const ttrpc::MessageHeader& header);

// The flags with which a request goes to the backend: remote closed and remote open as the peer
// sent them, nothing that we do not know. An open without a payload says so: ttrpc-rust's server
// would deliver an empty first message.
uint8_t RequestFlagsToBackend(uint8_t peer_flags, bool payload_empty);

}  // namespace proxyd
