// SPDX-License-Identifier: Apache-2.0
//
// Faults: makes system calls of a daemon fail. One thread.
#pragma once

#include <string>
#include <vector>

#include "support/fault_page.h"

namespace integration {

using test::FaultBit;
using test::FaultCall;

struct Fault {
  uint32_t calls = 0;  // bits, see FaultBit()
  int error = 0;       // errno; if 0, the call handles at most `most` bytes
  uint32_t most = 1;
  uint32_t first = 1;  // the first call that fails, counted from now on
  uint32_t every = 0;  // the interval of later failures; 0 if there are none
};

class Faults {
 public:
  // `path` names a file to make.
  explicit Faults(const std::string& path);
  ~Faults();
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  // The daemon must be started with this environment.
  std::vector<std::string> environment() const;

  void Arm(const Fault& fault);
  void Disarm();
  // How many of these calls there were since Arm(), and how many failed.
  uint32_t seen() const { return page_->seen; }
  uint32_t fired() const { return page_->fired; }

 private:
  const std::string path_;
  test::FaultPage* page_ = nullptr;
};

}  // namespace integration
