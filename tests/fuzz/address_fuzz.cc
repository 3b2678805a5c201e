// SPDX-License-Identifier: Apache-2.0
//
// An address that is read is written so that it reads back the same, and fits what bind(2) takes.
// Input: the text.
#include <sys/un.h>

#include <cstring>
#include <string>

#include "fuzz.h"
#include "ttrpc/address.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto address = ttrpc::Address::Parse(text);
  if (!address) {
    FUZZ_CHECK(address.error().code() == ttrpc::StatusCode::kInvalidArgument);
    FUZZ_CHECK(!address.error().message().empty());
    return 0;
  }
  const auto again = ttrpc::Address::Parse(address->ToString());
  FUZZ_CHECK(again.has_value());
  FUZZ_CHECK(*again == *address);
  FUZZ_CHECK(again->ToString() == address->ToString());

  sockaddr_un filled = {};
  const socklen_t length = address->ToSockaddr(&filled);
  FUZZ_CHECK(length <= sizeof filled);
  const bool path = address->kind() == ttrpc::Address::Kind::kUnixPath;
  const char* const name = filled.sun_path + (path ? 0 : 1);
  FUZZ_CHECK(std::memcmp(name, address->name().data(), address->name().size()) == 0);
  FUZZ_CHECK(address->name().find('\0') == std::string::npos);
  FUZZ_CHECK((filled.sun_path[0] == '\0') == !path);
  return 0;
}
