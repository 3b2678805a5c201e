// SPDX-License-Identifier: Apache-2.0
//
// The parsed answer does not depend on how it is cut, is bounded, and no byte after it is consumed.
// The input is the length of the pieces and the stream.
#include <algorithm>
#include <string_view>

#include "fuzz.h"
#include "hybrid_vsock.h"

using ttrpc::HybridVsockAnswer;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Script script(data, size);
  const size_t piece = std::max<size_t>(script.Byte(), 1);
  const std::string_view stream = script.Rest();

  HybridVsockAnswer whole;
  const size_t taken = whole.Take(stream);
  FUZZ_CHECK(taken <= std::min(stream.size(), HybridVsockAnswer::kMaxLength));
  const std::string_view answer = stream.substr(0, taken);
  const bool accepted = whole.state() == HybridVsockAnswer::State::kAccepted;
  FUZZ_CHECK(accepted == (answer.starts_with("OK") && answer.ends_with('\n')));
  if (whole.state() == HybridVsockAnswer::State::kIncomplete) FUZZ_CHECK(taken == stream.size());

  HybridVsockAnswer cut;
  size_t taken_cut = 0;
  for (size_t at = 0; at < stream.size(); at += piece)
    taken_cut += cut.Take(stream.substr(at, piece));
  FUZZ_CHECK(taken_cut == taken && cut.state() == whole.state());
  return 0;
}
