// SPDX-License-Identifier: Apache-2.0
//
// Helpers for the tests of the client: a server that only handles bytes, and a fixture that turns
// the loop. Use them on the loop's thread.
#pragma once

#include <event2/event.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ttrpc/client.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/wire/message.h"

namespace ttrpc::client_test {

inline constexpr MethodInfo kUnary("test.Bytes", "Unary");
inline constexpr MethodInfo kServerStream("test.Bytes", "Count", false, true);
inline constexpr MethodInfo kClientStream("test.Bytes", "Join", true, false);
inline constexpr MethodInfo kBidi("test.Bytes", "Chat", true, true);

inline constexpr uint8_t kClose = kFlagRemoteClosed | kFlagNoData;

// Encodes a protobuf field that contains bytes.
std::string Field(int number, std::string_view bytes);
// Encode a ttrpc.Response by hand.
std::string ReplyBytes(std::string_view payload);
std::string ErrorBytes(int code, std::string_view message);

struct RawMessage {
  RawMessage(const MessageHeader& h, std::string d) : header(h), data(std::move(d)) {}
  MessageHeader header;
  std::string data;
};
// Returns id, type, flags and data: "1 request/0 [service|method|payload]" or "3 data/5 []".
std::string Describe(const RawMessage& message);

// The server's end of a client's connection. It reads by itself unless a test stops it.
class RawServer {
 public:
  RawServer(EventLoop& loop, UniqueFd socket);
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  void StopReading() { read_event_.reset(); }
  void StartReading();
  bool has_message() const;
  RawMessage Take();
  // Returns true if the client has closed the connection.
  bool ended() const { return ended_; }
  void Close();
  void ShutdownWriting();
  int fd() const { return socket_.get(); }

  // Queues bytes. They are written as the socket accepts them, and never within the call.
  void Write(std::string_view bytes);
  bool written() const { return unwritten_.empty(); }
  void Send(MessageType type, uint32_t id, uint8_t flags, std::string_view data);
  void Reply(uint32_t id, std::string_view payload) {
    Send(MessageType::kResponse, id, 0, ReplyBytes(payload));
  }
  void Fail(uint32_t id, int code, std::string_view message) {
    Send(MessageType::kResponse, id, 0, ErrorBytes(code, message));
  }
  void Data(uint32_t id, std::string_view data, uint8_t flags = 0) {
    Send(MessageType::kData, id, flags, data);
  }
  void End(uint32_t id) { Data(id, "", kClose); }

 private:
  void Read();
  void WriteSome();

  EventLoop& loop_;
  UniqueFd socket_;
  EventPtr read_event_;
  EventPtr write_event_;
  std::string received_;
  std::string unwritten_;
  bool ended_ = false;
};

// A task that runs while the test continues.
template <typename T>
class Running {
 public:
  explicit Running(Task<T> task) { tasks_.Spawn(Store(&result_, std::move(task))); }
  bool done() const { return result_.has_value(); }
  T& result() { return *result_; }
  // Destroys the task where it waits.
  void Drop() { tasks_.Clear(); }

 private:
  static Task<void> Store(std::optional<T>* result, Task<T> task) {
    result->emplace(co_await std::move(task));
  }
  std::optional<T> result_;
  TaskGroup tasks_;
};

class ClientFixture : public testing::Test {
 protected:
  // Starts a client over one end of a socketpair, with a raw server at the other end.
  void Start(ClientOptions options = {});

  // Turns the loop until `done` returns true. A generous deadline fails the test.
  void RunUntil(const std::function<bool()>& done);
  // Handles everything that is ready now.
  void RunReady();
  // Returns the next message that the server receives, or "closed" if the client has closed.
  std::string Next() { return Next(*server_); }
  std::string Next(RawServer& server);
  // Waits for the task and returns its result.
  template <typename T>
  T Wait(Running<T>& running) {
    RunUntil([&running] { return running.done(); });
    return std::move(running.result());
  }
  Task<Result<std::string>> Call(std::string request) {
    return client_->Call(kUnary, context_, std::move(request));
  }
  std::string Told(const Result<std::string>& reply) {
    return reply ? "OK " + *reply : reply.error().ToString();
  }
  std::string WaitTold(Running<Result<std::string>>& running) { return Told(Wait(running)); }

  EventLoop loop_;
  Context context_;
  std::unique_ptr<RawServer> server_;
  std::unique_ptr<Client> client_;
};

}  // namespace ttrpc::client_test
