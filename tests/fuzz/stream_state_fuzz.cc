// SPDX-License-Identifier: Apache-2.0
//
// The daemon's stream state machine, driven from both sides. A backend receives only what the
// protocol permits after this request. The input is the request's flags, then two bytes for each
// message: its sender and kind, and its flags.
#include "fuzz.h"
#include "proxy/stream_state.h"
#include "ttrpc/wire/message.h"

namespace {

using proxyd::BackendMessage;
using proxyd::PeerData;
using proxyd::StreamState;

constexpr uint8_t kClosed = ttrpc::kFlagRemoteClosed;
constexpr uint8_t kOpen = ttrpc::kFlagRemoteOpen;
constexpr uint8_t kNoData = ttrpc::kFlagNoData;

// The backend's view of the stream.
struct Backend {
  bool open;  // it may receive data
  int closes = 0;
};

// Whether the peer's side is open, which shows in how its data is treated.
bool PeerOpen(StreamState state) { return state.OnPeerData(0) == PeerData::kForward; }

void SendFromPeer(uint8_t flags, StreamState* state, Backend* backend) {
  const bool was_open = PeerOpen(*state);
  FUZZ_CHECK(was_open == backend->open);
  const PeerData what = state->OnPeerData(flags);
  // A stream that is closed a second time continues.
  const bool closes_again = !state->unary() && (flags & (kClosed | kNoData)) == (kClosed | kNoData);
  FUZZ_CHECK((what == PeerData::kRefuse) == (!was_open && !closes_again));
  if (!was_open && closes_again) FUZZ_CHECK(what == PeerData::kDrop);
  const bool forwards = what == PeerData::kForward || what == PeerData::kForwardThenClose;
  const bool closes = what == PeerData::kClose || what == PeerData::kForwardThenClose;
  if (was_open) {
    FUZZ_CHECK(forwards == ((flags & kNoData) == 0));
    FUZZ_CHECK(closes == ((flags & kClosed) != 0));
  }
  if (closes) {
    backend->open = false;
    ++backend->closes;
  }
  FUZZ_CHECK(backend->closes <= 1);
  FUZZ_CHECK(PeerOpen(*state) == backend->open);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Script script(data, size);
  const uint8_t request_flags = script.Byte();
  StreamState state(request_flags);
  FUZZ_CHECK(state.unary() == ((request_flags & (kClosed | kOpen)) == 0));
  for (const bool empty : {false, true}) {
    const uint8_t sent = proxyd::RequestFlagsToBackend(request_flags, empty);
    FUZZ_CHECK((sent & (kClosed | kOpen)) == (request_flags & (kClosed | kOpen)));
    FUZZ_CHECK(((sent & kNoData) != 0) == (empty && (request_flags & kOpen) != 0));
    FUZZ_CHECK((sent & ~(kClosed | kOpen | kNoData)) == 0);
  }
  const bool unary = state.unary();
  Backend backend = {.open = (request_flags & kOpen) != 0};
  while (!script.done()) {
    const uint8_t who = script.Byte();
    const uint8_t flags = script.Byte();
    if (who % 3 == 0) {
      SendFromPeer(flags, &state, &backend);
    } else if (who % 3 == 1) {
      const bool open = PeerOpen(state);
      const BackendMessage what =
          state.OnBackendMessage({.type = ttrpc::MessageType::kData, .flags = flags});
      FUZZ_CHECK((what == BackendMessage::kRefuse) == unary);
      if (!unary) FUZZ_CHECK((what == BackendMessage::kForwardAndEnd) == ((flags & kClosed) != 0));
      // A message from the backend neither opens nor closes the peer's side.
      FUZZ_CHECK(PeerOpen(state) == open);
    } else {
      FUZZ_CHECK(state.OnBackendMessage({.type = ttrpc::MessageType::kResponse, .flags = flags}) ==
                 BackendMessage::kForwardAndEnd);
    }
    FUZZ_CHECK(state.unary() == unary);
  }
  return 0;
}
