// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/send_queue.h"

#include <algorithm>
#include <utility>

namespace ttrpc {

namespace {
// Kept for the next wake-up, whatever a burst has used: half a MiB.
constexpr size_t kPooledBlocks = 32;
// More entries than this are not kept by an empty queue.
constexpr size_t kKeptBlocks = 16;
}  // namespace

std::unique_ptr<char[]> BlockPool::Take() {
  if (blocks_.empty()) return std::make_unique_for_overwrite<char[]>(kBlockSize);
  std::unique_ptr<char[]> block = std::move(blocks_.back());
  blocks_.pop_back();
  return block;
}

void BlockPool::Give(std::unique_ptr<char[]> block) {
  if (blocks_.size() < kPooledBlocks) blocks_.push_back(std::move(block));
}

char* SendQueue::Extend(size_t n) {
  if (blocks_.empty() || blocks_.back().capacity - blocks_.back().size < n) {
    const bool pooled = n <= BlockPool::kBlockSize;
    Block& added = blocks_.emplace_back();
    added.bytes = pooled ? pool_.Take() : std::make_unique_for_overwrite<char[]>(n);
    added.capacity = pooled ? BlockPool::kBlockSize : n;
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
    Free(&blocks_[first_]);
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

void SendQueue::Free(Block* block) {
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
