// SPDX-License-Identifier: Apache-2.0
//
// Address: the location of a ttrpc service. An Address owns its strings and does no I/O. Any thread
// may use one, one thread at a time. References that its functions return are valid until the
// address is assigned to or destroyed.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "ttrpc/status.h"

struct sockaddr;

namespace ttrpc {

// A SocketAddress is the argument of bind(2) and connect(2). The pointer that get() returns is
// valid as long as the SocketAddress is. This header does not include <sys/socket.h>, whose macros,
// such as AF_INET, are names in .proto files.
struct SocketAddress {
  // Has the size and the alignment of sockaddr_storage, and begins with the family.
  alignas(uint64_t) unsigned char storage[128] = {};
  uint32_t length = 0;

  int family() const {
    uint16_t family = 0;
    std::memcpy(&family, storage, sizeof family);
    return family;
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(storage); }
};

// An Address names a Unix socket (by path or by abstract name) or a port of a virtual machine (by
// vsock, or by the Unix socket that the machine's monitor provides for its ports: hybrid vsock).
class Address {
 public:
  enum class Kind { kUnixPath, kUnixAbstract, kVsock, kHybridVsock };

  // Parses `unix:///abs/path`, `unix-abstract:name` and `unix://@name` (both abstract),
  // `vsock:CID:PORT` and `hvsock:///abs/path:PORT`. containerd and Kata write some of them in other
  // forms, which are also parsed: `vsock://CID:PORT`, `ttrpc+unix:///abs/path` and
  // `ttrpc+vsock://CID:PORT`. Returns INVALID_ARGUMENT, with a message that says what was expected,
  // if
  // - the scheme is not one of these;
  // - a path is relative, empty, "/", or ends in a slash;
  // - an abstract name is empty;
  // - a path or a name contains a NUL byte or is longer than the 107 bytes that sockaddr_un holds;
  // - a CID or a port is not a decimal number below 4294967295, which stands for "any".
  static Result<Address> Parse(std::string_view text);

  Kind kind() const { return kind_; }
  // Returns true if the kernel reports the credentials of the other side of the socket.
  bool is_unix() const { return kind_ != Kind::kVsock; }
  // Returns the path, or the abstract name without its leading NUL byte. Empty for kVsock.
  const std::string& name() const { return name_; }
  // Return the CID (kVsock) and the port (kVsock and kHybridVsock). 0 for other kinds.
  uint32_t cid() const { return cid_; }
  uint32_t port() const { return port_; }

  // Returns text that Parse() reads back as this address, in one form for each kind:
  // `unix:///abs/path`, `unix-abstract:name`, `vsock:CID:PORT` or `hvsock:///abs/path:PORT`.
  std::string ToString() const;

  // Returns a copy for bind(2) or connect(2). An abstract name is not padded. The result does not
  // contain the port of kHybridVsock: a client sends the port after it has connected.
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
