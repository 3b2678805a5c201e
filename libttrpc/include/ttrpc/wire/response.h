// SPDX-License-Identifier: Apache-2.0
//
// The envelope of a reply, ttrpc.Response. No I/O; any thread.
//
// This header is for programs that read and write messages themselves, such as proxies. It may
// change in any release.
#pragma once

#include <cstddef>
#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc {

// A decoded Response. Its strings point into the bytes that were scanned, which must outlive the
// view.
struct ResponseView {
  StatusCode code = StatusCode::kOk;  // may be a number that the enum does not name
  std::string_view message;
  std::string_view payload;
  std::string_view status;  // the encoded Status; empty: none
};

// Scans the data of a response message into `response`, with the rules of protobuf parsers: unknown
// fields are skipped, and the last occurrence of a repeated field counts. A response that is only a
// small payload, as most are, is not scanned. Returns UNKNOWN `unmarshal response error: WHAT` if
// the data is not a protobuf message; the contents of `response` are unspecified then.
Status ParseResponse(std::string_view data, ResponseView* response);

// Returns the status code of a response and sets `*payload`, for programs that forward responses
// unchanged. Returns the code of the error if ParseResponse() refuses the response.
StatusCode ReadResponse(std::string_view data, std::string_view* payload);

// The limit for details of a status. 4 MiB of empty details are two million of them, and would use
// many times as much memory.
inline constexpr size_t kMaxStatusDetails = 1024;

// Returns a copy of the status of a scanned response, with at most kMaxStatusDetails details.
// Further details are dropped.
Status StatusOf(const ResponseView& response);

// The canonical encoding of a response with `status` and no payload; 0 bytes if the status is OK.
// EncodeResponse() writes EncodedResponseSize() bytes at `out` and returns their end. U+FFFD
// replaces each byte of the message, or of a detail's type_url, that is not UTF-8.
size_t EncodedResponseSize(const Status& status);
char* EncodeResponse(const Status& status, char* out);

// Like the above, for an OK response with a payload of `payload_size` bytes. EncodeReplyHead()
// writes everything before the payload and returns the place where the caller writes the payload:
//   char* const payload = EncodeReplyHead(n, out);  // payload + n == out + EncodedReplySize(n)
size_t EncodedReplySize(size_t payload_size);
char* EncodeReplyHead(size_t payload_size, char* out);

}  // namespace ttrpc
