// SPDX-License-Identifier: Apache-2.0
//
// Handshaker: what happens on a connected socket before its first message, on either side. It says
// who is at the other end and whether the connection may go on, and may put another transport in
// the socket's place, as TLS does. On the loop's thread.
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

// What a handshaker keeps for as long as the connection lives: a transport that it drives, the name
// in a certificate. Handlers find it in their Context.
class HandshakeSession {
 public:
  virtual ~HandshakeSession() = default;
  // What handlers are shown. Another one where this only keeps others.
  virtual const HandshakeSession* shown() const { return this; }
};

// Who a handshaker found at the other end.
struct HandshakenPeer {
  HandshakenPeer(std::optional<UnixCredentials> c, std::unique_ptr<HandshakeSession> s)
      : credentials(std::move(c)), session(std::move(s)) {}
  std::optional<UnixCredentials> credentials;
  std::unique_ptr<HandshakeSession> session;
};

struct Handshaken {
  explicit Handshaken(UniqueFd s) : socket(std::move(s)) {}

  // Messages travel over this: the socket that the handshaker was given, or a stream socket of its
  // own whose other end it pumps. Non-blocking.
  UniqueFd socket;
  // Of the other side, if the handshaker asked for them.
  std::optional<UnixCredentials> credentials;
  // Destroyed after the socket is closed, and after the last call's context. May be null.
  std::unique_ptr<HandshakeSession> session;
};

class Handshaker {
 public:
  virtual ~Handshaker() = default;

  // `socket` is connected and non-blocking. Takes as long as it likes: others are served meanwhile,
  // and its server or client destroys the task when its time is over. An error closes the
  // connection. UNAUTHENTICATED: it is not known who the other side is; PERMISSION_DENIED: it is,
  // and that is not who may go on. `loop` and the handshaker outlive the task and the session.
  virtual Task<Result<Handshaken>> Handshake(IoLoop& loop, UniqueFd socket) = 0;
};

// Says whether these credentials may go on: OK, or the status that Handshake() returns.
using UnixCredentialsCheck = std::function<Status(const UnixCredentials&)>;

// Reads the credentials (ReadUnixCredentials) and asks `check`. A check that does not look at the
// groups should not have them read.
std::unique_ptr<Handshaker> RequireUnixCredentials(UnixCredentialsCheck check,
                                                   UnixCredentialsOptions options = {});

// Reads the credentials, and lets everybody go on who has some.
std::unique_ptr<Handshaker> ReadCredentials();

// The other side's effective ids are these, both.
std::unique_ptr<Handshaker> RequireUidGid(uid_t uid, gid_t gid);
// Its effective uid is 0 and its effective gid is 0.
std::unique_ptr<Handshaker> RequireRoot();
// Its effective ids are the calling process' own effective ids, as they are at each handshake.
std::unique_ptr<Handshaker> RequireSameUser();
// It is in this group: its effective gid, or one of its supplementary groups.
std::unique_ptr<Handshaker> RequireGroup(gid_t gid);

// One after another, each on the socket that the one before it left; the first error ends it. The
// credentials are the last that any of them read, and all sessions are kept (a handler is shown the
// last).
std::unique_ptr<Handshaker> AllOf(std::vector<std::unique_ptr<Handshaker>> handshakers);

}  // namespace ttrpc
