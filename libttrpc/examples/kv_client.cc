// SPDX-License-Identifier: Apache-2.0
//
// Calls each method of kv_server. Usage: kv_client ADDRESS COMMAND [ARGUMENT…]
//
// libttrpc/README.md shows and explains this file. Each command is a coroutine, which makes a call
// and prints the reply.
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kv.ttrpc.h"
#include "ttrpc/event_loop.h"

using ttrpc::Context;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::Task;

namespace {

constexpr auto kTimeout = std::chrono::seconds(5);

Task<Status> Get(kv::StoreClient& store, std::string key) {
  Context context;
  context.set_timeout(kTimeout);
  kv::Key request;
  request.set_key(key);
  const Result<kv::Entry> entry = co_await store.Get(context, request);
  if (!entry) co_return entry.error();
  std::cout << entry->value() << std::endl;
  co_return Status();
}

Task<Status> Put(kv::StoreClient& store, std::string key, std::string value) {
  Context context;
  context.set_timeout(kTimeout);
  kv::Entry request;
  request.set_key(key);
  request.set_value(value);
  const Result<kv::Empty> done = co_await store.Put(context, request);
  co_return done ? Status() : done.error();
}

Task<Status> Delete(kv::StoreClient& store, std::string key) {
  Context context;
  context.set_timeout(kTimeout);
  kv::Key request;
  request.set_key(key);
  const Result<kv::Empty> done = co_await store.Delete(context, request);
  co_return done ? Status() : done.error();
}

// Prints the entries of List or Watch until the stream ends, and returns why it ended.
Task<Status> Print(ttrpc::ServerStreamCall<kv::Entry> entries) {
  while (std::optional<kv::Entry> entry = co_await entries.Receive())
    std::cout << entry->key() << ' ' << entry->value() << std::endl;
  co_return co_await entries.Finish();
}

Task<Status> List(kv::StoreClient& store, std::string prefix) {
  Context context;
  context.set_timeout(kTimeout);
  kv::Prefix request;
  request.set_prefix(prefix);
  co_return co_await Print(store.List(context, request));
}

// The context has no deadline: the call lasts until the server ends it.
Task<Status> Watch(kv::StoreClient& store, std::string prefix) {
  Context context;
  kv::Prefix request;
  request.set_prefix(prefix);
  co_return co_await Print(store.Watch(context, request));
}

// Sends the entries of standard input, each of which is a key, a space and a value.
Task<Status> Load(kv::StoreClient& store) {
  Context context;
  context.set_timeout(kTimeout);
  auto entries = store.Load(context);
  kv::Entry entry;
  while (std::cin >> *entry.mutable_key() >> *entry.mutable_value()) {
    // An error means that the call has ended, and Finish() returns its status.
    if (Status sent = co_await entries.Send(entry); !sent.ok()) break;
  }
  const Result<kv::Count> count = co_await entries.Finish();
  if (!count) co_return count.error();
  std::cout << count->entries() << " entries" << std::endl;
  co_return Status();
}

// Returns none if there is no such command.
std::optional<Task<Status>> Command(kv::StoreClient& store, const std::vector<std::string>& words) {
  const std::string& command = words[0];
  if (command == "get" && words.size() == 2) return Get(store, words[1]);
  if (command == "put" && words.size() == 3) return Put(store, words[1], words[2]);
  if (command == "delete" && words.size() == 2) return Delete(store, words[1]);
  if (command == "list" && words.size() == 2) return List(store, words[1]);
  if (command == "watch" && words.size() == 2) return Watch(store, words[1]);
  if (command == "load" && words.size() == 1) return Load(store);
  return std::nullopt;
}

int Call(const ttrpc::Address& address, const std::vector<std::string>& words) {
  ttrpc::EventLoop loop;
  const auto client = ttrpc::Client::Dial(loop.io(), address);
  kv::StoreClient store(*client);
  std::optional<Task<Status>> task = Command(store, words);
  if (!task) return 64;
  const Status status = loop.Run(std::move(*task));
  if (!status.ok()) std::cerr << status << std::endl;
  return status.ok() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto address = ttrpc::Address::Parse(argc > 2 ? argv[1] : "");
  const int status = address ? Call(*address, {argv + 2, argv + argc}) : 64;
  if (status == 64) {
    std::cerr << "usage: kv_client ADDRESS get KEY | put KEY VALUE | delete KEY | list PREFIX |"
                 " watch PREFIX | load"
              << std::endl;
  }
  return status;
}
