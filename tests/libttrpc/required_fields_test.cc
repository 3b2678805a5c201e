// SPDX-License-Identifier: Apache-2.0
//
// Messages of proto2 that lack required fields, on both sides of generated code over a socketpair:
// they are not sent, those that arrive are refused, and the calls continue to work.
#include <gmock/gmock.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "required.ttrpc.h"
#include "ttrpc/event_loop.h"

namespace ttrpc {
namespace {

using test::required::Order;
using test::required::Receipt;
using test::required::ShopClient;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Order OrderOf(int id) {
  Order order;
  order.set_id(id);
  return order;
}

// Returns a receipt that lacks its field if the id is negative.
Receipt ReceiptFor(int id) {
  Receipt receipt;
  if (id >= 0) receipt.set_id(id);
  return receipt;
}

Status Internal(const std::string& text) { return {StatusCode::kInternal, text}; }

class Shop final : public test::required::Shop {
 public:
  Task<Result<Receipt>> Buy(Context&, const Order& order) override {
    ++bought_;
    co_return ReceiptFor(order.id());
  }
  // Continues after a message that was not sent.
  Task<Status> Watch(Context&, const Order& order, SendStream<Receipt>& replies) override {
    sent_.push_back(co_await replies.Send(ReceiptFor(order.id())));
    co_return co_await replies.Send(ReceiptFor(7));
  }
  Task<Result<Receipt>> Load(Context&, ReceiveStream<Order>& requests) override {
    int sum = 0;
    while (const auto order = co_await requests.Receive()) sum += order->id();
    if (!requests.status().ok()) co_return requests.status();
    co_return ReceiptFor(sum);
  }
  Task<Status> Trade(Context&, ReceiveStream<Order>& requests,
                     SendStream<Receipt>& replies) override {
    while (const auto order = co_await requests.Receive()) {
      if (Status sent = co_await replies.Send(ReceiptFor(order->id())); !sent.ok()) co_return sent;
    }
    co_return requests.status();
  }

  int bought() const { return bought_; }
  const std::vector<Status>& sent() const { return sent_; }

 private:
  int bought_ = 0;
  std::vector<Status> sent_;
};

// A service on bytes, whose replies are empty.
Task<Status> ReplyNothing(void*, Context&, std::string_view, ReplySink& reply) {
  co_return reply.WriteBytes("");
}
Task<Status> StreamNothing(void*, Context&, RawStream& stream, ReplySink&) {
  co_return co_await stream.Send("");
}
constexpr MethodInfo kReplyNothing("test.Raw", "Reply");
constexpr MethodInfo kStreamNothing("test.Raw", "Stream", false, true);

// True puts interceptors in the way of the calls, on both sides.
class RequiredFieldsTest : public testing::TestWithParam<bool> {
 protected:
  RequiredFieldsTest() : server_(loop_.io(), OptionsOfServer()), shop_client_(Connect()) {}
  ~RequiredFieldsTest() override { google::protobuf::SetLogHandler(log_handler_); }

  static Task<Result<std::string>> PassOn(Context&, const MethodInfo&, std::string request,
                                          UnaryNext next) {
    return next(std::move(request));
  }
  static ServerOptions OptionsOfServer() {
    ServerOptions options;
    if (!GetParam()) return options;
    options.unary_interceptors = {PassOn};
    options.stream_interceptors = {[](Context&, const MethodInfo&, RawStream& stream,
                                      StreamServerNext next) { return next(stream); }};
    return options;
  }
  Client& Connect() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    EXPECT_EQ(test::required::RegisterShop(server_, shop_), Status());
    EXPECT_EQ(server_.Register(
                  {"test.Raw",
                   nullptr,
                   {Method("Reply", ReplyNothing), Method("Stream", false, true, StreamNothing)}}),
              Status());
    server_.ServeConnection(UniqueFd(fds[0]));
    ClientOptions options;
    if (GetParam()) options.unary_interceptors = {PassOn};
    client_ = Client::Over(loop_.io(), UniqueFd(fds[1]), std::move(options));
    return *client_;
  }

  Result<Receipt> Buy(const Order& order) { return loop_.Run(shop_client_.Buy(context_, order)); }
  // Returns the ids of the receipts, or -1 for none, and how the call ended.
  static Task<std::pair<std::vector<int>, Status>> Take(ServerStreamCall<Receipt> call) {
    std::vector<int> ids;
    while (const auto receipt = co_await call.Receive())
      ids.push_back(receipt->has_id() ? receipt->id() : -1);
    Status status = co_await call.Finish();
    co_return std::pair(std::move(ids), std::move(status));
  }

