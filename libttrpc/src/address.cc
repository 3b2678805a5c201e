// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/address.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

namespace ttrpc {
namespace {

constexpr std::string_view kPathScheme = "unix://";
constexpr std::string_view kAbstractScheme = "unix-abstract:";
constexpr std::string_view kExpected = "unix:///ABSOLUTE/PATH or unix-abstract:NAME";

// One byte of sun_path is the NUL that ends a path, or the NUL that begins an abstract name.
constexpr size_t kMaxNameLength = sizeof(sockaddr_un::sun_path) - 1;
static_assert(kMaxNameLength == 107);

Status Invalid(std::string what) { return {StatusCode::kInvalidArgument, std::move(what)}; }

bool StripPrefix(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

Status UnknownScheme(std::string_view text) {
  for (std::string_view scheme : {"vsock:", "hvsock:", "systemd:"}) {
    if (text.starts_with(scheme)) {
      return Invalid(std::string(scheme) + " addresses are not supported yet, expected " +
                     std::string(kExpected));
    }
  }
  return Invalid("unknown kind of address, expected " + std::string(kExpected));
}

// What holds for a path and for an abstract name alike.
Status CheckName(std::string_view name, std::string_view what) {
  if (name.empty()) {
    return Invalid(std::string(what) + " is empty, expected " + std::string(kExpected));
  }
  if (name.find('\0') != std::string_view::npos) {
    return Invalid(std::string(what) + " contains a NUL byte");
  }
  if (name.size() > kMaxNameLength) {
    return Invalid(std::string(what) + " has " + std::to_string(name.size()) +
                   " bytes, expected at most " + std::to_string(kMaxNameLength));
  }
  return {};
}

Status CheckPath(std::string_view path) {
  if (Status status = CheckName(path, "path"); !status.ok()) return status;
  if (path.front() != '/') return Invalid("path is relative, expected unix:///ABSOLUTE/PATH");
  if (path.back() == '/') return Invalid("path names a folder, expected that of a socket");
  return {};
}

}  // namespace

Result<Address> Address::Parse(std::string_view text) {
  std::string_view name = text;
  if (StripPrefix(&name, kAbstractScheme) || StripPrefix(&name, "unix://@")) {
    if (Status status = CheckName(name, "abstract name"); !status.ok()) return status;
    return Address(Kind::kUnixAbstract, std::string(name));
  }
  if (StripPrefix(&name, kPathScheme)) {
    if (Status status = CheckPath(name); !status.ok()) return status;
    return Address(Kind::kUnixPath, std::string(name));
  }
  return UnknownScheme(text);
}

std::string Address::ToString() const {
  const std::string_view scheme = kind_ == Kind::kUnixPath ? kPathScheme : kAbstractScheme;
  return std::string(scheme) + name_;
}

socklen_t Address::ToSockaddr(sockaddr_un* out) const {
  assert(!name_.empty() && name_.size() <= kMaxNameLength);
  *out = {};
  out->sun_family = AF_UNIX;
  char* const start = kind_ == Kind::kUnixAbstract ? out->sun_path + 1 : out->sun_path;
  std::copy(name_.begin(), name_.end(), start);
  // Both kinds have one NUL beside the name. An abstract address is the bytes that the length
  // covers: padding would be a different address.
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name_.size());
}

}  // namespace ttrpc
