// SPDX-License-Identifier: Apache-2.0
#include "json_writer.h"

#include <google/protobuf/stubs/strutil.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "text/escape.h"

namespace ttrpc::tool {
namespace {

// Returns the number with the usual count of digits, or with more if it would read back as another.
template <typename Number>
std::string Digits(Number number) {
  std::array<char, 64> buffer{};
  std::string_view text;
  for (const int digits :
       {std::numeric_limits<Number>::digits10, std::numeric_limits<Number>::max_digits10}) {
    const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number,
                                       std::chars_format::general, digits);
    text = {buffer.data(), static_cast<size_t>(written.ptr - buffer.data())};
    Number back = 0;
    std::from_chars(text.data(), text.data() + text.size(), back);
    if (back == number) break;
  }
  return std::string(text);
}

template <typename Number>
void WriteFloating(Number number, JsonWriter* out) {
  if (std::isnan(number)) return out->String("NaN");
  if (std::isinf(number)) return out->String(number > 0 ? "Infinity" : "-Infinity");
  out->Word(Digits(number));
}

}  // namespace

void JsonWriter::Key(std::string_view key) {
  BeforeValue();
  text_ += text::JsonQuoted(key);
  text_ += compact_ ? ":" : ": ";
  after_key_ = true;
}

void JsonWriter::String(std::string_view value) {
  BeforeValue();
  text_ += text::JsonQuoted(value);
}

void JsonWriter::Base64(std::string_view bytes) {
  BeforeValue();
  text_ += '"';
  AppendBase64(bytes, &text_);
  text_ += '"';
}

void JsonWriter::Double(double number) { WriteFloating(number, this); }
void JsonWriter::Float(float number) { WriteFloating(number, this); }

void JsonWriter::Word(std::string_view word) {
  BeforeValue();
  text_ += word;
}

void JsonWriter::Begin(char bracket) {
  BeforeValue();
  text_ += bracket;
  has_values_.push_back(false);
}

void JsonWriter::End(char bracket) {
  const bool has_values = has_values_.back();
  has_values_.pop_back();
  if (has_values) NewLine();
  text_ += bracket;
}

void JsonWriter::BeforeValue() {
  if (std::exchange(after_key_, false) || has_values_.empty()) return;
  if (has_values_.back()) text_ += ',';
  has_values_.back() = true;
  NewLine();
}

void JsonWriter::NewLine() {
  if (compact_) return;
  text_ += '\n';
  text_.append(has_values_.size(), ' ');
}

void AppendBase64(std::string_view bytes, std::string* out) {
  std::string encoded;
  google::protobuf::Base64Escape({bytes.data(), bytes.size()}, &encoded);
  *out += encoded;
}

}  // namespace ttrpc::tool
