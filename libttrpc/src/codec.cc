// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/codec.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace ttrpc {

namespace {
// The size of the first buffer for an incomplete message; it then doubles. This is the cost of a
// peer that announces 4 MiB and sends one byte.
constexpr size_t kFirstCapacity = 64U << 10;
}  // namespace

Status MessageTooLong(size_t length, size_t limit) {
  return {StatusCode::kResourceExhausted, "message length " + std::to_string(length) +
                                              " exceed maximum message size of " +
                                              std::to_string(limit)};
}

MessageDecoder::Decoded MessageDecoder::Next(std::string_view* input) {
  if (delivered_) {
    data_.reset();
    capacity_ = 0;
    delivered_ = false;
  }
  if (malformed_) return {.event = Event::kMalformed, .header = {}, .data = {}};
  if (header_size_ == 0 && input->size() >= kMessageHeaderLength) {
    // Nearly always, the whole message is in the input.
    const MessageHeader header = DecodeMessageHeader(input->data());
    if (header.length <= message_size_ && input->size() - kMessageHeaderLength >= header.length) {
      const std::string_view data(input->data() + kMessageHeaderLength, header.length);
      *input = {data.end(), input->end()};
      return {.event = Event::kMessage, .header = header, .data = data};
    }
  }
  const bool header_seen = header_size_ == kMessageHeaderLength;
  if (!TakeHeader(input)) return {};

  const MessageHeader header = DecodeMessageHeader(header_bytes_.data());
  if (header.length > kMaxMessageSize) {
    malformed_ = true;
    return {.event = Event::kMalformed, .header = header, .data = {}};
  }
  if (!header_seen) too_long_ = header.length > message_size_;
  return too_long_ ? Discard(input) : TakeData(input);
}

void MessageDecoder::Clear() {
  data_.reset();
  capacity_ = header_size_ = data_size_ = 0;
  delivered_ = false;
}

bool MessageDecoder::TakeHeader(std::string_view* input) {
  const size_t n = std::min(kMessageHeaderLength - header_size_, input->size());
  std::copy_n(input->begin(), n, header_bytes_.begin() + header_size_);
  header_size_ += static_cast<uint32_t>(n);
  input->remove_prefix(n);
  return header_size_ == kMessageHeaderLength;
}

MessageDecoder::Decoded MessageDecoder::TakeData(std::string_view* input) {
  const uint32_t length = DecodeMessageHeader(header_bytes_.data()).length;
  if (data_size_ == 0 && input->size() >= length) {
    const std::string_view data = input->substr(0, length);
    input->remove_prefix(length);
    return Finish(Event::kMessage, data);
  }
  const size_t n = std::min<size_t>(length - data_size_, input->size());
  if (n > 0) {
    Reserve(data_size_ + n);
    std::memcpy(data_.get() + data_size_, input->data(), n);
    data_size_ += static_cast<uint32_t>(n);
    input->remove_prefix(n);
  }
  if (data_size_ < length) return {};
  delivered_ = true;
  return Finish(Event::kMessage, {data_.get(), length});
}

MessageDecoder::Decoded MessageDecoder::Discard(std::string_view* input) {
  const uint32_t length = DecodeMessageHeader(header_bytes_.data()).length;
  const size_t n = std::min<size_t>(length - data_size_, input->size());
  data_size_ += static_cast<uint32_t>(n);
  input->remove_prefix(n);
  return data_size_ < length ? Decoded() : Finish(Event::kOversized, {});
}

MessageDecoder::Decoded MessageDecoder::Finish(Event event, std::string_view data) {
  header_size_ = 0;
  data_size_ = 0;
  return {.event = event, .header = DecodeMessageHeader(header_bytes_.data()), .data = data};
}

std::span<char> MessageDecoder::Tail() {
  if (header_size_ < kMessageHeaderLength || malformed_ || delivered_) return {};
  if (too_long_ || data_size_ == 0) return {};
  const uint32_t length = DecodeMessageHeader(header_bytes_.data()).length;
  Reserve(std::min<size_t>(length, data_size_ + kFirstCapacity));
  return {data_.get() + data_size_, std::min<size_t>(length, capacity_) - data_size_};
}

void MessageDecoder::Commit(size_t n) { data_size_ += static_cast<uint32_t>(n); }

void MessageDecoder::Reserve(size_t wanted) {
  if (wanted <= capacity_) return;
  const uint32_t length = DecodeMessageHeader(header_bytes_.data()).length;
  const size_t capacity =
      std::min<size_t>(length, std::max({wanted, kFirstCapacity, size_t{capacity_} * 2}));
  auto grown = std::make_unique_for_overwrite<char[]>(capacity);
  if (data_size_ > 0) std::memcpy(grown.get(), data_.get(), data_size_);
  data_ = std::move(grown);
  capacity_ = static_cast<uint32_t>(capacity);
}

}  // namespace ttrpc
