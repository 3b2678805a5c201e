// SPDX-License-Identifier: Apache-2.0
#include "observe/sliced_text.h"

namespace proxyd {

bool SlicedText::AppendSlice(std::string* out) {
  const size_t full = out->size() + kSliceBytes;
  while (!parts_.empty() && out->size() < full) {
    if (parts_.front()(out, full)) parts_.pop_front();
  }
  return !parts_.empty();
}

}  // namespace proxyd
