// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/handshaker.h"

#include <unistd.h>

#include <string>
#include <utility>

namespace ttrpc {
namespace {

class UnixCredentialsHandshaker : public Handshaker {
 public:
  explicit UnixCredentialsHandshaker(UnixCredentialsCheck check) : check_(std::move(check)) {}

  Result<UnixCredentials> Handshake(int socket) override {
    Result<UnixCredentials> credentials = ReadUnixCredentials(socket);
    if (!credentials) return credentials;
    if (!check_) return Status(StatusCode::kPermissionDenied, "nobody may go on");
    if (Status status = check_(*credentials); !status.ok()) return status;
    return credentials;
  }

 private:
  const UnixCredentialsCheck check_;
};

std::string IdsText(uid_t uid, gid_t gid) {
  return "uid " + std::to_string(uid) + " gid " + std::to_string(gid);
}

Status CheckIds(const UnixCredentials& credentials, uid_t uid, gid_t gid) {
  if (credentials.uid == uid && credentials.gid == gid) return {};
  return {StatusCode::kPermissionDenied, IdsText(credentials.uid, credentials.gid) +
                                             " is at the other end, expected " + IdsText(uid, gid)};
}

}  // namespace

std::unique_ptr<Handshaker> RequireUnixCredentials(UnixCredentialsCheck check) {
  return std::make_unique<UnixCredentialsHandshaker>(std::move(check));
}

std::unique_ptr<Handshaker> RequireUidGid(uid_t uid, gid_t gid) {
  return RequireUnixCredentials(
      [uid, gid](const UnixCredentials& credentials) { return CheckIds(credentials, uid, gid); });
}

std::unique_ptr<Handshaker> RequireRoot() { return RequireUidGid(0, 0); }

std::unique_ptr<Handshaker> RequireSameUser() {
  // Asked at each handshake: a process may change its ids after it was set up.
  return RequireUnixCredentials([](const UnixCredentials& credentials) {
    return CheckIds(credentials, ::geteuid(), ::getegid());
  });
}

}  // namespace ttrpc
