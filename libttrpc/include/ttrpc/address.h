// SPDX-License-Identifier: Apache-2.0
//
// Address: where a ttrpc service is found. A value, no I/O; any thread.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc {

// What bind(2) and connect(2) take.
struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;

  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// A Unix socket, by path or by abstract name; a port of a virtual machine, by vsock or by the Unix
// socket that its monitor has for them (hybrid vsock).
class Address {
 public:
  enum class Kind { kUnixPath, kUnixAbstract, kVsock, kHybridVsock };

  // Reads `unix:///abs/path`, `unix-abstract:name` and `unix://@name` (both abstract),
  // `vsock:CID:PORT` and `hvsock:///abs/path:PORT`. INVALID_ARGUMENT, saying what was expected: no
  // known scheme, a path that is relative, empty, "/" or ends in a slash, a name that is empty, a
  // NUL byte, more than sockaddr_un holds: 107 bytes of path or of name, a CID or port that is not
  // a decimal number below 4294967295 (which stands for any).
  static Result<Address> Parse(std::string_view text);

  Kind kind() const { return kind_; }
  // Whether who is at the other side of its sockets can be asked of the kernel.
  bool is_unix() const { return kind_ != Kind::kVsock; }
  // The path, or the abstract name without its leading NUL. Empty for kVsock.
  const std::string& name() const { return name_; }
  // Of kVsock, and the port of kHybridVsock.
  uint32_t cid() const { return cid_; }
  uint32_t port() const { return port_; }

  // As Parse() reads it back, an abstract name as `unix-abstract:name`.
  std::string ToString() const;

  // Where to bind(2) or connect(2). An abstract name is not padded; the port of kHybridVsock is not
  // in it: whoever connects there has yet to ask for it.
  SocketAddress ToSocketAddress() const;

  friend bool operator==(const Address&, const Address&) = default;

 private:
  Address(Kind kind, std::string name) : kind_(kind), name_(std::move(name)) {}

  static Result<Address> ParseVsock(std::string_view numbers);
  static Result<Address> ParseHybridVsock(std::string_view rest);

  Kind kind_;
  std::string name_;
  uint32_t cid_ = 0;
  uint32_t port_ = 0;
};

}  // namespace ttrpc
