// SPDX-License-Identifier: Apache-2.0
//
// MessageDecoder: a stream of bytes -> messages. No I/O; one thread at a time.
//
// For programs that read messages themselves, as proxies do: may change in any release.
//
// It holds bytes only while a message is incomplete: nothing between messages, up to 10 bytes of a
// header, then the part of the data that has come, in a buffer that grows with what was received,
// not with what was announced.
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

// The status that refuses a message of `length` bytes of data, in Go's words: RESOURCE_EXHAUSTED
// `message length N exceed maximum message size of M`.
Status MessageTooLong(size_t length, size_t limit);

class MessageDecoder {
 public:
  // Data of more than `message_size` bytes (at most kMaxMessageSize) is discarded as it comes.
  // Nothing is allocated here.
  explicit MessageDecoder(uint32_t message_size) : message_size_(message_size) {}
  // Holds for messages whose header has not come yet.
  void SetMessageSize(uint32_t message_size) { message_size_ = message_size; }

  enum class Event {
    kNeedMore,   // all of the input was taken; there is no whole message
    kMessage,    // header and data
    kOversized,  // header only: the data was longer than allowed, and all of it was discarded
    kMalformed,  // the header's reserved byte is not zero: no message can be found from here on
  };

  struct Decoded {
    Event event = Event::kNeedMore;
    MessageHeader header;
    // Points into the input, or into the decoder: valid until either is used again.
    std::string_view data;
  };

  // Takes up to one message from the front of `input`, which is moved past what was taken. After
  // kMalformed the decoder gives nothing else.
  Decoded Next(std::string_view* input);

  // The beginning of a message has come, and its end has not.
  bool partial() const { return header_size_ > 0; }

  // Bytes of memory in which data is kept, which may be more than has come.
  size_t held() const { return capacity_; }

  // Frees the memory. Data that Next() returned goes with it, and the rest of an incomplete message
  // is lost: call this when the stream is no longer read.
  void Clear();

  // Returns where the rest of an incomplete message may be received directly, sparing a copy: empty
  // unless data of a message is missing. The memory is the decoder's, and valid until its next
  // call.
  std::span<char> Tail();
  // Tells the decoder that the first `n` bytes of Tail() were filled, before the next Next().
  void Commit(size_t n);

 private:
  bool TakeHeader(std::string_view* input);
  Decoded TakeData(std::string_view* input);
  Decoded Discard(std::string_view* input);
  void Reserve(size_t wanted);
  Decoded Finish(Event event, std::string_view data);

  uint32_t message_size_;
  uint32_t header_size_ = 0;  // bytes of header_bytes_ that have come
  uint32_t data_size_ = 0;    // bytes of the data that have come, or that were discarded
  uint32_t capacity_ = 0;
  std::array<char, kMessageHeaderLength> header_bytes_;
  std::unique_ptr<char[]> data_;
  bool too_long_ = false;  // the message at hand: its data is discarded
  bool malformed_ = false;
  bool delivered_ = false;  // data_ was given out and goes at the next call
};

}  // namespace ttrpc
