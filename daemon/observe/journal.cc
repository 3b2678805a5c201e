// SPDX-License-Identifier: Apache-2.0
#include "observe/journal.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdint>

namespace proxyd {
namespace {

constexpr sockaddr_un kAddress = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};

}  // namespace

void AppendJournalField(std::string_view key, std::string_view value, std::string* entry) {
  entry->append(key);
  if (value.find('\n') == value.npos) {
    entry->append("=");
  } else {
    entry->append("\n");
    for (unsigned shift = 0; shift < 64; shift += 8)
      entry->push_back(static_cast<char>(uint64_t{value.size()} >> shift));
  }
  entry->append(value).append("\n");
}

ttrpc::Result<Journal> Journal::Open(const WriteDeadline& deadline) {
  Journal journal(deadline);
  const int error = journal.Connect();
  if (error == 0) return journal;
  const ttrpc::Status status = ttrpc::ErrnoStatus(error, kAddress.sun_path);
  return ttrpc::Status(status.code(),
                       "cannot connect to the journal: " + status.message() +
                           "; start systemd-journald, or set [log] target to \"stderr\" or "
                           "\"file:/abs/path\"");
}

// The socket is connected, so that poll(2) waits for room in the receiver's queue.
int Journal::Connect() {
  ttrpc::UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno;
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&kAddress), sizeof kAddress) != 0)
    return errno;
  socket_ = std::move(fd);
  return 0;
}

int Journal::Send(std::string_view entry) {
  bool fresh = false;
  while (true) {
    if (!socket_) {
      if (const int error = Connect(); error != 0) return error;
      fresh = true;
    }
    if (!deadline_->WaitUntilWritable(socket_.get())) return ETIMEDOUT;
    if (::send(socket_.get(), entry.data(), entry.size(), MSG_NOSIGNAL) >= 0) return 0;
    const int error = errno;
    if (error == EINTR || error == EAGAIN) continue;
    socket_.reset();
    if (fresh) return error;
  }
}

}  // namespace proxyd
