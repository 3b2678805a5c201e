// SPDX-License-Identifier: Apache-2.0
//
// The envelope of an answer: ttrpc.Response. No I/O; any thread.
//
// For programs that read and write messages themselves, as proxies do: may change in any release.
#pragma once

#include <cstddef>
#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc {

// A decoded Response. Its strings point into the bytes that it was scanned from, which must outlive
// the view.
struct ResponseView {
  StatusCode code = StatusCode::kOk;  // may be a number that the enum does not name
  std::string_view message;
  std::string_view payload;
  std::string_view status;  // the encoded Status; empty: none
};

// Scans the data of a response message into `response`, as protobuf parsers do: unknown fields are
// skipped, the last of a repeated field counts. A small payload and nothing else, which most
// responses are, costs no scan. UNKNOWN `unmarshal response error: WHAT` if the data is not a
// protobuf message; the content of `response` is unspecified then.
Status ParseResponse(std::string_view data, ResponseView* response);

// What became of a call, and the payload of its response, for those that forward responses as they
// came. A response that ParseResponse() refuses has the code of that error.
StatusCode ReadResponse(std::string_view data, std::string_view* payload);

// More than anyone sends. 4 MiB of empty details are two million of them, and would be many times
// that in memory.
inline constexpr size_t kMaxStatusDetails = 1024;

// Returns a copy of the status of a scanned response, with at most kMaxStatusDetails details; more
// are dropped.
Status StatusOf(const ResponseView& response);

// The canonical encoding of a response that carries `status` and no payload: 0 bytes if it is OK.
// EncodeResponse() writes EncodedResponseSize() bytes at `out`, and returns their end.
size_t EncodedResponseSize(const Status& status);
char* EncodeResponse(const Status& status, char* out);

// The same for a response that is OK and carries a payload of `payload_size` bytes, up to the place
// where the caller writes these:
//   char* const payload = EncodeReplyHead(n, out);  // payload + n == out + EncodedReplySize(n)
size_t EncodedReplySize(size_t payload_size);
char* EncodeReplyHead(size_t payload_size, char* out);

}  // namespace ttrpc
