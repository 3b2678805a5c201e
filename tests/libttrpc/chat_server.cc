// SPDX-License-Identifier: Apache-2.0
#include "chat_server.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <future>
#include <thread>
#include <utility>

#include "chat.pb.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/server.h"
#include "ttrpc/service.h"

namespace ttrpc::tool {
namespace {

using example::Fault;
using example::Note;

class Chat {
 public:
  Task<Result<Note>> Say(Context& context, const Note& request) {
    Note reply = request;
    if (request.text() == "metadata") {
      reply.clear_text();
      for (const auto& [key, value] : context.metadata()) {
        reply.mutable_text()->append(key).append("=").append(value).append(";");
      }
    } else if (request.text() == "hang") {
      co_await context.Cancelled();
      co_return context.status();
    } else if (request.text() == "bad pause") {
      reply.mutable_pause()->set_seconds(400'000'000'000);
    } else if (request.text() == "long") {
      reply.set_text(std::string(static_cast<size_t>(request.number()), 'x'));
    }
    co_return reply;
  }

  Task<Status> Count(Context&, const Note& request, SendStream<Note>& replies) {
    Note reply;
    for (int64_t i = 1; i <= request.number(); ++i) {
      reply.set_number(i);
      if (request.text() == "bad pause") reply.mutable_pause()->set_seconds(400'000'000'000);
      if (Status sent = co_await replies.Send(reply); !sent.ok()) co_return sent;
    }
    if (request.text() == "fail") co_return Status(StatusCode::kAborted, "as asked");
    co_return Status();
  }

  Task<Result<Note>> Sum(Context&, ReceiveStream<Note>& requests) {
    Note sum;
    while (const std::optional<Note> request = co_await requests.Receive()) {
      sum.set_number(sum.number() + request->number());
      if (request->text() == "stop") co_return sum;
    }
    if (!requests.status().ok()) co_return requests.status();
    co_return sum;
  }

  Task<Status> Talk(Context&, ReceiveStream<Note>& requests, SendStream<Note>& replies) {
    while (const std::optional<Note> request = co_await requests.Receive()) {
      if (request->text() == "bye") co_return Status();
      if (request->text() == "fail") co_return Status(StatusCode::kDataLoss, "as asked");
      if (Status sent = co_await replies.Send(*request); !sent.ok()) co_return sent;
    }
    co_return requests.status();
  }

  Task<Result<Note>> Fail(Context&, const Fault& request) {
    std::vector<StatusDetail> details = {
        {"type.googleapis.com/example.Fault", request.SerializeAsString()},
        {"type.googleapis.com/google.protobuf.Duration", "\x08\x03"},
        {"no.Such", "\x01\xFF"}};
    co_return Status(static_cast<StatusCode>(request.code()), request.message(),
                     std::move(details));
  }

  ServiceDescription Describe() {
    using namespace service_internal;
    return {"example.Chat",
            this,
            {{"Say", &Unary<Chat, Note, Note, &Chat::Say>},
             {"Count", false, true, &ServerStream<Chat, Note, Note, &Chat::Count>},
             {"Sum", true, false, &ClientStream<Chat, Note, Note, &Chat::Sum>},
             {"Talk", true, true, &BidiStream<Chat, Note, Note, &Chat::Talk>},
             {"Fail", &Unary<Chat, Fault, Note, &Chat::Fail>}}};
  }
};

}  // namespace

class ChatServer::Thread {
 public:
  explicit Thread(const std::string& path) : stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    std::promise<Status> listening;
    std::future<Status> result = listening.get_future();
    thread_ = std::thread([this, path, &listening] { Serve(path, &listening); });
    EXPECT_EQ(result.get(), Status());
  }
  ~Thread() {
    EXPECT_EQ(::eventfd_write(stop_.get(), 1), 0);
    thread_.join();
  }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

 private:
  void Serve(const std::string& path, std::promise<Status>* listening) {
    EventLoop loop;
    Chat chat;
    Server server(loop.io());
    const EventPtr stop(::event_new(
        loop.base(), stop_.get(), EV_READ,
        [](evutil_socket_t, short, void* l) { static_cast<EventLoop*>(l)->Stop(); }, &loop));
    ::event_add(stop.get(), nullptr);
    Status status = server.Register(chat.Describe());
    if (status.ok()) status = server.Listen(*Address::Parse("unix://" + path));
    listening->set_value(std::move(status));
    loop.RunForever();
  }

  UniqueFd stop_;
  std::thread thread_;
};

ChatServer::ChatServer(const std::string& socket_path)
    : thread_(std::make_unique<Thread>(socket_path)) {}
ChatServer::~ChatServer() = default;

}  // namespace ttrpc::tool
