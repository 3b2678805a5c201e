// SPDX-License-Identifier: Apache-2.0
//
// A key-value store in memory, which ends in an orderly way on SIGTERM. Usage: kv_server ADDRESS
//
// libttrpc/README.md shows and explains this file. Everything happens on the one thread of the
// loop.
#include <event2/event.h>

#include <chrono>
#include <coroutine>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "kv.ttrpc.h"
#include "ttrpc/event_loop.h"

using ttrpc::Context;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::Task;

namespace {

constexpr size_t kMaxEntries = 10'000;
constexpr size_t kMaxEntrySize = 65'536;

class Store final : public kv::Store {
 public:
  explicit Store(ttrpc::IoLoop& loop) : loop_(loop) {}

  Task<Result<kv::Entry>> Get(Context&, const kv::Key& request) override {
    const auto found = values_.find(request.key());
    if (found == values_.end()) co_return NoKey(request.key());
    co_return EntryOf(*found);
  }

  Task<Result<kv::Empty>> Put(Context&, const kv::Entry& request) override {
    if (Status stored = Set(request); !stored.ok()) co_return stored;
    co_return kv::Empty();
  }

  Task<Result<kv::Empty>> Delete(Context&, const kv::Key& request) override {
    const auto found = values_.find(request.key());
    if (found == values_.end()) co_return NoKey(request.key());
    changes_.erase(found->second.change);
    values_.erase(found);
    co_return kv::Empty();
  }

  Task<Status> List(Context&, const kv::Prefix& request,
                    ttrpc::SendStream<kv::Entry>& replies) override {
    auto next = values_.lower_bound(request.prefix());
    while (next != values_.end() && next->first.starts_with(request.prefix())) {
      const kv::Entry entry = EntryOf(*next);
      if (Status sent = co_await replies.Send(entry); !sent.ok()) co_return sent;
      // Other calls may have changed the map during the co_await, so `next` may be invalid.
      next = values_.upper_bound(entry.key());
    }
    co_return Status();
  }

  Task<Result<kv::Count>> Load(Context&, ttrpc::ReceiveStream<kv::Entry>& requests) override {
    kv::Count reply;
    while (std::optional<kv::Entry> entry = co_await requests.Receive()) {
      if (Status stored = Set(*entry); !stored.ok()) co_return stored;
      reply.set_entries(reply.entries() + 1);
    }
    // The client may have disconnected instead of ending its side.
    if (!requests.status().ok()) co_return requests.status();
    co_return reply;
  }

  Task<Status> Watch(Context& context, const kv::Prefix& request,
                     ttrpc::SendStream<kv::Entry>& replies) override {
    uint64_t seen = last_change_;
    while (!context.cancelled() && !stopped_) {
      const auto next = changes_.upper_bound(seen);
      if (next == changes_.end()) {
        co_await Change(*this, context);
        continue;
      }
      seen = next->first;
      if (!next->second.starts_with(request.prefix())) continue;
      const kv::Entry entry = EntryOf(*values_.find(next->second));
      if (Status sent = co_await replies.Send(entry); !sent.ok()) co_return sent;
    }
    if (stopped_) co_return Status(StatusCode::kUnavailable, "the server stops");
    co_return context.status();
  }

  // Ends the calls of Watch, which would otherwise delay the end of the server.
  void Stop() {
    stopped_ = true;
    WakeAll();
  }

 private:
  // `co_await Change(…)` waits until an entry is stored, the store stops or the call ends.
  class Change {
   public:
    Change(Store& store, Context& context)
        : store_(store), waiter_(store.loop_), hook_(context, [this](const Status&) { Wake(); }) {
      store_.waiting_.insert(this);
    }
    ~Change() { store_.waiting_.erase(this); }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

    void Wake() { waiter_.Wake(); }

    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handler) { waiter_.Wait(handler); }
    void await_resume() const {}

   private:
    Store& store_;
    ttrpc::Waiter waiter_;
    ttrpc::CancelHook hook_;
  };

  struct Value {
    std::string text;
    uint64_t change = 0;
  };

  static Status NoKey(const std::string& key) {
    return Status(StatusCode::kNotFound, "no key \"" + key + "\"");
  }

  static kv::Entry EntryOf(const std::pair<const std::string, Value>& value) {
    kv::Entry entry;
    entry.set_key(value.first);
    entry.set_value(value.second.text);
    return entry;
  }

  Status Set(const kv::Entry& entry) {
    if (entry.key().empty()) return Status(StatusCode::kInvalidArgument, "the key is empty");
    if (entry.key().size() + entry.value().size() > kMaxEntrySize)
      return Status(StatusCode::kInvalidArgument,
                    "the entry has more than " + std::to_string(kMaxEntrySize) + " bytes");
    if (values_.size() == kMaxEntries && !values_.contains(entry.key()))
      return Status(StatusCode::kResourceExhausted,
                    "the store has " + std::to_string(kMaxEntries) + " entries");
    Value& value = values_[entry.key()];
    changes_.erase(value.change);
    value.text = entry.value();
    value.change = ++last_change_;
    changes_[value.change] = entry.key();
    WakeAll();
    return Status();
  }

  void WakeAll() {
    for (Change* change : waiting_) change->Wake();
  }

  ttrpc::IoLoop& loop_;
  std::map<std::string, Value> values_;
  std::map<uint64_t, std::string> changes_;  // the keys in the order of their last change
  uint64_t last_change_ = 0;
  std::set<Change*> waiting_;
  bool stopped_ = false;
};

struct Program {
  ttrpc::EventLoop loop;
  Store store{loop.io()};
  ttrpc::Server server{loop.io()};
};

// The loop calls this, not the kernel, so it may use everything.
void OnTerminate(evutil_socket_t, short, void* argument) {
  auto* const program = static_cast<Program*>(argument);
  program->store.Stop();
  program->server.Shutdown(std::chrono::seconds(5), [program] { program->loop.Stop(); });
}

int Serve(const char* text) {
  const Result<ttrpc::Address> address = ttrpc::Address::Parse(text);
  if (!address) {
    std::fprintf(stderr, "%s: %s\n", text, address.error().message().c_str());
    return 64;
  }
  Program program;
  const ttrpc::EventPtr terminate(
      event_new(program.loop.base(), SIGTERM, EV_SIGNAL, OnTerminate, &program));
  if (!terminate || event_add(terminate.get(), nullptr) != 0) return 1;
  Status status = kv::RegisterStore(program.server, program.store);
  if (status.ok()) status = program.server.Listen(*address);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  program.loop.RunForever();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return Serve(argv[1]);
  std::fprintf(stderr, "usage: kv_server ADDRESS\n");
  return 64;
}
