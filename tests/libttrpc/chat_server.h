// SPDX-License-Identifier: Apache-2.0
//
// A real server of example.Chat on its own thread, for the tests of the `ttrpc` command.
#pragma once

#include <memory>
#include <string>

namespace ttrpc::tool {

// The methods echo their request, with these exceptions:
//   Say    text "metadata": lists the call's metadata; "hang": waits until the call is cancelled;
//          "long": replies with `number` bytes of text
//   Count  sends `number` numbered notes; text "fail": then fails
//   Sum    adds the numbers; text "stop": replies at once
//   Talk   echoes each note; text "bye": ends with OK; "fail": fails
//   Fail   fails with the given code and message, and three details
class ChatServer {
 public:
  // The test fails if the server cannot listen on this path.
  explicit ChatServer(const std::string& socket_path);
  ~ChatServer();
  ChatServer(const ChatServer&) = delete;
  ChatServer& operator=(const ChatServer&) = delete;

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace ttrpc::tool
