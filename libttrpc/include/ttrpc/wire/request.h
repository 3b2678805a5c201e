// SPDX-License-Identifier: Apache-2.0
//
// The envelope of a call: ttrpc.Request, scanned in place and written canonically. No I/O; any
// thread.
//
// For programs that read and write messages themselves, as proxies do: may change in any release.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "ttrpc/metadata.h"
#include "ttrpc/status.h"

namespace ttrpc {

// More metadata than anyone sends. 4 MiB of empty entries are two million of them: without a bound,
// one message would cost 64 MiB and hold up everyone else for longer than any other of its length.
inline constexpr size_t kMaxMetadataEntries = 1024;

// A decoded Request. Its strings are borrowed, from the bytes that it was scanned from or from its
// maker: these must outlive the view, or its next Clear().
struct RequestView {
  RequestView() = default;
  std::string_view service;
  std::string_view method;
  std::string_view payload;
  int64_t timeout_nano = 0;  // 0: none; negative: already over
  std::vector<MetadataEntry> metadata;

  // Makes it as new, but keeps the memory of `metadata` for the next request.
  void Clear();
};

enum class UnknownFieldAction {
  kRefuse,
  kDrop,  // the field is in neither the view nor what is written from it
};

// Scans the data of a request message into `request` (cleared first). INVALID_ARGUMENT `unmarshal
// request error: WHAT`, which never quotes the data, for: a truncated field, a varint of more than
// 10 bytes or 64 bits, a field number of 0, a group, a wrong wire type; service, method, payload or
// timeout_nano, or the key or value of an entry, if it occurs twice; a string that is not UTF-8; an
// unknown field, unless dropped; too many entries. On an error the content of `request` is
// unspecified.
Status ParseRequest(std::string_view data, UnknownFieldAction unknown_fields, RequestView* request);

// The canonical encoding: fields in the order of their numbers, none that has its default value,
// metadata in order. It takes two steps, so that the caller chooses where it is written; the second
// writes exactly the first's number of bytes at `out`, and returns their end:
//   const size_t n = EncodedRequestSize(request);
//   char* const end = EncodeRequest(request, out);  // out + n
size_t EncodedRequestSize(const RequestView& request);
char* EncodeRequest(const RequestView& request, char* out);

}  // namespace ttrpc
