// SPDX-License-Identifier: Apache-2.0
//
// Faults: which system calls of a daemon fail. One thread.
#pragma once

#include <string>
#include <vector>

#include "support/fault_page.h"

namespace integration {

using test::FaultBit;
using test::FaultCall;

struct Fault {
  uint32_t calls = 0;  // FaultBit()s
  int error = 0;       // errno's number; 0: short, `most` bytes at most
  uint32_t most = 1;
  uint32_t first = 1;  // of these calls, from now on
  uint32_t every = 0;  // and then each so many; 0: no other
};

class Faults {
 public:
  // `path`: of a file that is to be made.
  explicit Faults(const std::string& path);
  ~Faults();
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  // For the daemon to be started with.
  std::vector<std::string> environment() const;

  void Arm(const Fault& fault);
  void Disarm();
  // Of these calls, since Arm().
  uint32_t seen() const { return page_->seen; }
  uint32_t fired() const { return page_->fired; }

 private:
  const std::string path_;
  test::FaultPage* page_ = nullptr;
};

}  // namespace integration
