// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/server.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "streams.ttrpc.h"

namespace interop {
namespace {

using ttrpc::Context;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::Task;

constexpr const char* kDetailType = "type.googleapis.com/interop.v1.EchoReply";
constexpr const char* kLastWords = "last";

// An event that happens once.
class Event {
 public:
  void Happen() {
    happened_ = true;
    for (ttrpc::Waiter* waiter : std::exchange(waiters_, {})) waiter->Wake();
  }

  // co_await event.Wait(…) returns when the event has happened or the context is cancelled.
  class Awaiter {
   public:
    Awaiter(Event& event, ttrpc::IoLoop& loop, Context& context)
        : event_(event),
          waiter_(loop),
          cancelled_(context, [this](const Status&) { waiter_.Wake(); }) {
      event_.waiters_.push_back(&waiter_);
    }
    ~Awaiter() { std::erase(event_.waiters_, &waiter_); }
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;

    bool await_ready() const noexcept { return event_.happened_; }
    void await_suspend(std::coroutine_handle<> waiting) { waiter_.Wait(waiting); }
    void await_resume() const noexcept {}

   private:
    Event& event_;
    ttrpc::Waiter waiter_;
    ttrpc::CancelHook cancelled_;
  };
  Awaiter Wait(ttrpc::IoLoop& loop, Context& context) { return {*this, loop, context}; }

 private:
  bool happened_ = false;
  std::vector<ttrpc::Waiter*> waiters_;
};

// Returns the metadata of a call in order of keys.
pb::MetadataReply PairsOf(const Context& context) {
  auto entries = context.metadata().entries();
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.key < b.key; });
  pb::MetadataReply reply;
  for (const auto& entry : entries) {
    pb::Pair* pair = reply.add_pairs();
    pair->set_key(entry.key);
    pair->set_value(entry.value);
  }
  return reply;
}

class EchoServer final : public pb::Echo {
 public:
  explicit EchoServer(ttrpc::IoLoop& loop) : loop_(loop) {}

  Task<Result<pb::EchoReply>> Echo_(Context&, const pb::EchoRequest& request) override {
    pb::EchoReply reply;
    reply.set_payload(request.payload());
    reply.set_text(request.text());
    co_return reply;
  }

  Task<Result<pb::Empty>> Nothing(Context&, const pb::Empty&) override { co_return pb::Empty(); }

  Task<Result<pb::Empty>> Fail(Context&, const pb::FailRequest& request) override {
    std::vector<ttrpc::StatusDetail> details;
    if (!request.detail().empty()) {
      pb::EchoReply detail;
      detail.set_text(request.detail());
      details.emplace_back(kDetailType, detail.SerializeAsString());
    }
    co_return Status(static_cast<StatusCode>(request.code()), request.message(),
                     std::move(details));
  }

  Task<Result<pb::EchoReply>> Blob(Context&, const pb::BlobRequest& request) override {
    pb::EchoReply reply;
    reply.set_payload(std::string(request.length(), '\0'));
    co_return reply;
  }

  Task<Result<pb::MetadataReply>> Metadata(Context& context, const pb::Empty&) override {
    co_return PairsOf(context);
  }

  Task<Result<pb::Empty>> Sleep(Context& context, const pb::WaitRequest& request) override {
    Nap& nap = naps_[request.key()];
    nap.begun.Happen();
    co_await context.Cancelled();
    nap.ended.Happen();
    co_return context.status();
  }

  Task<Result<pb::Empty>> Began(Context& context, const pb::WaitRequest& request) override {
    return WaitFor(naps_[request.key()].begun, context);
  }

  Task<Result<pb::Empty>> Ended(Context& context, const pb::WaitRequest& request) override {
    return WaitFor(naps_[request.key()].ended, context);
  }

 private:
  struct Nap {
    Event begun, ended;
  };

  Task<Result<pb::Empty>> WaitFor(Event& event, Context& context) {
    co_await event.Wait(loop_, context);
    if (context.cancelled()) co_return context.status();
    co_return pb::Empty();
  }

  ttrpc::IoLoop& loop_;
  std::map<std::string, Nap> naps_;
};

// Whether an item asks the server to end its stream, and with which status.
std::optional<Status> Early(const pb::Item& item) {
  if (item.end() == 0) return std::nullopt;
  if (item.end() < 0) return Status();
  return Status(static_cast<StatusCode>(item.end()), "ended early");
}

class StreamServer final : public pb::Streams {
 public:
  Task<Status> Range(Context&, const pb::RangeRequest& request,
                     ttrpc::SendStream<pb::Item>& replies) override {
    for (uint32_t i = 0; i < request.count(); ++i) {
      pb::Item item;
      item.set_index(i);
      item.set_payload(Pattern(request.length(), i));
      if (Status sent = co_await replies.Send(item); !sent.ok()) co_return sent;
    }
    co_return Status();
  }

  Task<Result<pb::SumReply>> Sum(Context&, ttrpc::ReceiveStream<pb::Item>& requests) override {
    pb::SumReply reply;
    while (const auto item = co_await requests.Receive()) {
      if (const auto end = Early(*item)) {
        if (!end->ok()) co_return *end;
        co_return reply;
      }
      reply.set_count(reply.count() + 1);
      reply.set_total(reply.total() + item->index());
    }
    if (!requests.status().ok()) co_return requests.status();
    co_return reply;
  }

  Task<Status> Chat(Context&, ttrpc::ReceiveStream<pb::Item>& requests,
                    ttrpc::SendStream<pb::Item>& replies) override {
    uint32_t count = 0;
    while (const auto item = co_await requests.Receive()) {
      if (const auto end = Early(*item)) co_return *end;
      if (Status sent = co_await replies.Send(*item); !sent.ok()) co_return sent;
      ++count;
    }
    if (!requests.status().ok()) co_return requests.status();
    pb::Item last;
    last.set_index(count);
    last.set_payload(kLastWords);
    co_return co_await replies.Send(last);
  }

  Task<Status> Nothings(Context&, const pb::Empty&,
                        ttrpc::SendStream<pb::Empty>& replies) override {
    for (int i = 0; i < 3; ++i) {
      const pb::Empty nothing;
      if (Status sent = co_await replies.Send(nothing); !sent.ok()) co_return sent;
    }
    co_return Status();
  }

  Task<Result<pb::SumReply>> Count(Context&, ttrpc::ReceiveStream<pb::Empty>& requests) override {
    pb::SumReply reply;
    while (const auto nothing = co_await requests.Receive()) reply.set_count(reply.count() + 1);
    if (!requests.status().ok()) co_return requests.status();
    co_return reply;
  }

  Task<Status> Metadata(Context& context, const pb::Empty&,
                        ttrpc::SendStream<pb::Pair>& replies) override {
    const pb::MetadataReply metadata = PairsOf(context);
    for (const pb::Pair& pair : metadata.pairs()) {
      if (Status sent = co_await replies.Send(pair); !sent.ok()) co_return sent;
    }
    co_return Status();
  }
};

void Must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

}  // namespace

void Serve(const std::string& address) {
  const auto where = ttrpc::Address::Parse(address);
  Must(where ? Status() : where.error());
  ttrpc::EventLoop loop;
  EchoServer echo(loop.io());
  StreamServer streams;
  ttrpc::Server server(loop.io());
  Must(pb::RegisterEcho(server, echo));
  Must(pb::RegisterStreams(server, streams));
  Must(server.Listen(*where));
  std::puts("ready");
  std::fflush(stdout);
  loop.RunForever();
}

}  // namespace interop
