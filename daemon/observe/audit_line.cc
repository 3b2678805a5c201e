// SPDX-License-Identifier: Apache-2.0
#include "observe/audit_line.h"

#include <string_view>

#include "text/escape.h"
#include "text/numbers.h"

namespace proxyd {

using text::AppendJsonString;
using text::AppendNumber;
using text::AppendTime;
using text::JsonStringBound;
using text::JsonStringSize;

namespace {

// Keys, numbers, words and a traceparent have 595 bytes if each is as long as possible.
constexpr size_t kBesideNames = 608;
// The room for `detail`, measured by JsonStringBound(): an address with a path of 107 bytes, and
// why connecting to it failed.
constexpr size_t kDetailBound = 208;

// The size of `{"time":"`, the time and `"`.
constexpr size_t kTimeSize = 9 + 27 + 1;

// Appends the fields of a line as JSON.
class LineFields {
 public:
  explicit LineFields(std::string* out) : out_(out) {}

  void Text(std::string_view key, std::string_view value) {
    Key(key);
    AppendJsonString(value, kAuditValueLimit, out_);
  }
  void Number(std::string_view key, uint64_t value) {
    Key(key);
    AppendNumber(value, out_);
  }
  void Flag(std::string_view key, bool value) {
    Key(key);
    out_->append(value ? "true" : "false");
  }

 private:
  void Key(std::string_view key) { out_->append(",\"").append(key).append("\":"); }

  std::string* out_;
};

// Counts the bytes that LineFields would append, since a worker needs only the length of its line.
class FieldSizes {
 public:
  void Text(std::string_view key, std::string_view value) {
    Key(key);
    size_ += JsonStringSize(value, kAuditValueLimit);
  }
  void Number(std::string_view key, uint64_t value) {
    Key(key);
    do {
      ++size_;
      value /= 10;
    } while (value != 0);
  }
  void Flag(std::string_view key, bool value) {
    Key(key);
    size_ += value ? 4 : 5;
  }
  size_t size() const { return size_; }

 private:
  void Key(std::string_view key) { size_ += 4 + key.size(); }

  size_t size_ = 0;
};

}  // namespace

void AppendAuditLine(const AuditRecord& record, std::chrono::system_clock::time_point time,
                     std::string* out) {
  out->append("{\"time\":\"");
  AppendTime(time, out);
  out->push_back('"');
  LineFields fields(out);
  VisitAuditFields(record, fields);
  out->append("}\n");
}

size_t AuditLineSize(const AuditRecord& record) {
  FieldSizes sizes;
  VisitAuditFields(record, sizes);
  return kTimeSize + sizes.size() + 2;
}

size_t AuditLineBound(const AuditNames& names) {
  size_t bound = kBesideNames + kDetailBound;
  for (const std::string_view name : {names.listener, names.service, names.method, names.rule,
                                      names.backend, names.comm, names.workload, names.pod}) {
    bound += JsonStringBound(name, kAuditValueLimit);
  }
  return bound;
}

bool FitsAuditLineBound(std::string_view detail) {
  return JsonStringBound(detail, kAuditValueLimit) <= kDetailBound;
}

}  // namespace proxyd
