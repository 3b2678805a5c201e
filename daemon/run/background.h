// SPDX-License-Identifier: Apache-2.0
//
// Background: runs work that may block, on a disk or on the user database, on a thread of its own,
// and passes the result back to the loop. Everything but Work::Do() runs on the loop's thread.
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
    virtual void Do() = 0;  // runs on the other thread
    // Runs on the loop's thread after Do(), unless the Background was destroyed meanwhile.
    virtual void Finish() = 0;
  };

  // `base` must outlive this object.
  explicit Background(event_base* base);
  // Does not wait for the thread; its result is dropped.
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Must not be called while busy(). If a resource is missing, the error names it and `work` does
  // not run.
  ttrpc::Status Run(std::unique_ptr<Work> work);
  bool busy() const { return static_cast<bool>(result_); }

 private:
  void Receive();

  event_base* base_;
  // The pipe through which the thread passes its work back; open while busy().
  ttrpc::UniqueFd result_;
  ttrpc::EventPtr event_;
};

}  // namespace proxyd
