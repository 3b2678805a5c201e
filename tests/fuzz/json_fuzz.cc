// SPDX-License-Identifier: Apache-2.0
//
// The JSON of the `ttrpc` command. If the first byte of the input is even, the others are a message
// from a server: it is printed as valid JSON, and reads back unless a value was marked. If it is
// odd, they are a request in JSON.
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/type.pb.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.h"
#include "tool/json_codec.h"

namespace {

using google::protobuf::Descriptor;

// A Type has fields of most kinds, and an Any.
const Descriptor& TypeFor(uint8_t choice) {
  if ((choice & 2U) != 0) return *google::protobuf::Value::descriptor();
  return *google::protobuf::Type::descriptor();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static ttrpc::tool::JsonCodec codec(nullptr, {.compact = true});
  const Descriptor& type = TypeFor(data[0]);
  std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if ((data[0] & 1U) != 0) {
    const auto read = codec.ToBytes(type, bytes);
    if (!read) return 0;
    bytes = *read;
  }
  std::vector<std::string> problems;
  const auto printed = codec.ToJson(type, bytes, &problems);
  FUZZ_CHECK(static_cast<bool>(printed) || (data[0] & 1U) == 0);
  if (!printed) return 0;
  FUZZ_CHECK(nlohmann::json::accept(*printed));
  if (problems.empty()) FUZZ_CHECK(static_cast<bool>(codec.ToBytes(type, *printed)));
  return 0;
}
