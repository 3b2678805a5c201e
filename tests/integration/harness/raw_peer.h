// SPDX-License-Identifier: Apache-2.0
//
// RawPeer: a client of the daemon that sends whatever bytes a test wants, as whichever user, and
// waits for what comes back. Every wait has kDeadline; one that passes is a failure of the test.
// One thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "harness/identity.h"
#include "harness/wire.h"
#include "ttrpc/unique_fd.h"

namespace integration {

class RawPeer {
 public:
  // A path or `@name`. A connection that is refused is a failure of the test.
  explicit RawPeer(const std::string& address, const Identity& identity = {});

  int fd() const { return fd_.get(); }

  // False: the daemon closed the connection before it took all, which some tests expect.
  bool Send(std::string_view bytes);
  bool Send(const WireMessage& message) { return Send(Encode(message)); }

  // Waits until the other side has read all that was sent, so that what is sent next is another
  // read to it.
  void WaitUntilTaken();

  // The next message; nothing at the connection's end, which must fall between two messages.
  std::optional<WireMessage> Receive();
  // Send() and Receive().
  std::optional<WireMessage> Exchange(const WireMessage& message);
  // The end of the connection, and not a byte before it.
  void ExpectEnd();

  void HalfClose();
  void Close() { fd_.reset(); }

 private:
  ttrpc::UniqueFd fd_;
};

}  // namespace integration
