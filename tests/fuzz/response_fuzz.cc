// SPDX-License-Identifier: Apache-2.0
//
// If both libttrpc and protobuf accept a response, they parse it to the same. Protobuf accepts
// every encoded status, which parses to the same status if it is UTF-8. The input is the envelope.
#include <string>

#include "fuzz.h"
#include "ttrpc.pb.h"
#include "ttrpc/wire/response.h"

namespace {

std::string Encode(const ttrpc::Status& status) {
  std::string bytes(ttrpc::EncodedResponseSize(status), '\0');
  FUZZ_CHECK(ttrpc::EncodeResponse(status, bytes.data()) == bytes.data() + bytes.size());
  return bytes;
}

std::string EncodeReply(std::string_view payload) {
  std::string bytes(ttrpc::EncodedReplySize(payload.size()), '\0');
  char* const place = ttrpc::EncodeReplyHead(payload.size(), bytes.data());
  FUZZ_CHECK(place + payload.size() == bytes.data() + bytes.size());
  payload.copy(place, payload.size());
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ttrpc::ResponseView response;
  if (!ttrpc::ParseResponse(bytes, &response).ok()) return 0;
  ttrpc::wire::Response theirs;
  const bool theirs_parsed = theirs.ParseFromArray(data, static_cast<int>(size));
  if (theirs_parsed) {
    FUZZ_CHECK(static_cast<int32_t>(response.code) == theirs.status().code());
    FUZZ_CHECK(response.message == theirs.status().message());
    FUZZ_CHECK(response.payload == theirs.payload());
  }

  const ttrpc::Status status = ttrpc::StatusOf(response);
  FUZZ_CHECK(status.code() == response.code);
  const std::string written = Encode(status);
  ttrpc::ResponseView again;
  FUZZ_CHECK(ttrpc::ParseResponse(written, &again).ok());
  const ttrpc::Status read = ttrpc::StatusOf(again);
  FUZZ_CHECK(read.code() == status.code());
  FUZZ_CHECK(Encode(read) == written);
  FUZZ_CHECK(!theirs_parsed || read == status);
  FUZZ_CHECK(theirs.ParseFromString(written));
  FUZZ_CHECK(again.payload.empty());

  const std::string reply = EncodeReply(response.payload);
  FUZZ_CHECK(ttrpc::ParseResponse(reply, &again).ok());
  FUZZ_CHECK(again.code == ttrpc::StatusCode::kOk);
  FUZZ_CHECK(again.payload == response.payload);
  return 0;
}
