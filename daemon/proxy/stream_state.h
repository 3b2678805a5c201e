// SPDX-License-Identifier: Apache-2.0
//
// StreamState: the state machine of one call between a peer and its backend. It is pure: it decides
// for each message whether it is forwarded, dropped or refused. A state lives from the forwarded
// request to the end of the call. Messages on other ids are refused (from a peer) or dropped (from
// a backend) where they are looked up.
//
// A backend gets data only on a call whose rule allows streaming, and nothing after the peer's side
// has closed. A peer gets nothing after the backend's end of the call, and no data on a unary call.
#pragma once

#include <cstdint>

#include "ttrpc/wire/message.h"

namespace proxyd {

// PeerData: how data from a peer is handled.
enum class PeerData {
  kForward,           // forwarded as data, without flags
  kForwardThenClose,  // the same, followed by kClose
  kClose,             // forwarded as remote closed with no data
  kDrop,              // dropped: it has no data, and closes nothing that was open
  kRefuse,            // refused: the peer's side is closed, and the proxy answers the call
};

// BackendMessage: how a message from a backend is handled.
enum class BackendMessage {
  kForward,        // forwarded unchanged
  kForwardAndEnd,  // forwarded unchanged; it ends the call
  kRefuse,         // refused: data on a unary call, which the proxy answers
};

class StreamState {
 public:
  // A request with neither remote closed nor remote open begins a unary call.
  explicit StreamState(uint8_t request_flags);

  PeerData OnPeerData(uint8_t flags);
  // `header` belongs to a response or to data.
  BackendMessage OnBackendMessage(const ttrpc::MessageHeader& header) const;

  bool unary() const { return unary_; }

 private:
  bool unary_;
  bool peer_open_;
};

// Returns whether this is the last message that a backend sends for a call: a response, or data
// with remote closed.
bool IsLastOfBackend(const ttrpc::MessageHeader& header);

// Returns the flags of the forwarded request: remote closed and remote open as the peer sent them,
// and no unknown flags. An open stream without a payload also gets "no data", since ttrpc-rust's
// server would otherwise deliver an empty first message.
uint8_t RequestFlagsToBackend(uint8_t peer_flags, bool payload_empty);

}  // namespace proxyd
