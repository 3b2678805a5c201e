// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/handshaker.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

namespace ttrpc {
namespace {

class UnixCredentialsHandshaker final : public Handshaker {
 public:
  UnixCredentialsHandshaker(UnixCredentialsCheck check, UnixCredentialsOptions options)
      : check_(std::move(check)), options_(options) {}

  Task<Result<Handshaken>> Handshake(IoLoop&, UniqueFd socket) override {
    Result<UnixCredentials> credentials = ReadUnixCredentials(socket.get(), options_);
    if (!credentials) co_return credentials.error();
    if (!check_) co_return Status(StatusCode::kPermissionDenied, "no peer is allowed");
    if (Status status = check_(*credentials); !status.ok()) co_return status;
    Handshaken handshaken(std::move(socket));
    handshaken.credentials = std::move(*credentials);
    co_return std::move(handshaken);
  }

 private:
  const UnixCredentialsCheck check_;
  const UnixCredentialsOptions options_;
};

// Keeps the sessions of all handshakers, and shows the last one.
class Sessions final : public HandshakeSession {
 public:
  void Add(std::unique_ptr<HandshakeSession> session) { sessions_.push_back(std::move(session)); }
  ~Sessions() override {
    // A transport uses the one that was made before it, so the last one is destroyed first.
    while (!sessions_.empty()) sessions_.pop_back();
  }
  const HandshakeSession* shown() const override { return sessions_.back()->shown(); }

 private:
  std::vector<std::unique_ptr<HandshakeSession>> sessions_;
};

class Chain final : public Handshaker {
 public:
  explicit Chain(std::vector<std::unique_ptr<Handshaker>> handshakers)
      : handshakers_(std::move(handshakers)) {}

  Task<Result<Handshaken>> Handshake(IoLoop& loop, UniqueFd socket) override {
    std::unique_ptr<Sessions> sessions;
    Handshaken so_far(std::move(socket));
    for (const auto& handshaker : handshakers_) {
      Result<Handshaken> next = co_await handshaker->Handshake(loop, std::move(so_far.socket));
      if (!next) co_return next.error();
      so_far.socket = std::move(next->socket);
      if (next->credentials) so_far.credentials = std::move(next->credentials);
      if (next->session) {
        if (!sessions) sessions = std::make_unique<Sessions>();
        sessions->Add(std::move(next->session));
      }
    }
    so_far.session = std::move(sessions);
    co_return std::move(so_far);
  }

 private:
  const std::vector<std::unique_ptr<Handshaker>> handshakers_;
};

std::string IdsText(uid_t uid, gid_t gid) {
  return "uid " + std::to_string(uid) + " gid " + std::to_string(gid);
}

Status CheckIds(const UnixCredentials& credentials, uid_t uid, gid_t gid) {
  if (credentials.uid == uid && credentials.gid == gid) return {};
  return {StatusCode::kPermissionDenied, "the peer is " +
                                             IdsText(credentials.uid, credentials.gid) +
                                             "; expected " + IdsText(uid, gid)};
}

Status CheckGroup(const UnixCredentials& credentials, gid_t gid) {
  const auto& groups = credentials.groups;
  if (credentials.gid == gid || std::find(groups.begin(), groups.end(), gid) != groups.end())
    return {};
  return {StatusCode::kPermissionDenied, "the peer is " +
                                             IdsText(credentials.uid, credentials.gid) +
                                             "; expected a member of gid " + std::to_string(gid)};
}

}  // namespace

std::unique_ptr<Handshaker> RequireUnixCredentials(UnixCredentialsCheck check,
                                                   UnixCredentialsOptions options) {
  return std::make_unique<UnixCredentialsHandshaker>(std::move(check), options);
}

std::unique_ptr<Handshaker> ReadCredentials() {
  return RequireUnixCredentials([](const UnixCredentials&) { return Status(); });
}

std::unique_ptr<Handshaker> RequireUidGid(uid_t uid, gid_t gid) {
  return RequireUnixCredentials(
      [uid, gid](const UnixCredentials& credentials) { return CheckIds(credentials, uid, gid); });
}

std::unique_ptr<Handshaker> RequireRoot() { return RequireUidGid(0, 0); }

std::unique_ptr<Handshaker> RequireSameUser() {
  // The ids are read at each handshake, because a process may change them after its setup.
  return RequireUnixCredentials([](const UnixCredentials& credentials) {
    return CheckIds(credentials, ::geteuid(), ::getegid());
  });
}

std::unique_ptr<Handshaker> RequireGroup(gid_t gid) {
  return RequireUnixCredentials(
      [gid](const UnixCredentials& credentials) { return CheckGroup(credentials, gid); });
}

std::unique_ptr<Handshaker> AllOf(std::vector<std::unique_ptr<Handshaker>> handshakers) {
  return std::make_unique<Chain>(std::move(handshakers));
}

}  // namespace ttrpc
