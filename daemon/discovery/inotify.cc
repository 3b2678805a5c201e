// SPDX-License-Identifier: Apache-2.0
#include "discovery/inotify.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

namespace proxyd {

using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

// A chmod may make a file acceptable. Watchers of one directory may have asked for other events.
constexpr uint32_t kMask = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE |
                           IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

constexpr size_t kReadBytes = size_t{64} << 10;
constexpr int kMostReads = 64;  // in one call of Read()

}  // namespace

bool Inotify::Event::IsEndOfDirectory() const {
  return (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) != 0;
}

bool Inotify::Event::IsRemoval() const { return (mask & (IN_MOVED_FROM | IN_DELETE)) != 0; }

Inotify::Watch& Inotify::Watch::operator=(Watch&& other) noexcept {
  if (this == &other) return *this;
  if (owner_ != nullptr) owner_->Remove(number_, id_);
  owner_ = std::exchange(other.owner_, nullptr);
  number_ = other.number_;
  id_ = other.id_;
  return *this;
}

Inotify::Watch::~Watch() {
  if (owner_ != nullptr) owner_->Remove(number_, id_);
}

Result<std::unique_ptr<Inotify>> Inotify::Create() {
  ttrpc::UniqueFd file(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!file) {
    const int error = errno;
    if (error == EMFILE) {
      return Status(StatusCode::kResourceExhausted,
                    "inotify: too many open files, or fs.inotify.max_user_instances is reached");
    }
    return ttrpc::ErrnoStatus(error, "inotify");
  }
  return std::unique_ptr<Inotify>(new Inotify(std::move(file)));
}

Result<Inotify::Watch> Inotify::Add(int directory, Watcher& watcher) {
  // The call takes a path only. This one names what is open, wherever its names lead by now.
  const std::string path = "/proc/self/fd/" + std::to_string(directory);
  const int number = ::inotify_add_watch(file_.get(), path.c_str(), kMask);
  if (number < 0) {
    if (errno == ENOSPC) {
      return Status(StatusCode::kResourceExhausted,
                    "no inotify watch is left; raise fs.inotify.max_user_watches");
    }
    return ttrpc::ErrnoStatus(errno, "cannot be watched");
  }
  const uint64_t id = ++last_id_;
  watchers_[number].push_back({id, &watcher});
  return Watch(this, number, id);
}

void Inotify::Remove(int number, uint64_t id) {
  const auto found = watchers_.find(number);
  if (found == watchers_.end()) return;  // the kernel has removed it
  std::erase_if(found->second, [id](const Entry& entry) { return entry.id == id; });
  if (!found->second.empty()) return;
  watchers_.erase(found);
  ::inotify_rm_watch(file_.get(), number);  // fails if the directory is gone, and with it the watch
}

bool Inotify::Read() {
  alignas(inotify_event) char buffer[kReadBytes];
  bool complete = true;
  for (int i = 0; i < kMostReads; ++i) {
    ssize_t count = 0;
    do {
      count = ::read(file_.get(), buffer, sizeof buffer);
    } while (count < 0 && errno == EINTR);
    if (count <= 0) break;  // EAGAIN: none waits
    const auto end = static_cast<size_t>(count);
    for (size_t at = 0; at + sizeof(inotify_event) <= end;) {
      inotify_event head;
      std::memcpy(&head, buffer + at, sizeof head);
      const char* const name = buffer + at + sizeof head;
      at += sizeof head + head.len;
      if ((head.mask & IN_Q_OVERFLOW) != 0) {
        complete = false;
        continue;
      }
      // The name is padded with NUL bytes.
      Dispatch(head.wd, {.mask = head.mask, .name = {name, ::strnlen(name, head.len)}});
    }
  }
  return complete;
}

void Inotify::Dispatch(int number, const Event& event) {
  const auto found = watchers_.find(number);
  if (found == watchers_.end()) return;  // an event from before the watch was removed
  for (const Entry& entry : found->second) entry.watcher->OnEvent(event);
  // The kernel has removed the watch, and may give its number to another one.
  if ((event.mask & IN_IGNORED) != 0) watchers_.erase(found);
}

}  // namespace proxyd
