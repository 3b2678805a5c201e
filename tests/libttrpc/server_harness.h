// SPDX-License-Identifier: Apache-2.0
//
// Helpers for the tests of the server: a peer that writes and reads raw bytes, a service whose
// methods wait where a test wants them to, and a fixture that turns the loop. Use them on the
// loop's thread.
#pragma once

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/wire.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/server.h"
#include "ttrpc/timer.h"
#include "ttrpc/wire/request.h"
#include "ttrpc/wire/response.h"

namespace ttrpc::test {

inline constexpr uint8_t kOpenNoData = kFlagRemoteOpen | kFlagNoData;

// The following functions encode messages.

inline std::string MessageBytes(MessageType type, uint32_t id, uint8_t flags,
                                std::string_view data) {
  return ::test::Message({.stream_id = id, .type = type, .flags = flags}, data);
}

inline std::string Envelope(const RequestView& request) {
  std::string bytes(EncodedRequestSize(request), '\0');
  EncodeRequest(request, bytes.data());
  return bytes;
}

inline RequestView RequestFor(std::string_view method, std::string_view payload) {
  RequestView request;
  request.service = "test.Bytes";
  request.method = method;
  request.payload = payload;
  return request;
}

inline std::string RequestBytes(uint32_t id, std::string_view method, std::string_view payload = "",
                                uint8_t flags = 0) {
  return MessageBytes(MessageType::kRequest, id, flags, Envelope(RequestFor(method, payload)));
}

inline std::string DataBytes(uint32_t id, std::string_view data, uint8_t flags = 0) {
  return MessageBytes(MessageType::kData, id, flags, data);
}

inline std::string CloseBytes(uint32_t id) {
  return DataBytes(id, "", kFlagRemoteClosed | kFlagNoData);
}

// Waits until the test opens it.
class Latch {
 public:
  explicit Latch(IoLoop& loop) : loop_(loop) {}

  class Awaiter {
   public:
    explicit Awaiter(Latch& latch) : latch_(latch), waiter_(latch.loop_) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() { std::erase(latch_.waiting_, &waiter_); }
    bool await_ready() const noexcept { return latch_.open_; }
    void await_suspend(std::coroutine_handle<> waiting) {
      waiter_.Wait(waiting);
      latch_.waiting_.push_back(&waiter_);
    }
    void await_resume() const noexcept {}

   private:
    Latch& latch_;
    Waiter waiter_;
  };

  Awaiter Opened() { return Awaiter(*this); }
  void Open() {
    open_ = true;
    for (Waiter* waiter : waiting_) waiter->Wake();
  }
  size_t waiting() const { return waiting_.size(); }

 private:
  IoLoop& loop_;
  bool open_ = false;
  std::vector<Waiter*> waiting_;
};

// The state that the handlers of test.Bytes use and record.
struct Bench {
  explicit Bench(IoLoop& loop) : latch(loop) {}
  Latch latch;
  std::vector<std::string> log;
  std::function<void()> act;   // Act() runs it
  Context* context = nullptr;  // the context of the last call of Show
  size_t alive = 0;            // handlers
};

// Counts the handlers whose frames exist.
class Alive {
 public:
  explicit Alive(Bench& bench) : bench_(bench) { ++bench_.alive; }
  ~Alive() { --bench_.alive; }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;

 private:
  Bench& bench_;
};

// The methods, in server_harness.cc:
//   unary: Echo, Hang (until cancelled), Wait (for the latch), Fail (with the request as its
//   message), Throw, ThrowEarly, Act, Show (the context), Nothing (returns OK without a reply),
//   Twice (replies twice)
//   server streams: Count (as many messages as the request has bytes)
//   client streams: Join, Early (replies at once, then waits for the latch), Mute (as Nothing)
//   both stream: Chat, Idle (waits for the latch, then echoes)
ServiceDescription BytesService(Bench& bench);

// The client's end of a connection.
class RawPeer {
 public:
  explicit RawPeer(UniqueFd socket) : socket_(std::move(socket)) {}

  // Writes what the socket accepts, and keeps the rest for the next call.
  void Write(std::string_view bytes) {
    unwritten_.append(bytes);
    while (!unwritten_.empty()) {
      const ssize_t n = ::send(socket_.get(), unwritten_.data(), unwritten_.size(), MSG_NOSIGNAL);
      if (n < 0) return;
      unwritten_.erase(0, static_cast<size_t>(n));
    }
  }
  bool written() const { return unwritten_.empty(); }

  // Reads what has arrived.
  void Read() {
    char buffer[65536];
    for (;;) {
      const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
      if (n == 0 || (n < 0 && errno != EAGAIN)) ended_ = true;
      if (n <= 0) return;
      received_.append(buffer, static_cast<size_t>(n));
    }
  }
  // Returns true if the server has closed the connection.
  bool ended() const { return ended_; }
  std::string& received() { return received_; }
  bool HasMessage() const {
    return received_.size() >= kMessageHeaderLength &&
           received_.size() - kMessageHeaderLength >= DecodeMessageHeader(received_.data()).length;
  }
  void Close() { socket_.reset(); }
  int fd() const { return socket_.get(); }

 private:
  UniqueFd socket_;
  std::string unwritten_;
  std::string received_;
  bool ended_ = false;
};

// Returns "5 CODE: text", "5 OK", "5 OK hello", or "5 data/4 hello" with the flags.
std::string Describe(const MessageHeader& header, std::string_view data);

class ServerFixture : public testing::Test {
 protected:
  ServerFixture() : bench_(loop_.io()) {}

  void Start(ServerOptions options = {}) {
    server_ = std::make_unique<Server>(loop_.io(), std::move(options));
    ASSERT_EQ(server_->Register(BytesService(bench_)), Status());
  }

  std::unique_ptr<RawPeer> Connect() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    server_->ServeConnection(UniqueFd(fds[0]));
    return std::make_unique<RawPeer>(UniqueFd(fds[1]));
  }

  // Turns the loop until `done` returns true. A generous deadline fails the test.
  void RunUntil(const std::function<bool()>& done) {
    bool late = false;
    Timer deadline(loop_.io(), [&late] { late = true; });
    deadline.Start(std::chrono::seconds(60));
    // The timer ends each turn, because the test itself may act at the other end.
    Timer tick(loop_.io(), [] {});
    while (!done()) {
      ASSERT_FALSE(late);
      if (!tick.active()) tick.Start(std::chrono::milliseconds(1));
      event_base_loop(loop_.base(), EVLOOP_ONCE);
    }
  }
  // Handles everything that is ready now.
  void RunReady() {
    for (int i = 0; i < 5; ++i) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  }

  // Returns the next message that the peer receives, or "closed" if the server has closed.
  std::string Next(RawPeer& peer) {
    RunUntil([&peer] {
      peer.Write("");
      peer.Read();
      return peer.HasMessage() || peer.ended();
    });
    if (!peer.HasMessage()) return "closed";
    const MessageHeader header = DecodeMessageHeader(peer.received().data());
    const std::string data = peer.received().substr(kMessageHeaderLength, header.length);
    peer.received().erase(0, kMessageHeaderLength + header.length);
    return Describe(header, data);
  }
  // Writes the bytes and returns the next message that the peer receives.
  std::string Ask(RawPeer& peer, std::string_view bytes) {
    peer.Write(bytes);
    return Next(peer);
  }

  EventLoop loop_;
  Bench bench_;
  std::unique_ptr<Server> server_;
};

}  // namespace ttrpc::test
