// SPDX-License-Identifier: Apache-2.0
//
// AdminTest: a ProxyTest whose daemon has an admin service, with a client that is generated from
// the same .proto. The client's loop runs only while the test waits for an answer.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "admin/admin.ttrpc.h"
#include "harness/proxy_test.h"
#include "ttrpc/event_loop.h"

namespace integration {

namespace v1 = ttrpc::proxy::v1;

class AdminTest : public ProxyTest {
 protected:
  std::string admin_path() const { return folder_ / "admin.sock"; }
  std::string Head(const std::string& more = "") const {
    return "[admin]\naddress = \"unix://" + admin_path() + "\"\nmode = \"0666\"\n" + more;
  }
  void StartWithAdmin(Scene scene = {}, const std::string& admin_keys = "") {
    scene.head = Head(admin_keys) + scene.head;
    Start(std::move(scene));
    Dial();
  }
  void Dial() {
    client_ = ttrpc::Client::Dial(loop_.io(), *ttrpc::Address::Parse("unix://" + admin_path()));
    admin_.emplace(*client_);
    context_.set_timeout(std::chrono::seconds(30));
  }

  template <typename Request, typename Reply>
  ttrpc::Result<Reply> Call(
      ttrpc::Task<ttrpc::Result<Reply>> (v1::AdminClient::*method)(ttrpc::Context&, const Request&),
      const Request& request = {}) {
    return loop_.Run(((*admin_).*method)(context_, request));
  }
  v1::GetStatusReply Status() {
    const auto reply = Call(&v1::AdminClient::GetStatus);
    EXPECT_TRUE(reply) << reply.error().ToString();
    return reply ? *reply : v1::GetStatusReply();
  }
  // Returns the daemon's counts for a user; all are zero if there are none.
  v1::User UserStatus(uid_t uid) {
    const auto reply = Call(&v1::AdminClient::ListUsers);
    EXPECT_TRUE(reply) << reply.error().ToString();
    if (!reply) return {};
    for (const auto& user : reply->users()) {
      if (user.uid() == uid) return user;
    }
    return {};
  }
  // Runs the loop until the status fulfils the condition. The test fails if it does not in time.
  bool Await(const std::function<bool(const v1::GetStatusReply&)>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < end) {
      if (condition(Status())) return true;
    }
    ADD_FAILURE() << "the condition did not hold in time";
    return false;
  }
  std::optional<v1::TapEvent> Next(ttrpc::ServerStreamCall<v1::TapEvent>& tap) {
    return loop_.Run(tap.Receive());
  }
  // Returns a tap that the daemon already counts.
  ttrpc::ServerStreamCall<v1::TapEvent> Tap(const v1::TapRequest& request) {
    const uint32_t before = Status().taps();
    auto tap = admin_->Tap(context_, request);
    Await([before](const auto& status) { return status.taps() == before + 1; });
    return tap;
  }

  ttrpc::EventLoop loop_;
  ttrpc::Context context_;
  std::unique_ptr<ttrpc::Client> client_;
  std::optional<v1::AdminClient> admin_;
};

}  // namespace integration
