// SPDX-License-Identifier: Apache-2.0
//
// The path from bytes to an implementation's methods and back, as in generated code, and what unary
// interceptors may do on it. The messages are those of the envelope; any others would do.
#include "ttrpc/service.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "server_harness.h"
#include "ttrpc.pb.h"

namespace ttrpc {
namespace {

using test::CloseBytes;
using test::DataBytes;
using test::RequestBytes;
using Number = wire::Status;  // its code is the number
using Word = wire::KeyValue;

constexpr uint8_t kOpenNoData = kFlagRemoteOpen | kFlagNoData;
constexpr const char* kBroken = "\x12\x05x";  // a truncated field

class Words {
 public:
  Task<Result<Word>> Greet(Context&, const Word& request) {
    if (request.key() == "fail") co_return Status(StatusCode::kAborted, "as asked");
    if (request.key() == "throw") throw std::runtime_error("as asked");
    if (request.key() == "ok") co_return Status();
    Word reply;
    reply.set_value("hello " + request.key());
    co_return reply;
  }
  Task<Status> UpTo(Context&, const Number& request, SendStream<Number>& replies) {
    for (int i = 1; i <= request.code(); ++i) {
      Number number;
      number.set_code(i);
      if (Status sent = co_await replies.Send(number); !sent.ok()) co_return sent;
    }
    co_return Status();
  }
  Task<Result<Number>> Sum(Context&, ReceiveStream<Number>& requests) {
    Number sum;
    while (const auto number = co_await requests.Receive())
      sum.set_code(sum.code() + number->code());
    if (!requests.status().ok()) co_return requests.status();
    co_return sum;
  }
  Task<Status> Spell(Context&, ReceiveStream<Word>& requests, SendStream<Word>& replies) {
    while (const auto word = co_await requests.Receive()) {
      if (Status sent = co_await replies.Send(*word); !sent.ok()) co_return sent;
    }
    co_return requests.status();
  }
};

ServiceDescription Describe(Words& words) {
  using namespace service_internal;
  return {"test.Bytes",
          &words,
          {Method("Greet", Unary<Words, Word, Word, &Words::Greet>),
           Method("UpTo", false, true, ServerStream<Words, Number, Number, &Words::UpTo>),
           Method("Sum", true, false, ClientStream<Words, Number, Number, &Words::Sum>),
           Method("Spell", true, true, BidiStream<Words, Word, Word, &Words::Spell>)}};
}

class ServiceTest : public test::ServerFixture {
 protected:
  void StartWords(ServerOptions options = {}) {
    server_ = std::make_unique<Server>(loop_.io(), std::move(options));
    ASSERT_EQ(server_->Register(Describe(words_)), Status());
  }

  static std::string Encoded(int number) {
    Number message;
    message.set_code(number);
    return message.SerializeAsString();
  }
  static std::string Keyed(const std::string& key) {
    Word message;
    message.set_key(key);
    return message.SerializeAsString();
  }
  static std::string Valued(const std::string& value) {
    Word message;
    message.set_value(value);
    return message.SerializeAsString();
  }

  Words words_;
};

TEST_F(ServiceTest, Unary) {
  StartWords();
  const auto peer = Connect();
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Greet", Keyed("you"))), "1 OK " + Valued("hello you"));
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Greet")), "1 OK " + Valued("hello "));
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Greet", Keyed("fail"))), "1 ABORTED: as asked");
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Greet", Keyed("throw"))),
            "1 INTERNAL: unhandled exception: as asked");
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Greet", Keyed("ok"))),
            "1 INTERNAL: ttrpc: an OK status is not an error");
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "Greet", kBroken)),
            "1 INTERNAL: ttrpc: error unmarshalling payload: not a ttrpc.wire.KeyValue");
}

TEST_F(ServiceTest, ServerStreams) {
  StartWords();
  const auto peer = Connect();
  EXPECT_EQ(Ask(*peer, RequestBytes(1, "UpTo", Encoded(2), kFlagRemoteClosed)),
            "1 data/0 " + Encoded(1));
  EXPECT_EQ(Next(*peer), "1 data/0 " + Encoded(2));
  EXPECT_EQ(Next(*peer), "1 data/5");
  EXPECT_EQ(Ask(*peer, RequestBytes(3, "UpTo", "", kFlagRemoteClosed)), "3 data/5");
  EXPECT_EQ(Ask(*peer, RequestBytes(5, "UpTo", kBroken, kFlagRemoteClosed)),
            "5 INTERNAL: ttrpc: error unmarshalling payload: not a ttrpc.wire.Status");
}

