// SPDX-License-Identifier: Apache-2.0
#include "send_queue.h"

#include <algorithm>
#include <utility>

namespace ttrpc {

namespace {
// When the pool is exhausted, a queue starts with a small block, and each further one is four times
// as large. Thousands of connections that get a short message in one wake-up then touch this much
// memory each, instead of a whole block. With glibc's overhead it is a round number.
constexpr size_t kSmallBlock = 248;
constexpr size_t kGrowth = 4;
// An empty queue keeps no more entries than this.
constexpr size_t kKeptBlocks = 16;
}  // namespace

std::unique_ptr<char[]> BlockPool::Take() {
  ++taken_;
  if (blocks_.empty()) return std::make_unique_for_overwrite<char[]>(kBlockSize);
  std::unique_ptr<char[]> block = std::move(blocks_.back());
  blocks_.pop_back();
  return block;
}

void BlockPool::Give(std::unique_ptr<char[]> block) {
  --taken_;
  if (blocks_.size() < kKept) blocks_.push_back(std::move(block));
}

void SendQueue::Add(size_t n) {
  size_t capacity = BlockPool::kBlockSize;
  if (pool_.exhausted()) {
    capacity =
        std::min(capacity, blocks_.empty() ? kSmallBlock : blocks_.back().capacity * kGrowth);
  }
  capacity = std::max(capacity, n);
  Block& added = blocks_.emplace_back();
  added.bytes = capacity == BlockPool::kBlockSize
                    ? pool_.Take()
                    : std::make_unique_for_overwrite<char[]>(capacity);
  added.capacity = capacity;
  held_ += capacity;
}

char* SendQueue::Extend(size_t n) {
  if (blocks_.empty() || blocks_.back().capacity - blocks_.back().size < n) Add(n);
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
    Free(&blocks_[first_]);
    ++first_;
    sent_ = 0;
  }
  sent_ += n;
  // A queue that never becomes empty must not keep the entries of all the blocks that it ever had.
  if (first_ >= kKeptBlocks && first_ * 2 >= blocks_.size()) {
    blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void SendQueue::Free(Block* block) {
  held_ -= block->capacity;
  if (block->capacity == BlockPool::kBlockSize && block->bytes) pool_.Give(std::move(block->bytes));
  block->bytes.reset();
}

void SendQueue::Clear() {
  for (size_t i = first_; i < blocks_.size(); ++i) Free(&blocks_[i]);
  if (blocks_.capacity() > kKeptBlocks) {
    std::vector<Block>().swap(blocks_);
  } else {
    blocks_.clear();
  }
  first_ = sent_ = size_ = 0;
}

}  // namespace ttrpc
