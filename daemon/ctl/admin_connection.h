// SPDX-License-Identifier: Apache-2.0
//
// AdminConnection: a connection to the daemon's admin service. Its errors name what the user can
// check. It belongs to one thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "admin/admin.ttrpc.h"
#include "ttrpc/address.h"
#include "ttrpc/event_loop.h"

namespace proxyd::ctl {

namespace v1 = ttrpc::proxy::v1;

class AdminConnection {
 public:
  // Checks the connected socket. An error closes it and becomes the error of Open().
  using Check = std::function<ttrpc::Status(int socket)>;

  // `timeout` limits connecting, and then each call. Error messages are meant for the user.
  static ttrpc::Result<std::unique_ptr<AdminConnection>> Open(const ttrpc::Address& address,
                                                              std::chrono::nanoseconds timeout,
                                                              Check check = nullptr);

  ttrpc::EventLoop& loop() { return loop_; }
  v1::AdminClient& admin() { return *admin_; }

  // Makes a unary call and waits for its reply: `Call(&v1::Admin::GetStatus, request)`.
  template <typename Request, typename Reply>
  ttrpc::Result<Reply> Call(ttrpc::Task<ttrpc::Result<Reply>> (v1::Admin::*method)(
                                ttrpc::Context& context, const Request& request),
                            const Request& request) {
    ttrpc::Context context;
    context.set_timeout(timeout_);
    ttrpc::Result<Reply> reply = loop_.Run((admin_.get()->*method)(context, request));
    if (reply) answered_ = true;
    return reply;
  }

  // Returns a message for the user about a call that failed with `status`.
  std::string Why(const ttrpc::Status& status) const;
  // Whether the daemon closed the connection before it answered anything.
  bool refused() const { return client_->closed() && !answered_; }
  // Callers of streaming methods call this at the first reply: the daemon has admitted us.
  void NoteAnswer() { answered_ = true; }

 private:
  AdminConnection(ttrpc::Address address, std::chrono::nanoseconds timeout)
      : address_(std::move(address)), timeout_(timeout) {}
  ttrpc::Status Connect(Check check);

  const ttrpc::Address address_;
  const std::chrono::nanoseconds timeout_;
  ttrpc::EventLoop loop_;
  std::unique_ptr<ttrpc::Client> client_;
  std::unique_ptr<v1::AdminClient> admin_;
  bool answered_ = false;
};

}  // namespace proxyd::ctl
