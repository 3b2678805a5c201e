// SPDX-License-Identifier: Apache-2.0
//
// A real server of example.Chat, on a thread of its own, for the tests of the `ttrpc` command.
#pragma once

#include <memory>
#include <string>

namespace ttrpc::tool {

// What it does, beside echoing:
//   Say    text "metadata": lists the call's metadata; "hang": waits until the call is cancelled;
//          "long": replies with `number` bytes of text
//   Count  `number` notes, numbered; text "fail": then fails
//   Sum    adds the numbers up; text "stop": replies at once
//   Talk   echoes; text "bye": ends with OK; "fail": fails
//   Fail   with that code and message, and three details
class ChatServer {
 public:
  // The test fails if it cannot listen there.
  explicit ChatServer(const std::string& socket_path);
  ~ChatServer();
  ChatServer(const ChatServer&) = delete;
  ChatServer& operator=(const ChatServer&) = delete;

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace ttrpc::tool
