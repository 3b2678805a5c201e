// SPDX-License-Identifier: Apache-2.0
//
// Background: does what may take long, or may wait for a disk or the user database, on a thread of
// its own, and goes on with the result on the loop. On the loop's thread.
#pragma once

#include <memory>

#include "ttrpc/io_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class Background {
 public:
  class Work {
   public:
    virtual ~Work() = default;
    virtual void Do() = 0;      // on the thread
    virtual void Finish() = 0;  // on the loop, after it; never if the Background is gone by then
  };

  // `base` must outlive it.
  explicit Background(event_base* base);
  // The thread is left to itself; its result is dropped.
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // One at a time: not while it is busy. The error says what there is too little of; then nothing
  // happens.
  ttrpc::Status Run(std::unique_ptr<Work> work);
  bool busy() const { return static_cast<bool>(result_); }

 private:
  void Receive();

  event_base* base_;
  // While it is busy: a pipe through which the thread gives away what it has made.
  ttrpc::UniqueFd result_;
  ttrpc::EventPtr event_;
};

}  // namespace proxyd
