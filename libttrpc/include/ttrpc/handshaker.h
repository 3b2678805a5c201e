// SPDX-License-Identifier: Apache-2.0
//
// Handshaker: what happens on a connected socket before its first message, on either side. It finds
// out who is at the other end, decides whether the connection may go on, and may put another
// transport in the socket's place, as TLS does. On the loop's thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "ttrpc/io_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/task.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/unix_credentials.h"

namespace ttrpc {

// A session is what a handshaker keeps for as long as the connection lives: a transport that it
// drives, the name in a certificate. The connection owns it; handlers find it in their Context.
class HandshakeSession {
 public:
  virtual ~HandshakeSession() = default;
  // Returns what Context::session() returns: another session if this one only keeps others. Valid
  // as long as this.
  virtual const HandshakeSession* shown() const { return this; }
};

// The peer that a handshaker found at the other end.
struct HandshakenPeer {
  HandshakenPeer(std::optional<UnixCredentials> c, std::unique_ptr<HandshakeSession> s)
      : credentials(std::move(c)), session(std::move(s)) {}
  std::optional<UnixCredentials> credentials;
  std::unique_ptr<HandshakeSession> session;
};

struct Handshaken {
  explicit Handshaken(UniqueFd s) : socket(std::move(s)) {}

  // Messages travel over this socket: the one that the handshaker was given, or a stream socket of
  // its own whose other end it pumps. Non-blocking.
  UniqueFd socket;
  // The other side's, if the handshaker read them.
  std::optional<UnixCredentials> credentials;
  // Destroyed after the socket is closed, and after the last call's context. May be null.
  std::unique_ptr<HandshakeSession> session;
};

class Handshaker {
 public:
  virtual ~Handshaker() = default;

  // Owns `socket`, which is connected and non-blocking, until it returns it. It may take any time:
  // others are served meanwhile, and its server or client destroys the task when its time is over.
  // An error closes the connection. UNAUTHENTICATED: it is not known who the other side is;
  // PERMISSION_DENIED: it is known, and may not go on. `loop` and the handshaker outlive the task
  // and the session.
  virtual Task<Result<Handshaken>> Handshake(IoLoop& loop, UniqueFd socket) = 0;
};

// Decides whether a peer with these credentials may go on: OK, or the status that Handshake()
// returns. The credentials are valid during the call.
using UnixCredentialsCheck = std::function<Status(const UnixCredentials&)>;

// The following return handshakers that the caller owns. Each reads the credentials with
// ReadUnixCredentials(), whose failure is its own.

// Calls `check`, which the handshaker owns; null refuses everybody. A check that does not look at
// the groups should not have them read.
std::unique_ptr<Handshaker> RequireUnixCredentials(UnixCredentialsCheck check,
                                                   UnixCredentialsOptions options = {});

// Accepts every peer whose credentials can be read.
std::unique_ptr<Handshaker> ReadCredentials();

// Accepts a peer whose effective ids are both of these; PERMISSION_DENIED for others, as from the
// next three.
std::unique_ptr<Handshaker> RequireUidGid(uid_t uid, gid_t gid);
// Accepts a peer whose effective uid and gid are both 0.
std::unique_ptr<Handshaker> RequireRoot();
// Accepts a peer whose effective ids are this process' own, as they are at each handshake.
std::unique_ptr<Handshaker> RequireSameUser();
// Accepts a peer in this group: it is the peer's effective gid, or one of its supplementary groups.
std::unique_ptr<Handshaker> RequireGroup(gid_t gid);

// Runs one after another, each on the socket that the one before it returned; the first error ends
// it. The credentials are the last that any of them read, and all sessions are kept, of which
// Context::session() is the last. None may be null; without any, every peer is accepted.
std::unique_ptr<Handshaker> AllOf(std::vector<std::unique_ptr<Handshaker>> handshakers);

}  // namespace ttrpc
