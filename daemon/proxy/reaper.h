// SPDX-License-Identifier: Apache-2.0
//
// Reaper: destroys ended objects, the oldest first, once the callbacks of this wake-up have
// returned. One of those callbacks may be the object's own. It runs on the loop's thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"

namespace proxyd {

class Reaper {
 public:
  // `loop` must outlive the reaper. `reaped` is called after each round, when all ended objects
  // have been destroyed. It may destroy the reaper.
  Reaper(ttrpc::IoLoop& loop, std::function<void()> reaped)
      : reaped_(std::move(reaped)), timer_(loop, [this] { Reap(); }) {}
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  // Takes `dead`, an owner such as a unique_ptr. Nothing is destroyed during the call.
  template <class Owner>
  void DestroyLater(Owner dead) {
    dead_.push_back(std::make_unique<Dead<Owner>>(std::move(dead)));
    ReapSoon();
  }
  // Starts a round even if there is nothing to destroy.
  void ReapSoon() {
    if (!timer_.active()) timer_.Start(std::chrono::nanoseconds(0));
  }

 private:
  struct Ended {
    virtual ~Ended() = default;
  };
  template <class Owner>
  struct Dead final : Ended {
    explicit Dead(Owner taken) : owner(std::move(taken)) {}
    Owner owner;
  };

  void Reap() {
    std::vector<std::unique_ptr<Ended>> dead;
    dead.swap(dead_);
    for (auto& one : dead) one.reset();
    const auto reaped = reaped_;
    reaped();
  }

  std::function<void()> reaped_;
  std::vector<std::unique_ptr<Ended>> dead_;
  ttrpc::Timer timer_;
};

}  // namespace proxyd
