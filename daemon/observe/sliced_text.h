// SPDX-License-Identifier: Apache-2.0
//
// SlicedText: a long text that is built in slices, between which the loop does other work, so that
// it delays no call. Each slice shows the state at the time it is built. One thread uses it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace proxyd {

class SlicedText {
 public:
  // A slice ends with the entry that makes it this long, after some tenths of a millisecond.
  static constexpr size_t kSliceBytes = size_t{16} << 10;

  // Appends to `out`. Returns true when the part is complete, or false once `out` has `full` bytes.
  using Part = std::function<bool(std::string* out, size_t full)>;

  void Add(Part part) { parts_.push_back(std::move(part)); }

  void AddText(std::string text) {
    Add([text = std::move(text)](std::string* out, size_t) {
      out->append(text);
      return true;
    });
  }

  // Adds what `write(element, out)` appends for each element. The iterators of `range` must stay
  // valid until the text is complete; those of a map do while nothing is erased from it.
  template <typename Range, typename Write>
  void AddEach(const Range& range, Write write) {
    Add([next = range.begin(), end = range.end(), write](std::string* out, size_t full) mutable {
      for (; next != end; ++next) {
        if (out->size() >= full) return false;
        write(*next, out);
      }
      return true;
    });
  }

  // Does the same for elements that the text owns.
  template <typename Element, typename Write>
  void AddEachOf(std::vector<Element> elements, Write write) {
    Add([elements = std::move(elements), next = size_t{0}, write](std::string* out,
                                                                  size_t full) mutable {
      for (; next < elements.size(); ++next) {
        if (out->size() >= full) return false;
        write(elements[next], out);
      }
      return true;
    });
  }

  // Adds `write(element, out)` for the first `shown` elements of `elements()` in the order
  // `before`, and then `rest(others, total, out)`: `others` are the elements after these, and
  // `total` counts all. A slice sorts only the elements that it writes, since sorting all of them
  // takes too long.
  template <typename Elements, typename Before, typename Write, typename Rest>
  void AddFirstOf(Elements elements, size_t shown, Before before, Write write, Rest rest) {
    Add([elements, left = shown, before, write, rest, heap = decltype(elements()){},
         total = size_t{0}, made = false](std::string* out, size_t full) mutable {
      const auto after = [&before](const auto& a, const auto& b) { return before(b, a); };
      if (!std::exchange(made, true)) {
        heap = elements();
        total = heap.size();
        std::make_heap(heap.begin(), heap.end(), after);
      }
      for (; left > 0 && !heap.empty(); --left) {
        if (out->size() >= full) return false;
        std::pop_heap(heap.begin(), heap.end(), after);
        write(heap.back(), out);
        heap.pop_back();
      }
      rest(std::as_const(heap), total, out);
      return true;
    });
  }

  // Builds the next slice. Returns false if it was the last.
  bool AppendSlice(std::string* out);

 private:
  std::deque<Part> parts_;
};

}  // namespace proxyd
