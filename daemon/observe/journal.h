// SPDX-License-Identifier: Apache-2.0
//
// Journal: a connection to journald's socket, which takes an entry as one datagram
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/). libsystemd's functions report success where nobody
// listens, and wait without an end for a journald that hangs. One thread at a time; may block.
#pragma once

#include <string>
#include <string_view>

#include "observe/line_file.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

// Appends a field to an entry. `value` may be any bytes.
void AppendJournalField(std::string_view key, std::string_view value, std::string* entry);

class Journal {
 public:
  // NOT_FOUND, …: nobody listens at the socket. `deadline` is borrowed for the
  // Journal's life.
  static ttrpc::Result<Journal> Open(const WriteDeadline& deadline);

  // 0, or the errno of the failure: the entry is lost. ETIMEDOUT: the deadline passed. After a
  // restart of journald the next call connects again.
  int Send(std::string_view entry);

 private:
  explicit Journal(const WriteDeadline& deadline) : deadline_(&deadline) {}

  int Connect();

  ttrpc::UniqueFd socket_;
  const WriteDeadline* deadline_;
};

}  // namespace proxyd
