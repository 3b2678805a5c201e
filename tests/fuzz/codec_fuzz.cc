// SPDX-License-Identifier: Apache-2.0
//
// A stream of bytes gives the same messages however it is cut. The input is a size limit, the
// lengths of the pieces (preceded by their number, and used in turn), and the stream.
#include <algorithm>
#include <string>
#include <vector>

#include "fuzz.h"
#include "ttrpc/wire/codec.h"

namespace {

struct Message {
  ttrpc::MessageDecoder::Event event;
  ttrpc::MessageHeader header;
  std::string data;
  friend bool operator==(const Message&, const Message&) = default;
};

using Event = ttrpc::MessageDecoder::Event;

// Returns false if no more messages will come.
bool Take(ttrpc::MessageDecoder* decoder, std::string_view piece, std::vector<Message>* messages) {
  for (;;) {
    const size_t before = piece.size();
    const auto decoded = decoder->Next(&piece);
    FUZZ_CHECK(piece.size() <= before);
    if (decoded.event == Event::kNeedMore) {
      FUZZ_CHECK(piece.empty());
      return true;
    }
    messages->push_back({decoded.event, decoded.header, std::string(decoded.data)});
    if (decoded.event == Event::kMalformed) return false;
  }
}

// Odd pieces go into the decoder's own buffer, if it offers one.
std::vector<Message> DecodeInPieces(uint32_t limit, std::string_view lengths,
                                    std::string_view stream) {
  std::vector<Message> messages;
  ttrpc::MessageDecoder decoder(limit);
  for (size_t turn = 0; !stream.empty(); ++turn) {
    size_t length = lengths.empty() ? 1 : static_cast<uint8_t>(lengths[turn % lengths.size()]);
    length = std::clamp<size_t>(length, 1, stream.size());
    const std::span<char> tail = decoder.Tail();
    if (length % 2 == 1 && !tail.empty()) {
      length = std::min(length, tail.size());
      stream.copy(tail.data(), length);
      decoder.Commit(length);
      stream.remove_prefix(length);
      if (!Take(&decoder, {}, &messages)) break;
    } else {
      // A copy shows, under a sanitizer, whether a piece is read after it is freed.
      const std::string piece(stream.substr(0, length));
      stream.remove_prefix(length);
      if (!Take(&decoder, piece, &messages)) break;
    }
  }
  return messages;
}

void CheckMessages(const std::vector<Message>& messages, uint32_t limit, std::string_view stream) {
  for (const Message& message : messages) {
    char header[ttrpc::kMessageHeaderLength];
    ttrpc::EncodeMessageHeader(message.header, header);
    FUZZ_CHECK(stream.starts_with(std::string_view(header, sizeof header)));
    if (message.event == Event::kMalformed) {
      FUZZ_CHECK(message.header.length > ttrpc::kMaxMessageSize);
      return;
    }
    stream.remove_prefix(sizeof header);
    FUZZ_CHECK((message.event == Event::kOversized) == (message.header.length > limit));
    if (message.event == Event::kMessage) {
      FUZZ_CHECK(message.data.size() == message.header.length);
      FUZZ_CHECK(stream.starts_with(message.data));
    }
    FUZZ_CHECK(stream.size() >= message.header.length);
    stream.remove_prefix(message.header.length);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Script script(data, size);
  const uint32_t limit = script.Byte();
  const std::string_view lengths = script.Counted();
  const std::string_view stream = script.Rest();
  std::vector<Message> whole;
  ttrpc::MessageDecoder decoder(limit);
  Take(&decoder, stream, &whole);
  CheckMessages(whole, limit, stream);
  FUZZ_CHECK(DecodeInPieces(limit, lengths, stream) == whole);
  return 0;
}
