// SPDX-License-Identifier: Apache-2.0
//
// Handshaker: what happens on a connected socket before its first message. It decides from the
// kernel's word who the other side is, and whether it may go on. Either side of a connection may
// use one.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>

#include "ttrpc/status.h"
#include "ttrpc/unix_credentials.h"

namespace ttrpc {

class Handshaker {
 public:
  virtual ~Handshaker() = default;

  // `socket` stays the caller's, who closes it on an error. Does not block. UNAUTHENTICATED: the
  // kernel does not tell who the other side is. PERMISSION_DENIED: it does, and that is not who may
  // go on.
  virtual Result<UnixCredentials> Handshake(int socket) = 0;
};

// Says whether these credentials may go on: OK, or the status that Handshake() returns.
using UnixCredentialsCheck = std::function<Status(const UnixCredentials&)>;

// Reads the credentials and asks `check`.
std::unique_ptr<Handshaker> RequireUnixCredentials(UnixCredentialsCheck check);

// The other side's effective ids are these, both.
std::unique_ptr<Handshaker> RequireUidGid(uid_t uid, gid_t gid);
// Its effective uid is 0 and its effective gid is 0.
std::unique_ptr<Handshaker> RequireRoot();
// Its effective ids are the calling process' own effective ids, as they are now.
std::unique_ptr<Handshaker> RequireSameUser();

}  // namespace ttrpc
