// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/task.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "ttrpc/address.h"
#include "ttrpc/client.h"
#include "ttrpc/context.h"
#include "ttrpc/server.h"
#include "ttrpc/wire/acceptor.h"
#include "ttrpc/wire/request.h"

namespace ttrpc {
namespace {

// Waits until the test opens it.
class Door {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) { waiting_ = waiting; }
  void await_resume() const noexcept {}
  void Open() { std::exchange(waiting_, nullptr).resume(); }

 private:
  std::coroutine_handle<> waiting_;
};

struct Counted {
  explicit Counted(int* c) : count(c) { ++*count; }
  Counted(const Counted& other) : count(other.count) { ++*count; }
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --*count; }
  int* count;
};

Task<int> Immediate(int n) { co_return n; }

Task<int> Sum(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await Immediate(1);
  co_return sum;
}

Task<void> Store(Task<int> task, std::optional<int>* result) {
  result->emplace(co_await std::move(task));
}

TEST(TaskTest, BeginsWhenItIsAwaited) {
  bool begun = false;
  const auto begin = [](bool* flag) -> Task<void> {
    *flag = true;
    co_return;
  };
  Task<void> task = begin(&begun);
  EXPECT_FALSE(begun);
  TaskGroup group;
  group.Spawn(std::move(task));
  EXPECT_TRUE(begun);
  EXPECT_TRUE(group.empty());
}

TEST(TaskTest, AMillionThatDoNotWaitDoNotGrowTheStack) {
  std::optional<int> result;
  TaskGroup group;
  group.Spawn(Store(Sum(1'000'000), &result));
  EXPECT_EQ(result, 1'000'000);
}

Task<Status> Throws(bool standard) {
  if (standard) throw std::runtime_error("gone wrong");
  throw 42;
  co_return Status();
}

Task<void> StoreStatus(Task<Status> task, Status* result) { *result = co_await std::move(task); }

TEST(TaskTest, AnExceptionBecomesAStatus) {
  TaskGroup group;
  Status status;
  group.Spawn(StoreStatus(Throws(true), &status));
  EXPECT_EQ(status, Status(StatusCode::kInternal, "unhandled exception: gone wrong"));
  group.Spawn(StoreStatus(Throws(false), &status));
  EXPECT_EQ(status, Status(StatusCode::kInternal, "unhandled exception"));
}

Task<Result<std::string>> Named() { co_return std::string("a value"); }
Task<void> StoreTwice(Task<Result<std::string>> task, std::vector<std::string>* seen) {
  for (int i = 0; i < 2; ++i) {
    const Result<std::string> result = co_await std::move(task);  // NOLINT: on purpose
    seen->push_back(result ? *result : result.error().ToString());
  }
}

TEST(TaskTest, AwaitedTwiceItHasNoSecondValue) {
  TaskGroup group;
  std::vector<std::string> seen;
  Task<Result<std::string>> task = Named();
  group.Spawn(StoreTwice(std::move(task), &seen));
  // The task has no coroutine any more.
  group.Spawn(StoreTwice(std::move(task), &seen));  // NOLINT: on purpose
  const std::string again = "FAILED_PRECONDITION: ttrpc: task already awaited";
  EXPECT_EQ(seen, (std::vector<std::string>{"a value", again, again, again}));
}

template <typename T>
Task<void> AwaitTwice(Task<T> task) {
  for (int i = 0; i < 2; ++i) static_cast<void>(co_await std::move(task));  // NOLINT: on purpose
}

Task<std::optional<int>> Perhaps() { co_return 1; }
Task<std::optional<Status>> PerhapsStatus() { co_return Status(); }
Task<void> Nothing() { co_return; }

// No number and no missing value says that a task was awaited before.
TEST(TaskDeathTest, AwaitedTwiceWithoutAStatusItEndsTheProgram) {
  TaskGroup group;
  EXPECT_DEATH(group.Spawn(AwaitTwice(Immediate(1))), "");
  EXPECT_DEATH(group.Spawn(AwaitTwice(Perhaps())), "");
}

TEST(TaskTest, AwaitedTwiceItMayGiveAnOptionalStatusOrNothing) {
  TaskGroup group;
  std::optional<Status> second;
  const auto store = [](std::optional<Status>* result) -> Task<void> {
    Task<std::optional<Status>> task = PerhapsStatus();
    for (int i = 0; i < 2; ++i) *result = co_await std::move(task);  // NOLINT: on purpose
  };
  group.Spawn(store(&second));
  EXPECT_EQ(second, Status(StatusCode::kFailedPrecondition, "ttrpc: task already awaited"));
  group.Spawn(AwaitTwice(Nothing()));
  EXPECT_TRUE(group.empty());
}

