// SPDX-License-Identifier: Apache-2.0
//
// JsonPath: the place of a value within a message, such as `mounts[2].options["size"]`. One thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "text/escape.h"

namespace ttrpc::tool {

// JSON is read and printed to this depth of objects and lists. The limit is that of protobuf's own
// parsers; deeper values exhaust the stack.
constexpr size_t kDeepestJson = 100;

class JsonPath {
 public:
  // Extends the path while it exists. The path must outlive it.
  class Part {
   public:
    ~Part() { path_->text_.resize(size_); }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

   private:
    friend class JsonPath;
    Part(JsonPath* path, size_t size) : path_(path), size_(size) {}

    JsonPath* path_;
    size_t size_;
  };

  [[nodiscard]] Part Name(std::string_view name) {
    return Extended((text_.empty() ? "" : ".") + std::string(name));
  }
  [[nodiscard]] Part Index(size_t index) { return Extended("[" + std::to_string(index) + "]"); }
  [[nodiscard]] Part Key(std::string_view key) {
    return Extended("[" + text::QuoteShort(key) + "]");
  }

  // Returns true for the whole message.
  bool empty() const { return text_.empty(); }
  // Returns `PATH: what`, or only `what` for the whole message.
  std::string Prefixed(std::string_view what) const {
    return (text_.empty() ? "" : text_ + ": ").append(what);
  }

 private:
  Part Extended(const std::string& more) {
    const size_t size = text_.size();
    text_ += more;
    return {this, size};
  }

  std::string text_;
};

}  // namespace ttrpc::tool
