// SPDX-License-Identifier: Apache-2.0
//
// A value that the payload scanner reads is the one that protobuf's own parser reads, and it is the
// only one. The input is a payload. ttrpc.KeyValue has the two wanted fields.
#include <string>
#include <string_view>

#include "fuzz.h"
#include "policy/payload_scanner.h"
#include "ttrpc.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static constexpr proxyd::WantedField kWanted[] = {{.number = 1, .name = "key"},
                                                    {.number = 2, .name = "value"}};
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string_view values[2];
  const ttrpc::Status status = proxyd::ScanPayload(bytes, kWanted, values);
  if (!status.ok()) {
    FUZZ_CHECK(status.code() == ttrpc::StatusCode::kInvalidArgument);
    FUZZ_CHECK(status.message().starts_with("payload cannot be checked: "));
    FUZZ_CHECK(status.message().size() < 100);
    return 0;
  }
  ttrpc::wire::KeyValue theirs;
  FUZZ_CHECK(theirs.ParseFromArray(data, static_cast<int>(size)));
  FUZZ_CHECK(values[0] == theirs.key());
  FUZZ_CHECK(values[1] == theirs.value());
  // Whatever follows, the value cannot be replaced.
  const std::string twice = std::string(bytes) + std::string("\x0a\x01z\x0a\x01z", 6);
  FUZZ_CHECK(!proxyd::ScanPayload(twice, kWanted, values).ok());
  return 0;
}
