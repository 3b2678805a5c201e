// SPDX-License-Identifier: Apache-2.0
//
// ClientCore: chooses the connection for each call. If a connection is still being made, calls wait
// for it. Use it on the loop's thread.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client_call.h"
#include "client_connection.h"
#include "ttrpc/client.h"
#include "ttrpc/task.h"
#include "ttrpc/timer.h"
#include "ttrpc/wire/request.h"

namespace ttrpc {

// Shared, because the interceptors outlive the client while the task of a call does.
struct ClientInterceptors {
  std::vector<UnaryInterceptor> unary;
  std::vector<StreamClientInterceptor> stream;
};

// Calls that run through interceptors. Each is in its client's ring; the client empties the ring
// when it is destroyed.
class InterceptedCall;
class StreamOpening;

class ClientCore {
 public:
  using Clock = std::chrono::steady_clock;

  ClientCore(IoLoop& loop, std::optional<Address> address, ClientOptions options);
  ~ClientCore();
  ClientCore(const ClientCore&) = delete;
  ClientCore& operator=(const ClientCore&) = delete;

  // Makes the first connection: over `socket`, or to the address if `socket` is empty.
  void Connect(UniqueFd socket);
  void Close(const Status& reason);
  bool closed() const { return closed_; }
  size_t calls() const;

  // Sends the call, lets it wait for a connection, or fails it.
  void Start(ClientCall& call, const MethodInfo& method, Context& context,
             std::string_view request);

  IoLoop& loop() { return loop_; }
  uint32_t message_size() const { return options_.message_size; }
  const std::shared_ptr<const ClientInterceptors>& interceptors() const { return interceptors_; }
  RingNode& intercepted() { return intercepted_; }

 private:
  bool connected() const { return current_ && current_->takes_calls(); }
  // Returns OK if a connection exists or is being made; otherwise the status that fails the call.
  Status AwaitConnection();
  void Dial(UniqueFd socket);
  Task<void> RunDial(UniqueFd socket);
  void Connected(Handshaken handshaken);
  void DialFailed(const Status& why);
  void SendWaiting();
  void FailWaiting(const Status& reason);
  // Moves the connection to dead_, because it must not be destroyed within its own callback.
  void Bury(ClientConnection& connection);
  void OnClosed(ClientConnection& connection);
  void Ended(Status reason);
  void RunLater();

  IoLoop& loop_;
  const std::optional<Address> address_;
  ClientOptions options_;
  const std::shared_ptr<const ClientInterceptors> interceptors_;
  std::unique_ptr<ClientConnection> current_;
  std::vector<std::unique_ptr<ClientConnection>> retired_;  // accept no new calls
  std::vector<std::unique_ptr<ClientConnection>> dead_;
  RingNode waiting_;      // ClientCalls
  RingNode intercepted_;  // InterceptedCalls and StreamOpenings
  RequestView request_;   // for the request at hand

  bool closed_ = false;
  bool dialling_ = false;
  std::chrono::nanoseconds back_off_{0};
  Clock::time_point next_attempt_{};
  Status last_failure_;
  std::deque<Status> to_tell_;  // for on_close
  Timer dial_timer_;            // ends an attempt, or starts the next one
  Timer later_;
  TaskGroup dial_;
};

}  // namespace ttrpc