TEST_F(ServiceTest, ClientStreams) {
  StartWords();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Sum", "", kOpenNoData));
  for (int i = 1; i <= 3; ++i) peer->Write(DataBytes(1, Encoded(i)));
  EXPECT_EQ(Ask(*peer, CloseBytes(1)), "1 OK " + Encoded(6));
  peer->Write(RequestBytes(3, "Sum", "", kOpenNoData));
  EXPECT_EQ(Ask(*peer, DataBytes(3, Encoded(1)) + DataBytes(3, kBroken)),
            "3 INTERNAL: ttrpc: error unmarshalling payload: not a ttrpc.wire.Status");
  EXPECT_EQ(server_->calls(), 0U);
}

TEST_F(ServiceTest, BothStream) {
  StartWords();
  const auto peer = Connect();
  peer->Write(RequestBytes(1, "Spell", "", kOpenNoData));
  EXPECT_EQ(Ask(*peer, DataBytes(1, Keyed("a"))), "1 data/0 " + Keyed("a"));
  EXPECT_EQ(Ask(*peer, DataBytes(1, "")), "1 data/0");
  EXPECT_EQ(Ask(*peer, CloseBytes(1)), "1 data/5");
  peer->Write(RequestBytes(3, "Spell", "", kOpenNoData));
  EXPECT_EQ(Ask(*peer, DataBytes(3, kBroken)),
            "3 INTERNAL: ttrpc: error unmarshalling payload: not a ttrpc.wire.KeyValue");
}

// An interceptor whose action depends on the request.
Task<Result<std::string>> Judge(Context& context, const MethodInfo& method, std::string request,
                                UnaryNext next) {
  Word word;
  if (!word.ParseFromString(request)) co_return Status(StatusCode::kDataLoss, "broken");
  if (word.key() == "refuse")
    co_return Status(StatusCode::kPermissionDenied, std::string(method.service) + " refuses");
  if (word.key() == "answer") co_return std::string("answered");
  if (word.key() == "late") throw std::runtime_error("late");
  if (word.key() == "drop") {
    // The rest of the chain is created but not run.
    const auto dropped = next(std::move(request));
    co_return std::string("dropped");
  }
  if (word.key() == "mark") context.metadata().Set("mark", "set");
  Result<std::string> reply = co_await next(std::move(request));
  if (!reply) co_return Status(StatusCode::kUnknown, "was " + reply.error().ToString());
  co_return *reply;
}

TEST_F(ServiceTest, InterceptorsAnswerRefuseAndThrow) {
  ServerOptions options;
  options.unary_interceptors = {[](Context&, const MethodInfo&, std::string request,
                                   UnaryNext next) -> Task<Result<std::string>> {
                                  if (request.find("early") != std::string::npos)
                                    throw std::runtime_error("early");
                                  return next(std::move(request));
                                },
                                Judge,
                                [](Context& context, const MethodInfo& method, std::string request,
                                   UnaryNext next) -> Task<Result<std::string>> {
                                  if (!context.metadata().empty())
                                    request = Keyed(std::string(method.method) + " marked");
                                  return next(std::move(request));
                                }};
  StartWords(std::move(options));
  const auto peer = Connect();
  const auto ask = [&](const std::string& key) {
    return Ask(*peer, RequestBytes(1, "Greet", Keyed(key)));
  };
  EXPECT_EQ(ask("you"), "1 OK " + Valued("hello you"));
  EXPECT_EQ(ask("mark"), "1 OK " + Valued("hello Greet marked"));
  EXPECT_EQ(ask("refuse"), "1 PERMISSION_DENIED: test.Bytes refuses");
  EXPECT_EQ(ask("answer"), "1 OK answered");
  EXPECT_EQ(ask("drop"), "1 OK dropped");
  EXPECT_EQ(ask("early"), "1 INTERNAL: unhandled exception: early");
  EXPECT_EQ(ask("late"), "1 INTERNAL: unhandled exception: late");
  EXPECT_EQ(ask("fail"), "1 UNKNOWN: was ABORTED: as asked");
  EXPECT_EQ(server_->calls(), 0U);
}

}  // namespace
}  // namespace ttrpc
