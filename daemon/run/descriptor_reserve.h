// SPDX-License-Identifier: Apache-2.0
//
// DescriptorReserve: holds a few descriptors that peers cannot take. A daemon that has no others
// left can still reload with them, and open its log again. On the loop's thread.
#pragma once

#include <vector>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class DescriptorReserve {
 public:
  // A reload needs no more at a time for its files, directories, sockets and name lookups.
  static constexpr size_t kSize = 16;

  // `loop` must outlive the reserve.
  explicit DescriptorReserve(ttrpc::IoLoop& loop);
  DescriptorReserve(const DescriptorReserve&) = delete;
  DescriptorReserve& operator=(const DescriptorReserve&) = delete;

  // Frees the descriptors for a second, or until TakeBack(). A peer may take them first, which is
  // no worse than having no reserve.
  void Lend();
  // Reserves descriptors again. Where too few are free now, a timer tries again later.
  void TakeBack();

 private:
  std::vector<ttrpc::UniqueFd> held_;
  ttrpc::Timer timer_;
};

}  // namespace proxyd
