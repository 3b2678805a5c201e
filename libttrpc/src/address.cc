// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/address.h"

#include <linux/vm_sockets.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstddef>
#include <optional>
#include <type_traits>

namespace ttrpc {
namespace {

constexpr std::string_view kPathScheme = "unix://";
constexpr std::string_view kAbstractScheme = "unix-abstract:";
constexpr std::string_view kVsockScheme = "vsock:";
constexpr std::string_view kHybridVsockScheme = "hvsock://";
// containerd's sandbox store puts the name of the protocol before these two forms.
constexpr std::string_view kProtocol = "ttrpc+";
constexpr std::string_view kVsockUrlScheme = "vsock://";
constexpr std::string_view kExpectedUnix = "unix:///ABSOLUTE/PATH or unix-abstract:NAME";
constexpr std::string_view kExpectedVsock = "vsock:CID:PORT";
constexpr std::string_view kExpectedHybridVsock = "hvsock:///ABSOLUTE/PATH:PORT";

static_assert(sizeof(SocketAddress::storage) == sizeof(sockaddr_storage));
static_assert(alignof(SocketAddress) >= alignof(sockaddr_storage));
static_assert(std::is_same_v<socklen_t, uint32_t>);
static_assert(std::is_same_v<sa_family_t, uint16_t> && offsetof(sockaddr_storage, ss_family) == 0);

// sun_path needs one byte for the NUL that ends a path or begins an abstract name.
constexpr size_t kMaxNameLength = sizeof(sockaddr_un::sun_path) - 1;
static_assert(kMaxNameLength == 107);
// The next number, VMADDR_CID_ANY and VMADDR_PORT_ANY, stands for "any".
constexpr uint32_t kMaxNumber = 0xffff'fffeU;
static_assert(kMaxNumber == VMADDR_CID_ANY - 1);
static_assert(kMaxNumber == VMADDR_PORT_ANY - 1);

Status Invalid(std::string what) { return {StatusCode::kInvalidArgument, std::move(what)}; }

bool StripPrefix(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

// Returns the address without `ttrpc+`, or the whole text if that prefix has no meaning there.
std::string_view WithoutProtocol(std::string_view text) {
  std::string_view address = text;
  const bool has_url = StripPrefix(&address, kProtocol) &&
                       (address.starts_with(kPathScheme) || address.starts_with(kVsockUrlScheme));
  return has_url ? address : text;
}

// Checks what paths and abstract names have in common.
Status CheckName(std::string_view name, std::string_view what, std::string_view expected) {
  if (name.empty()) {
    return Invalid(std::string(what) + " is empty; use " + std::string(expected));
  }
  if (name.find('\0') != std::string_view::npos) {
    return Invalid(std::string(what) + " contains a NUL byte");
  }
  if (name.size() > kMaxNameLength) {
    return Invalid(std::string(what) + " has " + std::to_string(name.size()) +
                   " bytes; use at most " + std::to_string(kMaxNameLength));
  }
  return {};
}

Status CheckPath(std::string_view path, std::string_view expected) {
  if (Status status = CheckName(path, "path", expected); !status.ok()) return status;
  if (path.front() != '/') return Invalid("path is relative; use " + std::string(expected));
  if (path.back() == '/') return Invalid("path ends in a slash; use the path of a socket");
  return {};
}

Result<uint32_t> ParseNumber(std::string_view digits, const std::string& what) {
  uint32_t number = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, number);
  if (error != std::errc() || stopped != end || number > kMaxNumber) {
    return Invalid(what + " is not a number from 0 to " + std::to_string(kMaxNumber));
  }
  return number;
}

}  // namespace

Result<Address> Address::ParseVsock(std::string_view numbers) {
  const size_t colon = numbers.find(':');
  if (colon == std::string_view::npos)
    return Invalid("port is missing; use " + std::string(kExpectedVsock));
  const auto cid = ParseNumber(numbers.substr(0, colon), "CID");
  if (!cid) return cid.error();
  const auto port = ParseNumber(numbers.substr(colon + 1), "port");
  if (!port) return port.error();
  Address address(Kind::kVsock, "");
  address.cid_ = *cid;
  address.port_ = *port;
  return address;
}

// The last colon precedes the port, because a path may contain colons.
Result<Address> Address::ParseHybridVsock(std::string_view rest) {
  const size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos)
    return Invalid("port is missing; use " + std::string(kExpectedHybridVsock));
  const std::string_view path = rest.substr(0, colon);
  if (Status status = CheckPath(path, kExpectedHybridVsock); !status.ok()) return status;
  const auto port = ParseNumber(rest.substr(colon + 1), "port");
  if (!port) return port.error();
  Address address(Kind::kHybridVsock, std::string(path));
  address.port_ = *port;
  return address;
}

Result<Address> Address::Parse(std::string_view text) {
  std::string_view name = WithoutProtocol(text);
  if (StripPrefix(&name, kAbstractScheme) || StripPrefix(&name, "unix://@")) {
    if (Status status = CheckName(name, "abstract name", kExpectedUnix); !status.ok())
      return status;
    return Address(Kind::kUnixAbstract, std::string(name));
  }
  if (StripPrefix(&name, kPathScheme)) {
    if (Status status = CheckPath(name, kExpectedUnix); !status.ok()) return status;
    return Address(Kind::kUnixPath, std::string(name));
  }
  if (StripPrefix(&name, kVsockUrlScheme) || StripPrefix(&name, kVsockScheme))
    return ParseVsock(name);
  if (StripPrefix(&name, kHybridVsockScheme)) return ParseHybridVsock(name);
  return Invalid(
      "unknown kind of address; use unix:///ABSOLUTE/PATH, unix-abstract:NAME, "
      "vsock:CID:PORT or hvsock:///ABSOLUTE/PATH:PORT");
}

std::string Address::ToString() const {
  switch (kind_) {
    case Kind::kUnixPath:
      return std::string(kPathScheme) + name_;
    case Kind::kUnixAbstract:
      return std::string(kAbstractScheme) + name_;
    case Kind::kVsock:
      return std::string(kVsockScheme) + std::to_string(cid_) + ":" + std::to_string(port_);
    case Kind::kHybridVsock:
      return std::string(kHybridVsockScheme) + name_ + ":" + std::to_string(port_);
  }
  return {};  // all kinds are handled above
}

SocketAddress Address::ToSocketAddress() const {
  SocketAddress out;
  if (kind_ == Kind::kVsock) {
    auto* vm = reinterpret_cast<sockaddr_vm*>(out.storage);
    vm->svm_family = AF_VSOCK;
    vm->svm_cid = cid_;
    vm->svm_port = port_;
    out.length = sizeof *vm;
    return out;
  }
  assert(!name_.empty() && name_.size() <= kMaxNameLength);
  auto* unix_socket = reinterpret_cast<sockaddr_un*>(out.storage);
  unix_socket->sun_family = AF_UNIX;
  const size_t begin = kind_ == Kind::kUnixAbstract ? 1 : 0;
  std::copy(name_.begin(), name_.end(), unix_socket->sun_path + begin);
  // The length includes one NUL byte after the name. All bytes that it covers belong to an
  // abstract address, so padding would make a different address.
  out.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name_.size());
  return out;
}

}  // namespace ttrpc
