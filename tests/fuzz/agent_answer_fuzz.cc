// SPDX-License-Identifier: Apache-2.0
//
// The answer of a Kata shim does not depend on how it is cut, is bounded, and has an end once the
// connection has one. The input is the length of the pieces and the stream.
#include <algorithm>
#include <string_view>

#include "discovery/agent_answer.h"
#include "fuzz.h"

using proxyd::AgentAnswer;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Script script(data, size);
  const size_t piece = std::max<size_t>(script.Byte(), 1);
  const std::string_view stream = script.Rest();

  AgentAnswer whole;
  whole.Take(stream);
  AgentAnswer cut;
  for (size_t at = 0; at < stream.size(); at += piece) cut.Take(stream.substr(at, piece));
  FUZZ_CHECK(whole.done() == cut.done());
  if (!whole.done()) {
    FUZZ_CHECK(stream.size() <= AgentAnswer::kMostBytes);
    whole.End();
    cut.End();
  }
  FUZZ_CHECK(whole.done() && cut.done());
  FUZZ_CHECK(whole.result().has_value() == cut.result().has_value());
  if (whole.result()) {
    FUZZ_CHECK(*whole.result() == *cut.result());
    FUZZ_CHECK(whole.result()->size() <= stream.size());
  } else {
    FUZZ_CHECK(whole.result().error() == cut.result().error());
  }
  return 0;
}
