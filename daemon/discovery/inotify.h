// SPDX-License-Identifier: Apache-2.0
//
// Inotify: watches directories, each for any number of watchers. One inode has one watch of the
// kernel, whatever its names are. Events are read when the caller says so, and are lost if too many
// of them wait; Read() reports that. On one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class Inotify {
 public:
  struct Event {
    uint32_t mask = 0;           // IN_CREATE and so on
    std::string_view name = {};  // a file in the directory; empty: the directory itself

    bool IsEndOfDirectory() const;  // it was moved, deleted, or is not watched any more
    bool IsRemoval() const;         // the name was moved away or deleted
  };

  class Watcher {
   public:
    // Must neither add nor remove a watch.
    virtual void OnEvent(const Event& event) = 0;

   protected:
    ~Watcher() = default;
  };

  // Destroying it ends the watch. The Inotify must outlive it.
  class Watch {
   public:
    Watch() = default;
    Watch(Watch&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), number_(other.number_), id_(other.id_) {}
    Watch& operator=(Watch&& other) noexcept;
    ~Watch();
    explicit operator bool() const { return owner_ != nullptr; }

   private:
    friend class Inotify;
    Watch(Inotify* owner, int number, uint64_t id) : owner_(owner), number_(number), id_(id) {}

    Inotify* owner_ = nullptr;
    int number_ = -1;  // the kernel's
    uint64_t id_ = 0;
  };

  static ttrpc::Result<std::unique_ptr<Inotify>> Create();
  Inotify(const Inotify&) = delete;
  Inotify& operator=(const Inotify&) = delete;

  // Watches an open directory, which may be an O_PATH descriptor. `watcher` must outlive the watch.
  // Returns RESOURCE_EXHAUSTED if the user has too many watches, else the error of the system call.
  ttrpc::Result<Watch> Add(int directory, Watcher& watcher);

  // Passes on all events that wait, or a large part of them. Returns false if some were lost.
  [[nodiscard]] bool Read();

  int fd() const { return file_.get(); }  // readable if an event waits

 private:
  struct Entry {
    uint64_t id;
    Watcher* watcher;
  };

  explicit Inotify(ttrpc::UniqueFd file) : file_(std::move(file)) {}
  void Remove(int number, uint64_t id);
  void Dispatch(int number, const Event& event);

  ttrpc::UniqueFd file_;
  std::unordered_map<int, std::vector<Entry>> watchers_;  // by the kernel's number
  uint64_t last_id_ = 0;
};

}  // namespace proxyd
