// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/send_queue.h"

#include <algorithm>
#include <utility>

namespace ttrpc {

namespace {
// One wake-up of a connection with few calls fits the first block; a busy one goes on in larger
// ones.
constexpr size_t kFirstBlock = 4U << 10;
constexpr size_t kBlock = 16U << 10;
// More entries than this are not kept by an empty queue.
constexpr size_t kKeptBlocks = 16;
}  // namespace

char* SendQueue::Extend(size_t n) {
  if (blocks_.empty() || blocks_.back().capacity - blocks_.back().size < n) {
    const size_t capacity = std::max(n, blocks_.empty() ? kFirstBlock : kBlock);
    blocks_.push_back({.bytes = std::make_unique_for_overwrite<char[]>(capacity),
                       .size = 0,
                       .capacity = capacity});
  }
  Block& block = blocks_.back();
  char* place = block.bytes.get() + block.size;
  block.size += n;
  size_ += n;
  return place;
}

size_t SendQueue::Gather(std::span<iovec> parts) const {
  size_t used = 0;
  size_t skip = sent_;
  for (size_t i = first_; i < blocks_.size() && used < parts.size(); ++i) {
    parts[used++] = {.iov_base = blocks_[i].bytes.get() + skip, .iov_len = blocks_[i].size - skip};
    skip = 0;
  }
  return used;
}

void SendQueue::Consume(size_t n) {
  size_ -= n;
  if (size_ == 0) {
    Clear();
    return;
  }
  while (n >= blocks_[first_].size - sent_) {
    n -= blocks_[first_].size - sent_;
    blocks_[first_].bytes.reset();
    ++first_;
    sent_ = 0;
  }
  sent_ += n;
  // A queue that never empties must not keep the entries of all the blocks it ever had.
  if (first_ >= kKeptBlocks && first_ * 2 >= blocks_.size()) {
    blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void SendQueue::Clear() {
  if (blocks_.capacity() > kKeptBlocks) {
    std::vector<Block>().swap(blocks_);
  } else {
    blocks_.clear();
  }
  first_ = sent_ = size_ = 0;
}

}  // namespace ttrpc
