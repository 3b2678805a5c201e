// SPDX-License-Identifier: Apache-2.0
#include "harness/raw_peer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "harness/io.h"

namespace integration {

namespace {

uint32_t LengthOf(const std::string& header) {
  uint32_t length = 0;
  for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(header[i]);
  return length;
}

uint32_t StreamIdOf(const std::string& header) { return LengthOf(header.substr(4)); }

}  // namespace

RawPeer::RawPeer(const std::string& address, const Identity& identity) {
  int error = 0;
  RunAs(identity, [this, &address, &error] {
    fd_ = Connect(address);
    error = errno;
  });
  if (!fd_) ADD_FAILURE() << "cannot connect to " << address << ": " << std::strerror(error);
}

bool RawPeer::Send(std::string_view bytes) { return SendAll(fd_.get(), bytes); }

void RawPeer::WaitUntilTaken() { integration::WaitUntilTaken(fd_.get()); }

std::optional<WireMessage> RawPeer::Receive() {
  bool timed_out = false;
  const std::string header = ReadUpTo(fd_.get(), kHeaderLength, &timed_out);
  if (timed_out) {
    ADD_FAILURE() << "no message came, only " << header.size() << " bytes";
    return {};
  }
  if (header.empty()) return {};
  if (header.size() < kHeaderLength) {
    ADD_FAILURE() << "the connection ended after " << header.size() << " bytes of a header";
    return {};
  }
  WireMessage message = {StreamIdOf(header), static_cast<uint8_t>(header[8]),
                         static_cast<uint8_t>(header[9]), ""};
  message.data = ReadUpTo(fd_.get(), LengthOf(header), &timed_out);
  if (message.data.size() < LengthOf(header)) {
    ADD_FAILURE() << "data of " << LengthOf(header) << " bytes stopped after "
                  << message.data.size();
  }
  return message;
}

std::optional<WireMessage> RawPeer::Exchange(const WireMessage& message) {
  if (!Send(message)) ADD_FAILURE() << "the daemon did not take the message";
  return Receive();
}

void RawPeer::ExpectEnd() {
  bool timed_out = false;
  const std::string got = ReadUpTo(fd_.get(), 1, &timed_out);
  EXPECT_TRUE(got.empty()) << "a byte came before the end: " << int{got[0]};
  EXPECT_FALSE(timed_out) << "the connection stays open";
}

void RawPeer::HalfClose() { ::shutdown(fd_.get(), SHUT_WR); }

}  // namespace integration
