// SPDX-License-Identifier: Apache-2.0
//
// The text of a parsed address parses to the same address, and the address fits bind(2). The input
// is an address as text.
#include <linux/vm_sockets.h>
#include <sys/socket.h>
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

  const ttrpc::SocketAddress filled = address->ToSocketAddress();
  FUZZ_CHECK(filled.length <= sizeof filled.storage);
  if (!address->is_unix()) {
    FUZZ_CHECK(filled.family() == AF_VSOCK && filled.length == sizeof(sockaddr_vm));
    return 0;
  }
  FUZZ_CHECK(filled.family() == AF_UNIX && filled.length <= sizeof(sockaddr_un));
  const auto* const raw = reinterpret_cast<const sockaddr_un*>(filled.get());
  const bool path = address->kind() != ttrpc::Address::Kind::kUnixAbstract;
  const char* const name = raw->sun_path + (path ? 0 : 1);
  FUZZ_CHECK(std::memcmp(name, address->name().data(), address->name().size()) == 0);
  FUZZ_CHECK(address->name().find('\0') == std::string::npos);
  FUZZ_CHECK((raw->sun_path[0] == '\0') == !path);
  return 0;
}
