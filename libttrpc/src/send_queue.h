// SPDX-License-Identifier: Apache-2.0
//
// SendQueue: bytes that wait to be written, in blocks that are allocated when bytes come and freed
// when they have gone, so that an idle connection holds none. No I/O; one thread at a time.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace ttrpc {

// The blocks that the queues of one thread use in turn: bytes come and go with each wake-up, and
// blocks of this size are what an allocator is slow at.
class BlockPool {
 public:
  static constexpr size_t kBlockSize = 16U << 10;

  std::unique_ptr<char[]> Take();
  void Give(std::unique_ptr<char[]> block);
  // As many are taken as are kept. A queue that needs no whole block should do without.
  bool exhausted() const { return taken_ >= kKept; }

 private:
  // For the next wake-up, whatever a burst has used: half a MiB.
  static constexpr size_t kKept = 32;

  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t taken_ = 0;
};

class SendQueue {
 public:
  // `pool` must outlive it.
  explicit SendQueue(BlockPool& pool) : pool_(pool) {}
  ~SendQueue() { Clear(); }
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;

  // The place of the next `n` bytes, which the caller writes there before any other call.
  char* Extend(size_t n);

  // Fills `parts` with the front of the queue, and returns how many of them it used.
  size_t Gather(std::span<iovec> parts) const;
  // The first `n` bytes have gone.
  void Consume(size_t n);
  void Clear();

  size_t size() const { return size_; }
  // Bytes of memory in which they are: more than they are themselves.
  size_t held() const { return held_; }
  bool empty() const { return size_ == 0; }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
    size_t capacity = 0;
  };

  void Add(size_t n);
  void Free(Block* block);

  BlockPool& pool_;
  std::vector<Block> blocks_;
  size_t first_ = 0;  // the first block that has bytes to go
  size_t sent_ = 0;   // of that block
  size_t size_ = 0;
  size_t held_ = 0;
};

}  // namespace ttrpc
