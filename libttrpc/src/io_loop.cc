// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/io_loop.h"

#include <event2/event.h>

#include <algorithm>

#include "ttrpc/connection.h"

namespace ttrpc {

void EventDeleter::operator()(event* e) const { event_free(e); }

template <void (Connection::*Run)()>
void IoLoop::RunAll(std::vector<Connection*>* waiting, std::vector<Connection*>* running) {
  running->swap(*waiting);
  for (Connection*& entry : *running) {
    Connection* connection = entry;
    if (connection == nullptr) continue;
    entry = nullptr;
    (connection->*Run)();
  }
  running->clear();
}

IoLoop::IoLoop(event_base* base)
    : base_(base), read_buffer_(std::make_unique_for_overwrite<char[]>(kReadBufferSize)) {
  // Made active by hand, this one runs behind all that the same wake-up found ready.
  flush_event_.reset(event_new(
      base, -1, 0,
      [](evutil_socket_t, short, void* self) {
        auto* loop = static_cast<IoLoop*>(self);
        RunAll<&Connection::Flush>(&loop->to_flush_, &loop->flushing_);
      },
      this));
  // A timer of no time, unlike that, lets the loop look for sockets that became ready meanwhile.
  resume_event_.reset(event_new(
      base, -1, 0,
      [](evutil_socket_t, short, void* self) {
        auto* loop = static_cast<IoLoop*>(self);
        RunAll<&Connection::Resume>(&loop->to_resume_, &loop->resuming_);
      },
      this));
}

IoLoop::~IoLoop() = default;

void IoLoop::ScheduleFlush(Connection* connection) {
  if (to_flush_.empty()) event_active(flush_event_.get(), EV_TIMEOUT, 0);
  to_flush_.push_back(connection);
}

void IoLoop::ScheduleResume(Connection* connection) {
  if (to_resume_.empty()) {
    const timeval now = {};
    event_add(resume_event_.get(), &now);
  }
  to_resume_.push_back(connection);
}

void IoLoop::Forget(const Connection* connection) {
  for (auto* list : {&to_flush_, &flushing_, &to_resume_, &resuming_}) {
    std::replace(list->begin(), list->end(), const_cast<Connection*>(connection),
                 static_cast<Connection*>(nullptr));
  }
}

}  // namespace ttrpc
