// SPDX-License-Identifier: Apache-2.0
//
// BlockerIndex: finds the rule that leaves a later one nothing to match, without comparing each
// rule with each other one. Rules are filed under whom, where and what they match; a search reads
// the shortest of the files that a blocker must be in. Pure; one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "policy/match.h"

namespace proxyd {

class BlockerIndex {
 public:
  // `config` must outlive it.
  BlockerIndex(const Config& config, OverflowIds overflow);

  // The first rule before `rule` (an index) that takes every call to `method` on `listener` that
  // `rule` would match.
  std::optional<size_t> Find(size_t rule, size_t listener, const MethodPattern& method);

  // How many pairs of rules were compared so far.
  size_t compared() const { return compared_; }

 private:
  // Rules by key. Keys may collide: each rule that is found is compared.
  class File {
   public:
    void Add(uint64_t key, size_t rule) { entries_.emplace_back(key, rule); }
    void Sort();
    using Entries = std::span<const std::pair<uint64_t, uint32_t>>;
    // Those of `key` before `rule`, ascending.
    Entries Find(uint64_t key, size_t rule) const;

   private:
    std::vector<std::pair<uint64_t, uint32_t>> entries_;
  };

  // By blocks of 2^n ids that are aligned at their size: a set of ids is in those that it touches.
  class IdFile {
   public:
    void Add(const IdSet* ids, size_t rule);
    void Sort() { file_.Sort(); }
    void Find(uint32_t id, size_t rule, std::vector<File::Entries>* out) const;

   private:
    void AddBlocks(const IdRange& range, size_t rule);

    File file_;
    uint64_t sizes_in_use_ = 0;
  };

  // By the text before the first `*`, or after the last one, or all of it.
  class TextFile {
   public:
    void Add(std::string_view pattern, size_t rule);
    void Sort() { file_.Sort(); }
    void Find(std::string_view pattern, size_t rule, std::vector<File::Entries>* out) const;

   private:
    File file_;
    std::set<size_t> prefix_lengths_;
    std::set<size_t> suffix_lengths_;
  };

  struct Who {
    IdRanges users;
    IdRanges groups;
  };

  void Add(size_t rule);
  void Add(const MethodPattern& pattern, size_t rule);
  // The shortest that all blockers are in.
  std::vector<File::Entries> Candidates(size_t rule, size_t listener,
                                        const MethodPattern& method) const;
  bool Blocks(size_t earlier, size_t rule, const MethodPattern& method);

  const Config& config_;
  std::vector<Who> who_;  // by rule
  File listeners_;
  IdFile users_;
  IdFile groups_;
  TextFile full_names_;  // `SERVICE/METHOD`
  TextFile services_;
  TextFile methods_;
  size_t compared_ = 0;
};

}  // namespace proxyd
