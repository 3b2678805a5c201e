// SPDX-License-Identifier: Apache-2.0
//
// Address: where a ttrpc service is found. A value, no I/O; any thread.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc {

// A Unix socket, by path or by abstract name.
class Address {
 public:
  enum class Kind { kUnixPath, kUnixAbstract };

  // Reads `unix:///abs/path`, `unix-abstract:name` and `unix://@name` (both abstract).
  // INVALID_ARGUMENT, saying what was expected: no known scheme (the message names vsock:, hvsock:
  // and systemd: as "not supported yet"), a path that is relative, empty, "/" or ends in a slash, a
  // name that is empty, a NUL byte, or more than sockaddr_un holds: 107 bytes of path or of name.
  static Result<Address> Parse(std::string_view text);

  Kind kind() const { return kind_; }
  // The path, or the abstract name without its leading NUL.
  const std::string& name() const { return name_; }

  // `unix:///abs/path` or `unix-abstract:name`; Parse() reads it back.
  std::string ToString() const;

  // Fills `out` and returns the length to pass to bind(2) and connect(2). An abstract name is not
  // padded.
  socklen_t ToSockaddr(sockaddr_un* out) const;

  friend bool operator==(const Address&, const Address&) = default;

 private:
  Address(Kind kind, std::string name) : kind_(kind), name_(std::move(name)) {}

  Kind kind_;
  std::string name_;
};

}  // namespace ttrpc