  // Keeps a line that protobuf logs.
  static void Log(google::protobuf::LogLevel, const char*, int, const std::string& text) {
    Logged().push_back(text);
  }
  static std::vector<std::string>& Logged() {
    static std::vector<std::string> logged;
    return logged;
  }

  google::protobuf::LogHandler* const log_handler_ = google::protobuf::SetLogHandler(Log);
  EventLoop loop_;
  Shop shop_;
  Context context_;
  Server server_;
  std::unique_ptr<Client> client_;
  ShopClient shop_client_;
};

INSTANTIATE_TEST_SUITE_P(Calls, RequiredFieldsTest, testing::Bool(),
                         [](const auto& param) { return param.param ? "Intercepted" : "Direct"; });

TEST_P(RequiredFieldsTest, ARequestIsNotSent) {
  EXPECT_EQ(Buy(Order()).error(), Internal("request lacks required fields: id"));
  Order order;
  order.mutable_item();
  EXPECT_EQ(Buy(order).error(), Internal("request lacks required fields: id, item.name"));
  EXPECT_EQ(shop_.bought(), 0);
  const auto [ids, status] = loop_.Run(Take(shop_client_.Watch(context_, Order())));
  EXPECT_THAT(ids, IsEmpty());
  EXPECT_EQ(status, Internal("request lacks required fields: id"));
  EXPECT_THAT(shop_.sent(), IsEmpty());
  EXPECT_EQ(client_->calls(), 0U);
  EXPECT_EQ(Buy(OrderOf(1))->id(), 1);
}

TEST_P(RequiredFieldsTest, AStreamStaysOpenAfterAMessageThatIsNotSent) {
  auto load = shop_client_.Load(context_);
  EXPECT_EQ(loop_.Run(load.Send(OrderOf(20))), Status());
  EXPECT_EQ(loop_.Run(load.Send(Order())), Internal("request lacks required fields: id"));
  EXPECT_EQ(loop_.Run(load.Send(OrderOf(22))), Status());
  EXPECT_EQ(loop_.Run(load.Finish())->id(), 42);
  auto trade = shop_client_.Trade(context_);
  EXPECT_EQ(loop_.Run(trade.Send(Order())), Internal("request lacks required fields: id"));
  EXPECT_EQ(loop_.Run(trade.Send(OrderOf(3))), Status());
  EXPECT_EQ(loop_.Run(trade.Receive())->id(), 3);
  EXPECT_EQ(loop_.Run(trade.Finish()), Status());
}

TEST_P(RequiredFieldsTest, AReplyIsNotSent) {
  const Status lacking = Internal("reply lacks required fields: id");
  EXPECT_EQ(Buy(OrderOf(-1)).error(), lacking);
  auto load = shop_client_.Load(context_);
  EXPECT_EQ(loop_.Run(load.Send(OrderOf(-1))), Status());
  EXPECT_EQ(loop_.Run(load.Finish()).error(), lacking);
  const auto [ids, status] = loop_.Run(Take(shop_client_.Watch(context_, OrderOf(-1))));
  EXPECT_THAT(shop_.sent(), ElementsAre(lacking));
  EXPECT_THAT(ids, ElementsAre(7));
  EXPECT_EQ(status, Status());
  auto trade = shop_client_.Trade(context_);
  EXPECT_EQ(loop_.Run(trade.Send(OrderOf(-1))), Status());
  EXPECT_EQ(loop_.Run(trade.Receive()), std::nullopt);
  EXPECT_EQ(loop_.Run(trade.Finish()), lacking);
  EXPECT_EQ(Buy(OrderOf(1))->id(), 1);
}

// A peer must not fill the log, and must not make the server list fields.
TEST_P(RequiredFieldsTest, WhatArrivesIsRefusedWithoutALogLine) {
  const std::string text = "ttrpc: error unmarshalling payload: test.required.";
  const Status order = Internal(text + "Order lacks required fields");
  const Status receipt = Internal(text + "Receipt lacks required fields");
  EXPECT_EQ(loop_.Run(client_->Call(MethodInfo("test.required.Shop", "Buy"), context_, "")).error(),
            order);
  auto load =
      client_->OpenStream(MethodInfo("test.required.Shop", "Load", true), context_, std::nullopt);
  EXPECT_EQ(loop_.Run(load->Send("")), Status());
  EXPECT_EQ(loop_.Run(load->Finish()).error(), order);
  EXPECT_EQ(loop_.Run(client_->Call<Receipt>(kReplyNothing, context_, OrderOf(1))).error(),
            receipt);
  ServerStreamCall<Receipt> stream(client_->OpenStream(kStreamNothing, context_, OrderOf(1)));
  EXPECT_EQ(loop_.Run(Take(std::move(stream))).second, receipt);
  EXPECT_THAT(Logged(), IsEmpty());
}

}  // namespace
}  // namespace ttrpc