TEST(TaskDeathTest, AwaitedAfterItWasMovedFromItEndsTheProgram) {
  TaskGroup group;
  Task<int> number = Immediate(1);
  Task<void> nothing = Nothing();
  const Task<int> other_number = std::move(number);
  const Task<void> other_nothing = std::move(nothing);
  EXPECT_DEATH(group.Spawn(AwaitTwice(std::move(number))), "");   // NOLINT: on purpose
  EXPECT_DEATH(group.Spawn(AwaitTwice(std::move(nothing))), "");  // NOLINT: on purpose
}

Task<int> Nested(Door* door, int* alive, int depth) {
  const Counted here(alive);
  if (depth == 0) {
    co_await *door;
    co_return 7;
  }
  co_return co_await Nested(door, alive, depth - 1);
}

TEST(TaskTest, GoesOnWhereItWaitedAndHandsItsValueUp) {
  Door door;
  int alive = 0;
  std::optional<int> result;
  TaskGroup group;
  group.Spawn(Store(Nested(&door, &alive, 10), &result));
  EXPECT_EQ(alive, 11);
  EXPECT_FALSE(result);
  EXPECT_FALSE(group.empty());
  door.Open();
  EXPECT_EQ(result, 7);
  EXPECT_EQ(alive, 0);
  EXPECT_TRUE(group.empty());
}

TEST(TaskTest, DestroyedWhereItWaitsItDestroysWhatItHolds) {
  Door door;
  int alive = 0;
  std::optional<int> result;
  {
    TaskGroup group;
    group.Spawn(Store(Nested(&door, &alive, 10), &result));
    EXPECT_EQ(alive, 11);
  }
  EXPECT_EQ(alive, 0);
  EXPECT_FALSE(result);
}

TEST(TaskTest, NeverAwaitedItDestroysItsArguments) {
  int alive = 0;
  {
    const auto hold = [](Counted) -> Task<void> { co_return; };
    const Task<void> task = hold(Counted(&alive));
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

TEST(TaskGroupTest, ClearEndsAllInWhateverState) {
  std::vector<Door> doors(3);
  int alive = 0;
  std::optional<int> result;
  TaskGroup group;
  for (Door& door : doors) group.Spawn(Store(Nested(&door, &alive, 1), &result));
  doors[1].Open();
  EXPECT_EQ(alive, 4);
  group.Clear();
  EXPECT_EQ(alive, 0);
  EXPECT_TRUE(group.empty());
}

// g++ 12 copies an aggregate that is passed as a temporary in a co_await expression byte by byte,
// and destroys it twice. This test passes each type that a caller may pass, with strings too long
// to be stored in place. AddressSanitizer detects a double free.
constexpr const char* kLong = "a string that is too long for the place that a short one has";

template <typename... T>
Task<size_t> Take(T... values) {
  (static_cast<void>(values), ...);
  co_return sizeof...(values);
}

// g++ 12 does not compile braces that make an array in that place.
Status LongStatus() { return {StatusCode::kAborted, kLong, {StatusDetail(kLong, kLong)}}; }
Metadata LongMetadata() { return {{kLong, kLong}}; }

Task<void> PassTemporaries(size_t* passed) {
  *passed += co_await Take(LongStatus());
  *passed += co_await Take(StatusDetail(kLong, kLong));
  *passed += co_await Take(LongMetadata());
  *passed += co_await Take(Metadata::Entry(kLong, kLong));
  *passed += co_await Take(*Address::Parse(std::string("unix:///") + kLong));
  *passed += co_await Take(MethodInfo(kLong, kLong));
  *passed += co_await Take(Result<std::string>(std::string(kLong)));
  *passed += co_await Take(Result<std::string>(Status(StatusCode::kAborted, kLong)));
  *passed += co_await Take(std::optional<std::string>(kLong));
  *passed += co_await Take(ClientOptions());
  *passed += co_await Take(ServerOptions());
  *passed += co_await Take(ReconnectOptions());
  *passed += co_await Take(ListeningSocketOptions(*Address::Parse("unix:///x")));
  *passed += co_await Take(AcceptorCallbacks());
  *passed += co_await Take(UniqueFd());
  *passed += co_await Take(UnixCredentials());
  *passed += co_await Take(Handshaken(UniqueFd()));
  *passed += co_await Take(RequestView());
  *passed += co_await Take(ServiceDescription(kLong, nullptr, std::vector<Method>()));
}

TEST(TaskTest, TemporariesOfOurTypesMayBePassedWithinCoAwait) {
  size_t passed = 0;
  TaskGroup group;
  group.Spawn(PassTemporaries(&passed));
  EXPECT_EQ(passed, 19U);
}

}  // namespace
}  // namespace ttrpc
