// SPDX-License-Identifier: Apache-2.0
//
// Handshaker: what happens on a connected socket before the first message, on either side. A
// handshaker identifies the other side, decides whether the connection may continue, and may
// replace the socket with another transport, as TLS does. Use it on the loop's thread.
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

// A session is what a handshaker keeps for the lifetime of the connection, such as the transport
// that it drives or the name in a certificate. The connection owns it. Handlers reach it through
// their Context.
class HandshakeSession {
 public:
  virtual ~HandshakeSession() = default;
  // Returns the session that Context::session() returns. A session that only holds others returns
  // one of them. The pointer is valid as long as this session is.
  virtual const HandshakeSession* shown() const { return this; }
};

// The identity of the other side, as a handshaker found it.
struct HandshakenPeer {
  HandshakenPeer(std::optional<UnixCredentials> c, std::unique_ptr<HandshakeSession> s)
      : credentials(std::move(c)), session(std::move(s)) {}
  std::optional<UnixCredentials> credentials;
  std::unique_ptr<HandshakeSession> session;
};

struct Handshaken {
  explicit Handshaken(UniqueFd s) : socket(std::move(s)) {}

  // The non-blocking socket that carries the messages: the one that the handshaker was given, or
  // one end of a socketpair whose other end the handshaker serves.
  UniqueFd socket;
  // The credentials of the other side, if the handshaker read them.
  std::optional<UnixCredentials> credentials;
  // May be null. Destroyed after the socket is closed and after the context of the last call.
  std::unique_ptr<HandshakeSession> session;
};

class Handshaker {
 public:
  virtual ~Handshaker() = default;

  // Owns `socket`, which is connected and non-blocking, until it returns it. The handshake may take
  // any time: other connections are served meanwhile, and the server or client destroys the task
  // when its timeout expires. `loop` and the handshaker outlive the task and the session.
  //
  // An error closes the connection. Return UNAUTHENTICATED if the other side cannot be identified,
  // and PERMISSION_DENIED if it is identified and not allowed.
  virtual Task<Result<Handshaken>> Handshake(IoLoop& loop, UniqueFd socket) = 0;
};

// Returns OK if a peer with these credentials may continue; otherwise the status that Handshake()
// returns. The credentials are valid during the call.
using UnixCredentialsCheck = std::function<Status(const UnixCredentials&)>;

// The following functions return handshakers that the caller owns. All but AllOf() read the
// credentials with ReadUnixCredentials() and fail with its status.

// Calls `check`, which the handshaker owns. If `check` is null, every peer gets PERMISSION_DENIED.
// Set `options.groups` to false if `check` does not use the groups.
std::unique_ptr<Handshaker> RequireUnixCredentials(UnixCredentialsCheck check,
                                                   UnixCredentialsOptions options = {});

// Accepts every peer whose credentials can be read.
std::unique_ptr<Handshaker> ReadCredentials();

// Accepts a peer with exactly this effective uid and gid. This handshaker and the next three return
// PERMISSION_DENIED for other peers.
std::unique_ptr<Handshaker> RequireUidGid(uid_t uid, gid_t gid);
// Accepts a peer whose effective uid and gid are both 0.
std::unique_ptr<Handshaker> RequireRoot();
// Accepts a peer with this process's own effective uid and gid, read again at each handshake.
std::unique_ptr<Handshaker> RequireSameUser();
// Accepts a peer whose effective gid or one of whose supplementary groups is `gid`.
std::unique_ptr<Handshaker> RequireGroup(gid_t gid);

// Runs the handshakers one after another, each on the socket that the one before returned. The
// first error ends the handshake. The credentials are the last that any handshaker read. All
// sessions are kept; Context::session() is the last one. No element may be null. An empty list
// accepts every peer.
std::unique_ptr<Handshaker> AllOf(std::vector<std::unique_ptr<Handshaker>> handshakers);

}  // namespace ttrpc
