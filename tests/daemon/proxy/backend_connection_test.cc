// SPDX-License-Identifier: Apache-2.0
#include "proxy/backend_connection.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "proxy/worker.h"
#include "support/policy_builder.h"
#include "support/temp_folder.h"

namespace proxyd {
namespace {

class NowhereTarget final : public AuditTarget {
 public:
  bool Write(std::string_view) override { return true; }
};

class NoOwner final : public BackendConnectionOwner {
 public:
  uid_t uid() const override { return 1000; }
  void OnBackendMessage(Call&, const ttrpc::MessageHeader&, std::string_view) override {}
  void OnBackendOversizedMessage(Call&, const ttrpc::MessageHeader&) override {}
  void OnBackendSendQueueLow() override {}
  void OnBackendHeldChanged() override {}
  void OnBackendCallEnded(BackendConnection&) override {}
  void OnBackendUnreachable(BackendConnection&) override {}
  void OnBackendStuck(BackendConnection&) override {}
  void OnBackendClosed(BackendConnection&, ttrpc::CloseReason) override {}
};

struct EventBaseDeleter {
  void operator()(event_base* base) const { event_base_free(base); }
};

ttrpc::UniqueFd NewSocket() {
  return ttrpc::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

// A timer left running would dial with a descriptor that is gone, and hold that against the
// backend.
TEST(BackendConnectionTest, ClosedWhileItDialsItLeavesNothingRunning) {
  const ::test::TempFolder folder;
  Config config = test::ConfigOf({});
  config.backends.push_back({.name = "back",
                             .addresses = {*ttrpc::Address::Parse("unix://" + (folder / "s"))},
                             .users = {::getuid()},
                             .position = {}});
  // A backlog of 0 has room for one.
  const ttrpc::SocketAddress where = config.backends[0].addresses[0].ToSocketAddress();
  const ttrpc::UniqueFd listener = NewSocket();
  ASSERT_EQ(::bind(listener.get(), where.get(), where.length), 0);
  ASSERT_EQ(::listen(listener.get(), 0), 0);
  const ttrpc::UniqueFd waiting = NewSocket();
  ASSERT_EQ(::connect(waiting.get(), where.get(), where.length), 0);

  Audit audit(config.audit, std::make_unique<NowhereTarget>());
  Reports reports(audit);
  const std::unique_ptr<event_base, EventBaseDeleter> base(event_base_new());
  Accounting accounting;
  Worker worker(base.get(), std::make_shared<const Snapshot>(config, test::kOverflow),
                {.reports = reports, .accounting = accounting});
  const int events = event_base_get_num_events(base.get(), EVENT_BASE_COUNT_ADDED);
  NoOwner owner;
  const auto connection =
      BackendConnection::Open(worker, worker.generation()->backend(0), owner, {});
  ASSERT_NE(connection, nullptr);
  EXPECT_GT(event_base_get_num_events(base.get(), EVENT_BASE_COUNT_ADDED), events)
      << "it does not dial";
  connection->Close();
  EXPECT_EQ(event_base_get_num_events(base.get(), EVENT_BASE_COUNT_ADDED), events);
}

// Ids are not used twice on a connection: before they end, calls go to a fresh one.
TEST(BackendConnectionTest, TheLastIdRetiresIt) {
  Config config = test::ConfigOf({});
  config.backends.push_back({.name = "back",
                             .addresses = {*ttrpc::Address::Parse("unix:///nowhere")},
                             .users = {::getuid()},
                             .position = {}});
  Audit audit(config.audit, std::make_unique<NowhereTarget>());
  Reports reports(audit);
  const std::unique_ptr<event_base, EventBaseDeleter> base(event_base_new());
  Accounting accounting;
  Worker worker(base.get(), std::make_shared<const Snapshot>(config, test::kOverflow),
                {.reports = reports, .accounting = accounting, .last_stream_id = 5});
  NoOwner owner;
  BackendConnection connection(worker, worker.generation()->backend(0), owner);
  for (const uint32_t id : {1U, 3U, 5U}) {
    ASSERT_TRUE(connection.takes_calls()) << id;
    Call call{StreamState(0)};
    connection.Add(&call);
    EXPECT_EQ(call.backend_id, id);
    connection.Remove(call);
  }
  EXPECT_FALSE(connection.takes_calls());
  EXPECT_TRUE(connection.retired());
}

}  // namespace
}  // namespace proxyd
