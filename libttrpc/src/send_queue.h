// SPDX-License-Identifier: Apache-2.0
//
// SendQueue: bytes to be written, in blocks that are allocated when bytes are queued and freed when
// they are sent, so that an idle connection holds none. No I/O; one thread at a time may use it.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace ttrpc {

// A cache of blocks for the queues of one thread. Queues need blocks in each wake-up, and
// allocators are slow for blocks of this size.
class BlockPool {
 public:
  static constexpr size_t kBlockSize = 16U << 10;

  std::unique_ptr<char[]> Take();
  void Give(std::unique_ptr<char[]> block);
  // Returns true if as many blocks are in use as the pool keeps. A queue that does not need a whole
  // block should then do without.
  bool exhausted() const { return taken_ >= kKept; }

 private:
  // Half a MiB is kept for the next wake-up, however much a burst has used.
  static constexpr size_t kKept = 32;

  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t taken_ = 0;
};

class SendQueue {
 public:
  // `pool` must outlive the queue.
  explicit SendQueue(BlockPool& pool) : pool_(pool) {}
  ~SendQueue() { Clear(); }
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;

  // Returns the place for the next `n` bytes. The caller writes them before any other call.
  char* Extend(size_t n);

  // Fills `parts` with the front of the queue and returns how many of them are used.
  size_t Gather(std::span<iovec> parts) const;
  // Removes the first `n` bytes, which were sent.
  void Consume(size_t n);
  void Clear();

  size_t size() const { return size_; }
  // Returns the bytes of memory allocated, which is at least size().
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
  size_t first_ = 0;  // the first block with bytes to send
  size_t sent_ = 0;   // bytes of that block
  size_t size_ = 0;
  size_t held_ = 0;
};

}  // namespace ttrpc
