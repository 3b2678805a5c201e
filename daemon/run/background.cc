// SPDX-License-Identifier: Apache-2.0
#include "run/background.h"

#include <event2/event.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "observe/blocked_signals.h"

namespace proxyd {

namespace {

// The thread owns both arguments, since the Background may be destroyed before it ends.
void WorkAndSend(std::unique_ptr<Background::Work> work, const ttrpc::UniqueFd& result) {
  work->Do();
  void* const pointer = work.get();
  ssize_t written = 0;
  do {
    written = ::write(result.get(), &pointer, sizeof pointer);
  } while (written < 0 && errno == EINTR);
  if (written == sizeof pointer) static_cast<void>(work.release());  // the receiver owns it
}

}  // namespace

Background::Background(event_base* base) : base_(base) {}

Background::~Background() = default;

ttrpc::Status Background::Run(std::unique_ptr<Work> work) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return ttrpc::ErrnoStatus(errno, "a pipe");
  result_.reset(ends[0]);
  ttrpc::UniqueFd thread_end(ends[1]);
  event_.reset(event_new(
      base_, result_.get(), EV_READ,
      [](evutil_socket_t, short, void* self) { static_cast<Background*>(self)->Receive(); }, this));
  int error = event_add(event_.get(), nullptr) == 0 ? 0 : ENOMEM;
  if (error == 0) {
    const BlockedSignals blocked;
    try {
      std::thread([work = std::move(work), end = std::move(thread_end)]() mutable {
        WorkAndSend(std::move(work), end);
      }).detach();
    } catch (const std::system_error& failure) {
      error = failure.code().value();
    }
  }
  if (error == 0) return {};
  event_.reset();
  result_.reset();
  return ttrpc::ErrnoStatus(error, "a thread");
}

void Background::Receive() {
  void* pointer = nullptr;
  const ssize_t count = ::read(result_.get(), &pointer, sizeof pointer);
  event_.reset();
  result_.reset();
  if (count != sizeof pointer) return;
  const std::unique_ptr<Work> work(static_cast<Work*>(pointer));
  work->Finish();
}

}  // namespace proxyd
