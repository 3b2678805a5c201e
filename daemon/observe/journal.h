// SPDX-License-Identifier: Apache-2.0
//
// Journal: a connection to journald's socket, where each datagram is an entry
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/). The functions of libsystemd are not used, since
// they report success when nobody listens and wait forever for a hanging journald. One thread at a
// time may use it; it may block.
#pragma once

#include <string>
#include <string_view>

#include "observe/line_file.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

// Appends a field to an entry. `value` may contain any bytes.
void AppendJournalField(std::string_view key, std::string_view value, std::string* entry);

class Journal {
 public:
  // Returns NOT_FOUND or another error if nobody listens on the socket. `deadline` must outlive the
  // journal.
  static ttrpc::Result<Journal> Open(const WriteDeadline& deadline);

  // Returns 0, or the errno of a failure, in which case the entry is lost. ETIMEDOUT means that the
  // deadline passed. After a restart of journald, the next call connects again.
  int Send(std::string_view entry);

 private:
  explicit Journal(const WriteDeadline& deadline) : deadline_(&deadline) {}

  int Connect();

  ttrpc::UniqueFd socket_;
  const WriteDeadline* deadline_;
};

}  // namespace proxyd
