// SPDX-License-Identifier: Apache-2.0
//
// RecordingBackend: a ttrpc server under a test's control, which keeps every message that reaches
// it. It answers by a script, or leaves that to the test.
//
// A thread accepts, one more for each connection reads, records, and only then asks the script; a
// script's answer is written by that thread, which reads nothing meanwhile. The public functions
// may be called from any thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "harness/identity.h"
#include "harness/wire.h"
#include "ttrpc/unique_fd.h"

namespace integration {

struct BackendReply {
  std::string bytes = {};  // sent as they are; none: no answer
  bool close = false;      // after them
};

// Called on the connection's thread with each message after it was recorded.
using BackendScript = std::function<BackendReply(const WireMessage&)>;

// Answers a request for the method `Do` with its payload; everything else is the test's to answer.
BackendReply EchoDo(const WireMessage& message);
// Answers nothing.
BackendReply Silent(const WireMessage& message);

class RecordingBackend {
 public:
  struct Options {
    BackendScript script = EchoDo;
    Identity owner = {};  // who calls listen(2)
    bool reading = true;  // false: nothing is read before StartReading()
    // What comes before the messages of a connection; false: nothing does. On its thread.
    std::function<bool(int fd)> greet = nullptr;
  };

  // A path or `@name`. A socket that is there already is replaced.
  explicit RecordingBackend(std::string address);
  RecordingBackend(std::string address, Options options);
  // Closes all connections; the socket goes.
  ~RecordingBackend();
  RecordingBackend(const RecordingBackend&) = delete;
  RecordingBackend& operator=(const RecordingBackend&) = delete;

  void StartReading();

  // Connections count from 0 in the order in which they were accepted. What a wait function waits
  // for must come within kDeadline, or the test fails; they return what is there then.
  size_t connections() const;
  void WaitForConnections(size_t count) const;
  // At least `count` messages.
  std::vector<WireMessage> WaitForMessages(size_t connection, size_t count) const;
  // All that ever came on a connection that the other side has ended, at the edge of a message.
  std::vector<WireMessage> WaitForEnd(size_t connection) const;
  // The same of a connection that was lost, which may be within a message.
  std::vector<WireMessage> WaitForLoss(size_t connection) const;

  // False: the other side is gone. Blocks while it does not read, for at most kDeadline.
  bool Send(size_t connection, std::string_view bytes);
  bool Send(size_t connection, const WireMessage& message) {
    return Send(connection, Encode(message));
  }
  void Close(size_t connection);
  // A descriptor of the test's own for this connection.
  ttrpc::UniqueFd Duplicate(size_t connection) const;

 private:
  struct Connection {
    ttrpc::UniqueFd fd;
    std::thread thread;
    std::vector<WireMessage> messages;
    bool ended = false;
    size_t partial = 0;  // bytes of a message that never became whole
  };

  void Accept();
  void Serve(size_t index);
  bool ReadMessage(int fd, WireMessage* message, size_t* partial);
  // With mutex_ held.
  template <typename Condition>
  void Wait(std::unique_lock<std::mutex>& lock, const char* what, Condition condition) const;

  const std::string address_;
  const Options options_;
  ttrpc::UniqueFd listener_;
  std::thread acceptor_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool reading_;
  bool stopping_ = false;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace integration
