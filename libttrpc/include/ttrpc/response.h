// SPDX-License-Identifier: Apache-2.0
//
// The envelope of an answer: ttrpc.Response. No I/O; any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc {

// What a response says, pointing into the bytes it was scanned from.
struct ResponseView {
  StatusCode code = StatusCode::kOk;  // may be a number that the enum does not name
  std::string_view message;
  std::string_view payload;
  std::string_view status;  // the encoded Status; empty: none
};

// Scans as protobuf parsers do: unknown fields are skipped, the last of a repeated field counts.
// UNKNOWN `unmarshal response error: WHAT` if it is not a protobuf message.
Status ParseResponse(std::string_view data, ResponseView* response);

// The same, for a reader that needs no more than how the call ended: the response's code, or
// UNKNOWN if it cannot be read.
StatusCode ReadResponse(std::string_view data, ResponseView* response);

// More than anyone sends. 4 MiB of empty details are two million of them, and would be many times
// that in memory.
inline constexpr size_t kMaxStatusDetails = 1024;

// The status of a scanned response, with its details, of which those above kMaxStatusDetails are
// dropped. The view's bytes may go.
Status StatusOf(const ResponseView& response);

// The canonical encoding of a response that carries `status` and no payload; 0 bytes if it is OK.
size_t EncodedResponseSize(const Status& status);
char* EncodeResponse(const Status& status, char* out);

// The same of one that is OK and carries a payload of this many bytes, up to where these follow:
//   char* payload = EncodeReplyHead(n, out);   // payload + n == out + EncodedReplySize(n)
size_t EncodedReplySize(size_t payload_size);
char* EncodeReplyHead(size_t payload_size, char* out);

}  // namespace ttrpc
