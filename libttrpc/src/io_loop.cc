// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/io_loop.h"

#include <event2/event.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "io_loop_core.h"
#include "ttrpc/wire/connection.h"

namespace ttrpc {

namespace {
constexpr auto kLongestWakeUp = std::chrono::milliseconds(10);
// The unit is that of ConnectionTurn::left.
constexpr int kBetweenLooksAtTheClock = 64;
}  // namespace

void EventDeleter::operator()(event* e) const { event_free(e); }

template <void (Connection::*Run)()>
void IoLoopCore::RunAll(std::vector<Connection*>* waiting, std::vector<Connection*>* running) {
  running->swap(*waiting);
  for (Connection*& entry : *running) {
    Connection* connection = entry;
    if (connection == nullptr) continue;
    entry = nullptr;
    (connection->*Run)();
  }
  running->clear();
}

IoLoopCore::IoLoopCore(IoLoop& loop)
    : loop_(loop),
      ends_(::epoll_create1(EPOLL_CLOEXEC)),
      read_buffer_(std::make_unique_for_overwrite<char[]>(kReadBufferSize)) {
  // event_active() runs this event after all sockets that the same wake-up found ready.
  flush_event_.reset(event_new(
      loop.base(), -1, 0,
      [](evutil_socket_t, short, void* self) {
        auto* core = static_cast<IoLoopCore*>(self);
        ++core->loop_.wake_up_;
        RunAll<&Connection::Flush>(&core->to_flush_, &core->flushing_);
      },
      this));
  // This event is a timer without delay instead, so that the loop first looks for sockets that have
  // become ready.
  resume_event_.reset(event_new(
      loop.base(), -1, 0,
      [](evutil_socket_t, short, void* self) {
        auto* core = static_cast<IoLoopCore*>(self);
        // If nothing was sent, only this line counts the wake-up.
        ++core->loop_.wake_up_;
        RunAll<&Connection::Resume>(&core->to_resume_, &core->resuming_);
      },
      this));
  woken_event_.reset(event_new(
      loop.base(), -1, 0,
      [](evutil_socket_t, short, void* self) { static_cast<IoLoopCore*>(self)->ResumeWoken(); },
      this));
  if (!flush_event_ || !resume_event_ || !woken_event_) std::abort();
  if (!ends_) return;
  ends_event_.reset(event_new(
      loop.base(), ends_.get(), EV_READ | EV_PERSIST,
      [](evutil_socket_t ends, short, void*) {
        // One event at a time, because handling one may close the connections of others.
        epoll_event end;
        while (::epoll_wait(ends, &end, 1, 0) == 1) {
          static_cast<Connection*>(end.data.ptr)->EndSeen();
        }
      },
      nullptr));
  event_add(ends_event_.get(), nullptr);
}

bool IoLoopCore::LongEnough() {
  if (long_wake_up_ == loop_.wake_up_) return true;
  const IoLoop::TimePoint begin = loop_.Now();
  if (handed_out_ < kBetweenLooksAtTheClock) return false;
  handed_out_ = 0;
  if (loop_.clock_() - begin < kLongestWakeUp) return false;
  long_wake_up_ = loop_.wake_up_;
  return true;
}

void IoLoopCore::ScheduleWoken(Waiter* waiter) {
  if (woken_.alone()) event_active(woken_event_.get(), EV_TIMEOUT, 0);
  woken_.InsertBefore(waiter);
}

void IoLoopCore::ResumeWoken() {
  // Waiters that are woken meanwhile are resumed in the next round.
  RingNode now;
  if (woken_.alone()) return;
  woken_.InsertBefore(&now);
  woken_.Leave();
  while (!now.alone()) {
    auto* const waiter = static_cast<Waiter*>(now.next);
    waiter->Leave();
    std::exchange(waiter->coroutine_, nullptr).resume();
  }
}

void IoLoopCore::EndWakeUp() { event_active(flush_event_.get(), EV_TIMEOUT, 0); }

void IoLoopCore::ScheduleFlush(Connection* connection) {
  if (to_flush_.empty()) EndWakeUp();
  to_flush_.push_back(connection);
}

void IoLoopCore::ScheduleResume(Connection* connection) {
  if (to_resume_.empty()) {
    const timeval now = {};
    event_add(resume_event_.get(), &now);
  }
  to_resume_.push_back(connection);
}

ConnectionTurn* IoLoopCore::JoinGroup(uint64_t group) {
  ConnectionTurn& turn = groups_[group];
  ++turn.connections;
  return &turn;
}

void IoLoopCore::LeaveGroup(uint64_t group) {
  const auto found = groups_.find(group);
  if (--found->second.connections != 0) return;
  if (last_turn_ == &found->second) last_turn_.reset();
  groups_.erase(found);
}

ConnectionTurn* IoLoopCore::FindGroup(uint64_t group) {
  const auto found = groups_.find(group);
  return found != groups_.end() ? &found->second : nullptr;
}

void IoLoopCore::Unpark(ConnectionTurn* turn) {
  while (!turn->parked.alone())
    static_cast<Connection::ParkedNode*>(turn->parked.next)->owner->Unpark();
}

void IoLoopCore::AwaitEnd(Connection* connection) {
  epoll_event end = {.events = EPOLLRDHUP, .data = {.ptr = connection}};
  ::epoll_ctl(ends_.get(), EPOLL_CTL_ADD, connection->fd(), &end);
}

void IoLoopCore::ForgetEnd(const Connection* connection) {
  ::epoll_ctl(ends_.get(), EPOLL_CTL_DEL, connection->fd(), nullptr);
}

void IoLoopCore::Forget(const Connection* connection) {
  for (auto* list : {&to_flush_, &flushing_, &to_resume_, &resuming_}) {
    std::replace(list->begin(), list->end(), const_cast<Connection*>(connection),
                 static_cast<Connection*>(nullptr));
  }
}

// The loop.

IoLoop::IoLoop(event_base* base, Clock clock)
    : base_(base), clock_(clock), core_(std::make_unique<IoLoopCore>(*this)) {}

IoLoop::~IoLoop() = default;

void IoLoop::ReadClock() {
  now_ = clock_();
  now_of_ = wake_up_;
  // The wake-up gets an end even if nothing is sent.
  core_->EndWakeUp();
}

void IoLoop::HoldGroup(uint64_t group) {
  if (ConnectionTurn* turn = core_->FindGroup(group)) turn->held = true;
}

void IoLoop::ReleaseGroup(uint64_t group) {
  ConnectionTurn* const turn = core_->FindGroup(group);
  if (turn == nullptr) return;
  turn->held = false;
  IoLoopCore::Unpark(turn);
}

void Waiter::Wake() {
  if (coroutine_ != nullptr && alone()) loop_.core_->ScheduleWoken(this);
}

}  // namespace ttrpc
