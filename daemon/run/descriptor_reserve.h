// SPDX-License-Identifier: Apache-2.0
//
// DescriptorReserve: a few descriptors that peers cannot take. With them a daemon that has no
// others left can still reload, and open its log again. On the loop's thread.
#pragma once

#include <vector>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class DescriptorReserve {
 public:
  // A reload's files, folders, sockets and look-ups of names need no more at a time.
  static constexpr size_t kSize = 16;

  // `loop` must outlive it.
  explicit DescriptorReserve(ttrpc::IoLoop& loop);
  DescriptorReserve(const DescriptorReserve&) = delete;
  DescriptorReserve& operator=(const DescriptorReserve&) = delete;

  // Frees them for a second, or until TakeBack(). A peer may take them first, which is no worse
  // than having no reserve.
  void Lend();
  // Takes later what cannot be had now.
  void TakeBack();

 private:
  std::vector<ttrpc::UniqueFd> held_;
  ttrpc::Timer timer_;
};

}  // namespace proxyd
