// SPDX-License-Identifier: Apache-2.0
#include "config/coverage.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "config/ids.h"

namespace proxyd {
namespace {

void AppendWithout(const IdRange& range, std::optional<uint32_t> left_out, IdRanges* out) {
  if (!left_out || *left_out < range.first || *left_out > range.last) {
    out->push_back(range);
    return;
  }
  if (*left_out > range.first) out->push_back({range.first, *left_out - 1});
  if (*left_out < range.last) out->push_back({*left_out + 1, range.last});
}

IdRanges Normalize(IdRanges ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const IdRange& a, const IdRange& b) { return a.first < b.first; });
  IdRanges merged;
  for (const IdRange& range : ranges) {
    if (merged.empty() || range.first > merged.back().last + 1) {
      merged.push_back(range);
    } else {
      merged.back().last = std::max(merged.back().last, range.last);
    }
  }
  return merged;
}

}  // namespace

IdRanges EffectiveIds(const WhoSide& side, uint32_t overflow) {
  constexpr IdRange kAll = {0, kMaxId};
  if (!side.ids) return {kAll};
  std::optional<uint32_t> left_out;
  if (side.action == RuleConfig::Action::kAllow) left_out = overflow;
  IdRanges ranges;
  if (side.ids->any) AppendWithout(kAll, left_out, &ranges);
  for (const IdRange& range : side.ids->ranges) AppendWithout(range, left_out, &ranges);
  for (const uint32_t id : side.ids->exact) ranges.push_back({id, id});
  return Normalize(std::move(ranges));
}

bool CoversRanges(const IdRanges& wide, const IdRanges& narrow) {
  return std::all_of(narrow.begin(), narrow.end(), [&wide](const IdRange& range) {
    const auto after =
        std::upper_bound(wide.begin(), wide.end(), range.first,
                         [](uint32_t id, const IdRange& holder) { return id < holder.first; });
    return after != wide.begin() && range.last <= std::prev(after)->last;
  });
}

bool CoversIds(const WhoSide& wide, const WhoSide& narrow, uint32_t overflow) {
  return CoversRanges(EffectiveIds(wide, overflow), EffectiveIds(narrow, overflow));
}

// Reads `narrow` as text in which `*` is a character that only a `*` of `wide` matches; the last
// `*` of `wide` takes one character more whenever the rest does not fit.
bool CoversGlob(std::string_view wide, std::string_view narrow) {
  size_t w = 0;
  size_t n = 0;
  size_t star = wide.npos;
  size_t taken = 0;
  while (n < narrow.size()) {
    if (w < wide.size() && wide[w] == '*') {
      star = w++;
      taken = n;
    } else if (w < wide.size() && wide[w] == narrow[n]) {
      ++w;
      ++n;
    } else if (star != wide.npos) {
      w = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  return wide.find_first_not_of('*', w) == wide.npos;
}

bool CoversPattern(const MethodPattern& wide, const MethodPattern& narrow) {
  return CoversGlob(wide.service, narrow.service) && CoversGlob(wide.method, narrow.method);
}

}  // namespace proxyd
