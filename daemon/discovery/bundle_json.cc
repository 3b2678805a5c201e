// SPDX-License-Identifier: Apache-2.0
#include "discovery/bundle_json.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "text/escape.h"

namespace proxyd {

using nlohmann::json;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;

namespace {

constexpr size_t kMostNesting = 64;  // objects and arrays; a config.json of runc has ten
constexpr uint64_t kNewestVersion = 3;

std::string LowerCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

// Passes the keys and values of one JSON object to a reader, which sees at what depth they are.
// Depth 1 is the document's own object. The parser stops as soon as a function returns false.
class ObjectReader : public nlohmann::json_sax<json> {
 public:
  Status Read(std::string_view text) {
    // The parser takes a NUL byte for the end.
    if (text.find('\0') != std::string_view::npos) static_cast<void>(Fail("not valid JSON"));
    if (error_.ok() && json::sax_parse(text.begin(), text.end(), this) && error_.ok()) return {};
    return error_.ok() ? Status(StatusCode::kInvalidArgument, "not valid JSON") : error_;
  }

  bool null() final { return Value() && OnNull(); }
  bool boolean(bool) final { return Value() && OnOther(); }
  bool number_integer(number_integer_t) final { return Value() && OnOther(); }
  bool number_unsigned(number_unsigned_t value) final { return Value() && OnNumber(value); }
  bool number_float(number_float_t, const string_t&) final { return Value() && OnOther(); }
  bool string(string_t& value) final { return Value() && OnText(value); }
  bool binary(binary_t&) final { return Value() && OnOther(); }
  bool key(string_t& name) final { return OnKey(name); }
  bool start_object(size_t) final {
    if (depth_ != 0 && !OnObject()) return false;
    return Deeper();
  }
  bool start_array(size_t) final { return Value() && OnOther() && Deeper(); }
  bool end_object() final {
    OnEnd();
    --depth_;
    return true;
  }
  bool end_array() final {
    --depth_;
    return true;
  }
  bool parse_error(size_t, const std::string&, const json::exception&) final {
    return Fail("not valid JSON");
  }

 protected:
  virtual bool OnKey(std::string& name) = 0;
  virtual bool OnText(std::string& value) = 0;
  virtual bool OnNumber(uint64_t value) = 0;
  virtual bool OnNull() = 0;
  virtual bool OnObject() = 0;  // one begins, in another one or in an array
  virtual bool OnOther() = 0;   // another value, or an array that begins
  virtual void OnEnd() {}       // an object ends, whose keys were at depth()

  bool Fail(std::string what) {
    if (error_.ok()) error_ = Status(StatusCode::kInvalidArgument, std::move(what));
    return false;
  }
  size_t depth() const { return depth_; }

 private:
  bool Value() { return depth_ != 0 || Fail("not a JSON object"); }
  bool Deeper() { return ++depth_ <= kMostNesting || Fail("too deeply nested"); }

  size_t depth_ = 0;
  Status error_;
};

class BootstrapReader final : public ObjectReader {
 public:
  Result<std::string> Address() && {
    if (version_ && *version_ > kNewestVersion) {
      return Invalid("version " + std::to_string(*version_) + " is newer than " +
                     std::to_string(kNewestVersion));
    }
    if (!protocol_ || LowerCase(*protocol_) != "ttrpc") {
      return Invalid(protocol_ ? "protocol " + text::QuoteShort(*protocol_) + " is not \"ttrpc\""
                               : "has no protocol");
    }
    if (!address_ || address_->empty()) return Invalid("has no address");
    return *std::move(address_);
  }

 private:
  enum Field : size_t { kVersion, kAddress, kProtocol, kUnknown };
  static constexpr std::array<std::string_view, kUnknown> kNames = {"version", "address",
                                                                    "protocol"};

  static Status Invalid(std::string what) {
    return {StatusCode::kInvalidArgument, std::move(what)};
  }

  bool OnKey(std::string& name) override {
    if (depth() != 1) return true;
    const auto found = std::find(kNames.begin(), kNames.end(), LowerCase(name));
    field_ = static_cast<Field>(found - kNames.begin());
    if (field_ == kUnknown) return true;
    return !std::exchange(seen_[field_], true) || Fail("repeats " + std::string(*found));
  }
  bool OnText(std::string& value) override {
    if (!IsOurs()) return true;
    if (field_ == kVersion) return Fail("version is not a number");
    (field_ == kAddress ? address_ : protocol_) = std::move(value);
    return true;
  }
  bool OnNumber(uint64_t value) override {
    if (!IsOurs()) return true;
    if (field_ != kVersion) return OnOther();
    version_ = value;
    return true;
  }
  bool OnNull() override { return true; }  // the same as a missing key
  bool OnObject() override { return OnOther(); }
  bool OnOther() override {
    return !IsOurs() || Fail(std::string(kNames[field_]) + " has a wrong type");
  }

  bool IsOurs() const { return depth() == 1 && field_ != kUnknown; }

  Field field_ = kUnknown;
  std::array<bool, kUnknown> seen_{};
  std::optional<uint64_t> version_;
  std::optional<std::string> address_;
  std::optional<std::string> protocol_;
};

class AnnotationReader final : public ObjectReader {
 public:
  explicit AnnotationReader(const std::set<std::string>& wanted) : wanted_(wanted) {}

  Annotations Take() && { return std::move(found_); }

 private:
  // Keys at depth 1 belong to the document. Depth 2 is an annotation only in the right object.
  bool OnKey(std::string& name) override {
    if (depth() == 1) {
      at_annotations_ = name == "annotations";
      return !at_annotations_ || !std::exchange(seen_, true) || Fail("repeats annotations");
    }
    if (!IsInside()) return true;
    wanted_key_ = wanted_.contains(name) ? std::move(name) : std::string();
    return wanted_key_.empty() || !found_.contains(wanted_key_) ||
           Fail("repeats the annotation " + text::QuoteShort(wanted_key_));
  }
  bool OnText(std::string& value) override {
    if (!IsInside()) return OnOther();
    if (!wanted_key_.empty()) found_.emplace(wanted_key_, std::move(value));
    return true;
  }
  bool OnNumber(uint64_t) override { return OnOther(); }
  bool OnNull() override { return IsInside() ? OnOther() : true; }
  bool OnObject() override {
    if (depth() == 1) {
      inside_ = at_annotations_;
      return true;
    }
    return OnOther();
  }
  bool OnOther() override {
    if (IsInside()) return Fail("an annotation is not a text");
    return !(depth() == 1 && at_annotations_) || Fail("annotations is not an object");
  }
  void OnEnd() override {
    if (depth() == 2) inside_ = false;
  }

  bool IsInside() const { return inside_ && depth() == 2; }

  const std::set<std::string>& wanted_;
  Annotations found_;
  std::string wanted_key_;
  bool at_annotations_ = false;  // the last key at depth 1
  bool inside_ = false;
  bool seen_ = false;
};

}  // namespace

Result<std::string> ParseBootstrap(std::string_view document) {
  BootstrapReader reader;
  if (Status status = reader.Read(document); !status.ok()) return status;
  return std::move(reader).Address();
}

Result<Annotations> ParseAnnotations(std::string_view document,
                                     const std::set<std::string>& wanted) {
  AnnotationReader reader(wanted);
  if (Status status = reader.Read(document); !status.ok()) return status;
  return std::move(reader).Take();
}

}  // namespace proxyd
