// SPDX-License-Identifier: Apache-2.0
//
// Address: where a ttrpc service is found. A value that owns its strings, no I/O; any thread.
// References that its functions return are valid until it is assigned to or destroyed.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "ttrpc/status.h"

namespace ttrpc {

// A socket address is the argument of bind(2) and connect(2). get() is valid as long as it is.
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
  // `vsock:CID:PORT` and `hvsock:///abs/path:PORT`. INVALID_ARGUMENT, with what was expected: no
  // known scheme; a path that is relative, empty, "/" or ends in a slash; a name that is empty; a
  // NUL byte; a path or name of more than the 107 bytes that sockaddr_un holds; a CID or port that
  // is not a decimal number below 4294967295 (which means any).
  static Result<Address> Parse(std::string_view text);

  Kind kind() const { return kind_; }
  // True if the kernel reports the credentials of the other side of its sockets.
  bool is_unix() const { return kind_ != Kind::kVsock; }
  // The path, or the abstract name without its leading NUL. Empty for kVsock.
  const std::string& name() const { return name_; }
  // The numbers of kVsock, and the port of kHybridVsock; 0 for other kinds.
  uint32_t cid() const { return cid_; }
  uint32_t port() const { return port_; }

  // Returns the text that Parse() reads as this address; an abstract name is `unix-abstract:name`.
  std::string ToString() const;

  // Returns a copy for bind(2) or connect(2). An abstract name is not padded. The port of
  // kHybridVsock is not part of it: a client asks for the port after connecting.
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
