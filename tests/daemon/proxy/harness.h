// SPDX-License-Identifier: Apache-2.0
//
// The environment of a worker's parts: a backend that listens in a directory of its own, the
// objects that a worker shares among its peers, and the other end of a connection. All use one
// loop.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "observe/audit.h"
#include "observe/reports.h"
#include "proxy/backend_pool.h"
#include "proxy/generation.h"
#include "support/policy_builder.h"
#include "support/run_until.h"
#include "support/temp_folder.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/wire/codec.h"
#include "ttrpc/wire/connection.h"
#include "ttrpc/wire/request.h"
#include "ttrpc/wire/response.h"

namespace proxyd::test {

class NowhereTarget final : public AuditTarget {
 public:
  bool Write(std::string_view) override { return true; }
};

// Sets up shared sockets in another process, so that the kernel reports that process as their peer:
// a daemon is neither its own peer nor its own backend.
inline void InAnotherProcess(const std::function<bool()>& act) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(act() ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
}

inline ttrpc::UniqueFd NewSocket() {
  return ttrpc::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

inline ttrpc::UniqueFd ListenInAnotherProcess(const std::string& path) {
  const auto where = ttrpc::Address::Parse("unix://" + path)->ToSocketAddress();
  ttrpc::UniqueFd socket = NewSocket();
  EXPECT_EQ(::bind(socket.get(), where.get(), where.length), 0);
  InAnotherProcess([&socket] { return ::listen(socket.get(), 10) == 0; });
  return socket;
}

// Returns a client's socket, which another process has connected, and the accepted one.
inline std::array<ttrpc::UniqueFd, 2> ConnectInAnotherProcess(const ::test::TempFolder& folder) {
  const std::string path = folder / "peer";
  const auto where = ttrpc::Address::Parse("unix://" + path)->ToSocketAddress();
  const ttrpc::UniqueFd listener = NewSocket();
  EXPECT_EQ(::bind(listener.get(), where.get(), where.length), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  ttrpc::UniqueFd client = NewSocket();
  InAnotherProcess([&] { return ::connect(client.get(), where.get(), where.length) == 0; });
  ttrpc::UniqueFd accepted(
      ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  EXPECT_TRUE(accepted);
  ::unlink(path.c_str());
  return {std::move(client), std::move(accepted)};
}

inline std::array<ttrpc::UniqueFd, 2> Socketpair() {
  std::array<int, 2> fds = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
  return {ttrpc::UniqueFd(fds[0]), ttrpc::UniqueFd(fds[1])};
}

// The other end of a connection: a client, or a backend's server.
class OtherEnd final : private ttrpc::ConnectionHandler {
 public:
  struct Message {
    ttrpc::MessageHeader header;
    std::string data;
  };

  OtherEnd(ttrpc::IoLoop& loop, ttrpc::UniqueFd socket)
      : connection_(loop, std::move(socket), this, {}) {
    connection_.Start();
  }

  void Send(const ttrpc::MessageHeader& header, std::string_view data = {}) {
    connection_.Send(header, data);
  }
  // `method` has the form `/SERVICE/METHOD`.
  void Request(uint32_t id, std::string_view method, uint8_t flags = 0) {
    const ttrpc::RequestView request = test::Call(method);
    std::string data(ttrpc::EncodedRequestSize(request), '\0');
    ttrpc::EncodeRequest(request, data.data());
    Send({.stream_id = id, .type = ttrpc::MessageType::kRequest, .flags = flags}, data);
  }
  void Respond(uint32_t id, const ttrpc::Status& status = {}) {
    std::string data(ttrpc::EncodedResponseSize(status), '\0');
    ttrpc::EncodeResponse(status, data.data());
    Send({.stream_id = id, .type = ttrpc::MessageType::kResponse}, data);
  }
  void Close() { connection_.Close(); }

  const std::vector<Message>& messages() const { return messages_; }
  // Returns `ID: STATUS` for each response that has arrived.
  std::vector<std::string> responses() const {
    std::vector<std::string> responses;
    for (const Message& message : messages_) {
      if (message.header.type != ttrpc::MessageType::kResponse) continue;
      ttrpc::ResponseView response;
      EXPECT_TRUE(ttrpc::ParseResponse(message.data, &response).ok());
      responses.push_back(std::to_string(message.header.stream_id) + ": " +
                          std::string(ttrpc::StatusCodeName(response.code)) +
                          (response.message.empty() ? "" : " ") + std::string(response.message));
    }
    return responses;
  }
  bool closed() const { return closed_; }

 private:
  void OnMessage(const ttrpc::MessageHeader& header, std::string_view data) override {
    messages_.push_back({.header = header, .data = std::string(data)});
  }
  void OnOversizedMessage(const ttrpc::MessageHeader&) override {}
  void OnSendQueueLow() override {}
  void OnClosed(ttrpc::CloseReason, int) override { closed_ = true; }

  std::vector<Message> messages_;
  bool closed_ = false;
  ttrpc::Connection connection_;
};

// Two listeners, and the backend "back", on which any user may call /s/M and stream on /s/Stream.
class BackendFixture : public ::testing::Test {
 protected:
  static constexpr uid_t kUser = 1000;

  BackendFixture() : config_(ConfigWithBackend()) { Load(); }

  Config ConfigWithBackend() const {
    RuleConfig unary = test::Allow({"/s/M"});
    unary.name = "unary";
    RuleConfig stream = test::Allow({"/s/Stream"});
    stream.name = "stream";
    stream.streams = true;
    Config config = test::ConfigOf({unary, stream});
    config.listeners[1].address = ttrpc::Address::Parse("unix:///y").value();
    config.backends.push_back({.name = "back",
                               .addresses = {*ttrpc::Address::Parse("unix://" + (folder_ / "s"))},
                               .users = {::geteuid()},
                               .position = {}});
    return config;
  }
  SnapshotPtr Snapshot() const {
    return std::make_shared<const proxyd::Snapshot>(config_, test::kOverflow);
  }
  // Makes a generation of config_, which then is the latest.
  void Load() {
    const Generation::Context context = {.loop = loop_.io(), .labeled_counters = labeled_counters_};
    generation_ = generation_ ? MakeRef<Generation>(context, Snapshot(), *generation_)
                              : MakeRef<Generation>(context, Snapshot());
  }

  void Listen() { listener_ = ListenInAnotherProcess(folder_ / "s"); }
  // Returns the server's end of a connection that was opened to the backend.
  std::unique_ptr<OtherEnd> Accept() {
    ttrpc::UniqueFd socket(
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return nullptr;
    return std::make_unique<OtherEnd>(loop_.io(), std::move(socket));
  }

  ConnectionSlot Connect(uid_t uid = kUser) {
    return std::get<ConnectionSlot>(
        accounting_.Connect(uid, config_.listeners[0], config_.limits, {}));
  }
  const Ref<Backend>& backend() const { return generation_->backend(0); }

  void RunUntil(const std::function<bool()>& done) { ::test::RunUntil(loop_, done); }
  // Runs the callbacks that are due.
  void RunOnce() {
    bool over = false;
    ttrpc::Timer timer(loop_.io(), [&over] { over = true; });
    timer.Start(std::chrono::nanoseconds(0));
    RunUntil([&over] { return over; });
  }

  const ::test::TempFolder folder_;
  ttrpc::EventLoop loop_;
  Config config_;
  LabeledCounters labeled_counters_;
  WorkerCounters counters_;
  Accounting accounting_;
  Ref<Generation> generation_;
  BackendLimits limits_;
  DeadlineQueue write_deadlines_{loop_.io(), std::chrono::nanoseconds(0)};
  DeadlineQueue abandoned_deadlines_{loop_.io(), std::chrono::nanoseconds(0)};
  int reaped_ = 0;
  Reaper reaper_{loop_.io(), [this] { ++reaped_; }};
  const BackendContext context_ = {.loop = loop_.io(),
                                   .counters = counters_,
                                   .generation = generation_,
                                   .limits = limits_,
                                   .write_deadlines = write_deadlines_,
                                   .abandoned_deadlines = abandoned_deadlines_,
                                   .reaper = reaper_,
                                   .last_stream_id = UINT32_MAX};
  ttrpc::UniqueFd listener_;
};

// An owner of calls that ends them when they are answered, and records what it receives.
class FakePeer final : public CallOwner {
 public:
  const std::vector<std::string>& heard() const { return heard_; }
  // Returns the reasons of calls that the backend will not answer.
  const std::vector<AuditReason>& reasons() const { return reasons_; }
  ttrpc::RingNode& abandoned() { return abandoned_; }

 private:
  void OnBackendMessage(proxyd::Call& call, const ttrpc::MessageHeader&,
                        std::string_view data) override {
    heard_.push_back(std::to_string(call.backend_id) + " " + std::string(data));
    call.backend->Remove(call);
  }
  void OnBackendOversizedMessage(proxyd::Call& call, const ttrpc::MessageHeader&) override {
    heard_.push_back(std::to_string(call.backend_id) + " oversized");
    call.backend->Abandon(&call, &abandoned_);
  }
  void AnswerCall(proxyd::Call& call, const ttrpc::Status& status,
                  const AuditCause& cause) override {
    reasons_.push_back(cause.reason);
    heard_.push_back(std::to_string(call.backend_id) + " " + status.message());
    call.backend->Abandon(&call, &abandoned_);
  }
  void LoseBackend(const BackendConfig&) override { heard_.emplace_back("lost"); }
  void OnBackendSendQueueLow() override { heard_.emplace_back("low"); }

  std::vector<std::string> heard_;
  std::vector<AuditReason> reasons_;
  ttrpc::RingNode abandoned_;
};

}  // namespace proxyd::test
