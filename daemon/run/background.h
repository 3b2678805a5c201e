// SPDX-License-Identifier: Apache-2.0
//
// Background: runs work that may block, on a disk or on the user database, on a thread of its own,
// and returns to the loop with the result. All but Work::Do() is on the loop's thread.
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
    virtual void Finish() = 0;  // on the loop, after Do(); never once the Background is gone
  };

  // `base` must outlive it.
  explicit Background(event_base* base);
  // Does not wait for the thread, whose result is dropped.
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Takes the work. Must not be called while it is busy. An error says which resource is missing;
  // then nothing runs, and the work stays the caller's.
  ttrpc::Status Run(std::unique_ptr<Work>* work);
  bool busy() const { return static_cast<bool>(result_); }

 private:
  void Receive();

  event_base* base_;
  // The pipe through which the thread returns its work; open while it is busy.
  ttrpc::UniqueFd result_;
  ttrpc::EventPtr event_;
};

}  // namespace proxyd
