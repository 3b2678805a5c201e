// SPDX-License-Identifier: Apache-2.0
//
// AdminConnection: the way to the daemon's admin service, and what to tell whoever does not get
// there. One thread.
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
  // Looks at the connected socket; an error refuses it.
  using Check = std::function<ttrpc::Status(int socket)>;

  // Both connecting and each call may take `timeout`. Errors are words for the user.
  static ttrpc::Result<std::unique_ptr<AdminConnection>> Open(const ttrpc::Address& address,
                                                              std::chrono::nanoseconds timeout,
                                                              Check check = nullptr);

  ttrpc::EventLoop& loop() { return loop_; }
  v1::AdminClient& admin() { return *admin_; }

  // A unary call, to its end: `Call(&v1::Admin::GetStatus, request)`.
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

  // How a call of this connection failed, in words for the user.
  std::string Why(const ttrpc::Status& status) const;
  // Whether the daemon has closed it, without an answer to anything.
  bool refused() const { return client_->closed() && !answered_; }
  // It has answered something, by which it is known to be let in.
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
