// SPDX-License-Identifier: Apache-2.0
//
// A request is parsed as protobuf parses it, and encoded as protobuf encodes it; the encoded form
// parses to the same. The input is the envelope.
#include <string>

#include "fuzz.h"
#include "ttrpc.pb.h"
#include "ttrpc/wire/request.h"

namespace {

std::string Encode(const ttrpc::RequestView& request) {
  std::string bytes(ttrpc::EncodedRequestSize(request), '\0');
  FUZZ_CHECK(ttrpc::EncodeRequest(request, bytes.data()) == bytes.data() + bytes.size());
  return bytes;
}

void CheckSame(const ttrpc::RequestView& a, const ttrpc::RequestView& b) {
  FUZZ_CHECK(a.service == b.service);
  FUZZ_CHECK(a.method == b.method);
  FUZZ_CHECK(a.payload == b.payload);
  FUZZ_CHECK(a.timeout_nano == b.timeout_nano);
  FUZZ_CHECK(a.metadata == b.metadata);
}

void CheckSame(const ttrpc::RequestView& ours, const ttrpc::wire::Request& theirs) {
  FUZZ_CHECK(ours.service == theirs.service());
  FUZZ_CHECK(ours.method == theirs.method());
  FUZZ_CHECK(ours.payload == theirs.payload());
  FUZZ_CHECK(ours.timeout_nano == theirs.timeout_nano());
  FUZZ_CHECK(ours.metadata.size() == static_cast<size_t>(theirs.metadata_size()));
  for (size_t i = 0; i < ours.metadata.size(); ++i) {
    FUZZ_CHECK(ours.metadata[i].key == theirs.metadata(static_cast<int>(i)).key());
    FUZZ_CHECK(ours.metadata[i].value == theirs.metadata(static_cast<int>(i)).value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ttrpc::RequestView request;
  const bool strict = ttrpc::ParseRequest(bytes, ttrpc::UnknownFieldAction::kRefuse, &request).ok();
  const bool read = ttrpc::ParseRequest(bytes, ttrpc::UnknownFieldAction::kDrop, &request).ok();
  FUZZ_CHECK(read || !strict);
  if (!read) return 0;
  ttrpc::wire::Request theirs;
  FUZZ_CHECK(theirs.ParseFromArray(data, static_cast<int>(size)));
  CheckSame(request, theirs);

  const std::string written = Encode(request);
  theirs.DiscardUnknownFields();
  FUZZ_CHECK(written == theirs.SerializeAsString());
  ttrpc::RequestView again;
  FUZZ_CHECK(ttrpc::ParseRequest(written, ttrpc::UnknownFieldAction::kRefuse, &again).ok());
  CheckSame(request, again);
  return 0;
}
