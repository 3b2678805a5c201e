// SPDX-License-Identifier: Apache-2.0
#include "proxy/stream_state.h"

namespace proxyd {

using ttrpc::kFlagNoData;
using ttrpc::kFlagRemoteClosed;
using ttrpc::kFlagRemoteOpen;

StreamState::StreamState(uint8_t request_flags)
    : unary_((request_flags & (kFlagRemoteClosed | kFlagRemoteOpen)) == 0),
      peer_open_((request_flags & kFlagRemoteOpen) != 0) {}

PeerData StreamState::OnPeerData(uint8_t flags) {
  const bool closes = (flags & kFlagRemoteClosed) != 0;
  // The flag wins over a payload that contradicts it. Without the flag, a payload of zero bytes is
  // an empty message.
  const bool has_data = (flags & kFlagNoData) == 0;
  // Go's clients may close a stream twice, and Go's server ignores the second close.
  if (!peer_open_) return closes && !has_data && !unary_ ? PeerData::kDrop : PeerData::kRefuse;
  if (closes) peer_open_ = false;
  if (has_data) return closes ? PeerData::kForwardThenClose : PeerData::kForward;
  return closes ? PeerData::kClose : PeerData::kDrop;
}

BackendMessage StreamState::OnBackendMessage(const ttrpc::MessageHeader& header) const {
  if (header.type == ttrpc::MessageType::kResponse) return BackendMessage::kForwardAndEnd;
  if (unary_) return BackendMessage::kRefuse;
  return IsLastOfBackend(header) ? BackendMessage::kForwardAndEnd : BackendMessage::kForward;
}

bool IsLastOfBackend(const ttrpc::MessageHeader& header) {
  return header.type == ttrpc::MessageType::kResponse ||
         (header.type == ttrpc::MessageType::kData && (header.flags & kFlagRemoteClosed) != 0);
}

uint8_t RequestFlagsToBackend(uint8_t peer_flags, bool payload_empty) {
  auto flags = static_cast<uint8_t>(peer_flags & (kFlagRemoteClosed | kFlagRemoteOpen));
  if ((flags & kFlagRemoteOpen) != 0 && payload_empty) flags |= kFlagNoData;
  return flags;
}

}  // namespace proxyd
