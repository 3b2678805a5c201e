// SPDX-License-Identifier: Apache-2.0
//
// RawPeer: a client of the daemon that sends any bytes, as any user, and waits for the answers.
// Each wait may take kDeadline, after which the test fails. One thread at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "harness/identity.h"
#include "harness/wire.h"
#include "ttrpc/unique_fd.h"

namespace integration {

class RawPeer {
 public:
  // `address` is a path or `@name`. The test fails if the connection is refused.
  explicit RawPeer(const std::string& address, const Identity& identity = {});
  // Owns a connection that the test made.
  explicit RawPeer(ttrpc::UniqueFd connection) : fd_(std::move(connection)) {}

  int fd() const { return fd_.get(); }

  // Returns false if the daemon closed the connection before it took all bytes, as some tests
  // expect.
  bool Send(std::string_view bytes);
  bool Send(const WireMessage& message) { return Send(Encode(message)); }

  // Waits until the other side has read all that was sent. It will read what is sent next
  // separately.
  void WaitUntilTaken();

  // Returns the next message, or nothing at the end of the connection, which must be between
  // messages.
  std::optional<WireMessage> Receive();
  // Calls Send(), then Receive().
  std::optional<WireMessage> Exchange(const WireMessage& message);
  // Expects the end of the connection before any other byte.
  void ExpectEnd();

  void HalfClose();
  void Close() { fd_.reset(); }

 private:
  ttrpc::UniqueFd fd_;
};

}  // namespace integration
