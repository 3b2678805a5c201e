// SPDX-License-Identifier: Apache-2.0
//
// SlicedText: a long text that is made in slices, with the turns of a loop between them, so that
// making it holds up no call. Each slice shows what holds when it is made. On one thread.
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

  // Appends to `out` until all of the part is there (true), or `out` has `full` bytes (false).
  using Part = std::function<bool(std::string* out, size_t full)>;

  void Add(Part part) { parts_.push_back(std::move(part)); }

  void AddText(std::string text) {
    Add([text = std::move(text)](std::string* out, size_t) {
      out->append(text);
      return true;
    });
  }

  // Adds what `write(element, out)` appends for each element. The iterators of `range` must stay
  // valid until the text is made; those of a map do while nothing is erased from it.
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

  // The same for elements that the text owns.
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

  // Adds what `write(element, out)` appends for the first `shown` of the elements that `elements()`
  // returns, in order of `before`, and then what `rest(others, total, out)` appends: `others` has
  // those that are left, and `total` is how many there were. Only as many are put in order as a
  // slice has room for, since sorting them all would take longer than a slice may.
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

  // Makes the next slice. False: it was the last.
  bool AppendSlice(std::string* out);

 private:
  std::deque<Part> parts_;
};

}  // namespace proxyd
