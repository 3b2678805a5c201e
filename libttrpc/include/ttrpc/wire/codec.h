// SPDX-License-Identifier: Apache-2.0
//
// MessageDecoder: splits a stream of bytes into messages. It does no I/O. One thread at a time may
// use it.
//
// This header is for programs that read messages themselves, such as proxies. It may change in any
// release.
//
// The decoder buffers bytes only while a message is incomplete: up to 10 bytes of a header, then
// the received part of the data. The buffer grows with the bytes that were received, not with the
// length that the header announces.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "ttrpc/status.h"
#include "ttrpc/wire/message.h"

namespace ttrpc {

// Returns the status that refuses a message with `length` bytes of data, in Go's words:
// RESOURCE_EXHAUSTED `message length N exceed maximum message size of M`.
Status MessageTooLong(size_t length, size_t limit);

class MessageDecoder {
 public:
  // Discards data of more than `message_size` bytes (at most kMaxMessageSize) as it arrives. The
  // constructor allocates nothing.
  explicit MessageDecoder(uint32_t message_size) : message_size_(message_size) {}
  // Sets the limit for messages whose header is not yet complete.
  void SetMessageSize(uint32_t message_size) { message_size_ = message_size; }

  enum class Event {
    kNeedMore,   // all input was consumed, and no message is complete
    kMessage,    // header and data
    kOversized,  // header only: the data was too long, and all of it was discarded
    kMalformed,  // the header's reserved byte is not zero: the stream cannot be decoded further
  };

  struct Decoded {
    Event event = Event::kNeedMore;
    MessageHeader header;
    // Points into the input or into the decoder. Valid until either is used again.
    std::string_view data;
  };

  // Consumes at most one message from the front of `input`, which then begins after it. Once it has
  // returned kMalformed, the decoder returns nothing else.
  Decoded Next(std::string_view* input);

  // Returns true if the last message is incomplete.
  bool partial() const { return header_size_ > 0; }

  // Returns the bytes of memory allocated for data, which may be more than were received.
  size_t held() const { return capacity_; }

  // Frees the memory, including data that Next() returned, and drops an incomplete message. Call
  // this when the stream is no longer read.
  void Clear();

  // Returns memory into which the missing data of an incomplete message can be received without a
  // copy. Empty if no data is missing. The decoder owns the memory, which is valid until the next
  // call.
  std::span<char> Tail();
  // Reports that the first `n` bytes of Tail() were filled. Call this before the next Next().
  void Commit(size_t n);

 private:
  bool TakeHeader(std::string_view* input);
  Decoded TakeData(std::string_view* input);
  Decoded Discard(std::string_view* input);
  void Reserve(size_t wanted);
  Decoded Finish(Event event, std::string_view data);

  uint32_t message_size_;
  uint32_t header_size_ = 0;  // bytes received so far
  uint32_t data_size_ = 0;    // bytes received or discarded so far
  uint32_t capacity_ = 0;
  std::array<char, kMessageHeaderLength> header_bytes_;
  std::unique_ptr<char[]> data_;
  bool too_long_ = false;  // the data of the current message is discarded
  bool malformed_ = false;
  bool delivered_ = false;  // data_ was returned, and is freed at the next call
};

}  // namespace ttrpc
