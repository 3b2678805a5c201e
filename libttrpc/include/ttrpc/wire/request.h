// SPDX-License-Identifier: Apache-2.0
//
// The envelope of a call, ttrpc.Request: scanned in place, written in canonical form. No I/O; any
// thread.
//
// This header is for programs that read and write messages themselves, such as proxies. It may
// change in any release.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "ttrpc/metadata.h"
#include "ttrpc/status.h"

namespace ttrpc {

// The limit for metadata entries. 4 MiB of empty entries are two million of them: without a limit,
// one message would use 64 MiB and delay all other peers longer than any other message of that
// length.
inline constexpr size_t kMaxMetadataEntries = 1024;

// A decoded Request. It borrows its strings, from the bytes that were scanned or from the code that
// filled it in. They must outlive the view or its next Clear().
struct RequestView {
  RequestView() = default;
  std::string_view service;
  std::string_view method;
  std::string_view payload;
  int64_t timeout_nano = 0;  // 0: none; negative: already over
  std::vector<MetadataEntry> metadata;

  // Resets all fields, and keeps the memory of `metadata` for the next request.
  void Clear();
};

enum class UnknownFieldAction {
  kRefuse,  // an unknown field is an error
  kDrop,    // an unknown field is dropped: neither in the view nor in what is written from it
};

// Clears `request` and scans the data of a request message into it. Returns INVALID_ARGUMENT
// `unmarshal request error: WHAT`, which never quotes the data, for
// - a truncated field, a varint of more than 10 bytes or 64 bits, a field number of 0, a group;
// - a field with the wrong wire type;
// - a service, method, payload, timeout_nano, or key or value of an entry that occurs twice;
// - a string that is not valid UTF-8;
// - an unknown field, unless `unknown_fields` is kDrop;
// - more than kMaxMetadataEntries entries.
// After an error `request` contains the fields before the one with the error.
Status ParseRequest(std::string_view data, UnknownFieldAction unknown_fields, RequestView* request);

// The canonical encoding has the fields in the order of their numbers, leaves out fields with their
// default value, and keeps the order of the metadata. EncodeRequest() writes exactly
// EncodedRequestSize() bytes at `out` and returns their end:
//   const size_t n = EncodedRequestSize(request);
//   char* const end = EncodeRequest(request, out);  // out + n
size_t EncodedRequestSize(const RequestView& request);
char* EncodeRequest(const RequestView& request, char* out);

}  // namespace ttrpc
