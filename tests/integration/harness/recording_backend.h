// SPDX-License-Identifier: Apache-2.0
//
// RecordingBackend: a ttrpc server under a test's control. It keeps every message that reaches it,
// and answers by a script or leaves the answer to the test.
//
// One thread accepts. For each connection another thread reads, records, and then calls the script;
// it writes the script's answer before it reads again. Any thread may call the public functions.
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
  std::string bytes = {};  // sent unchanged; if empty, no answer
  bool close = false;      // closes the connection after `bytes`
};

// The connection's thread calls the script for each message, after recording it.
using BackendScript = std::function<BackendReply(const WireMessage&)>;

// Answers a request for the method `Do` with its payload, and leaves everything else to the test.
BackendReply EchoDo(const WireMessage& message);
// Never answers.
BackendReply Silent(const WireMessage& message);

class RecordingBackend {
 public:
  struct Options {
    BackendScript script = EchoDo;
    Identity owner = {};  // the user who calls listen(2)
    bool reading = true;  // if false, nothing is read before StartReading()
    // Runs before the messages of a connection, on its thread. Returns false if no messages follow.
    std::function<bool(int fd)> greet = nullptr;
  };

  // `address` is a path or `@name`. An existing socket is replaced.
  explicit RecordingBackend(std::string address);
  RecordingBackend(std::string address, Options options);
  // Closes all connections and removes the socket.
  ~RecordingBackend();
  RecordingBackend(const RecordingBackend&) = delete;
  RecordingBackend& operator=(const RecordingBackend&) = delete;

  void StartReading();

  // Connections count from 0 in the order in which they were accepted. If a wait lasts longer than
  // kDeadline the test fails, and the function returns what there is then.
  size_t connections() const;
  void WaitForConnections(size_t count) const;
  // Waits for at least `count` messages.
  std::vector<WireMessage> WaitForMessages(size_t connection, size_t count) const;
  // Returns all messages of a connection that the other side has ended between two messages.
  std::vector<WireMessage> WaitForEnd(size_t connection) const;
  // Returns all messages of a connection that was lost, maybe within a message.
  std::vector<WireMessage> WaitForLoss(size_t connection) const;

  // Returns false if the other side is gone. Blocks for at most kDeadline while it does not read.
  bool Send(size_t connection, std::string_view bytes);
  bool Send(size_t connection, const WireMessage& message) {
    return Send(connection, Encode(message));
  }
  void Close(size_t connection);
  // Returns a new descriptor of this connection, which the test owns.
  ttrpc::UniqueFd Duplicate(size_t connection) const;

 private:
  struct Connection {
    ttrpc::UniqueFd fd;
    std::thread thread;
    std::vector<WireMessage> messages;
    bool ended = false;
    size_t partial = 0;  // bytes of a message that is not complete
  };

  void Accept();
  void Serve(size_t index);
  bool ReadMessage(int fd, WireMessage* message, size_t* partial);
  // Must be called with mutex_ held.
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
