// SPDX-License-Identifier: Apache-2.0
#include "config/toml_writer.h"

#include "text/escape.h"

namespace proxyd {

using text::Quote;

void TomlWriter::Table(std::string_view header, std::string_view comment) {
  if (!text_.empty()) text_ += '\n';
  if (!comment.empty()) text_.append("# ").append(comment) += '\n';
  text_.append(header) += '\n';
}

void TomlWriter::Raw(std::string_view key, std::string_view value, std::string_view remark) {
  text_.append(key).append(" = ").append(value);
  if (!remark.empty()) text_.append("  # ").append(remark);
  text_ += '\n';
}

void TomlWriter::String(std::string_view key, std::string_view value) { Raw(key, Quote(value)); }

void TomlWriter::Array(std::string_view key, const std::vector<std::string>& elements,
                       std::string_view remark) {
  std::string list = "[";
  for (const std::string& element : elements) {
    if (list.size() > 1) list += ", ";
    list += element;
  }
  Raw(key, list + "]", remark);
}

void TomlWriter::ArrayOfLines(std::string_view key, const std::vector<std::string>& elements) {
  std::string list = "[\n";
  for (const std::string& element : elements) list.append("  ").append(element).append(",\n");
  Raw(key, list + "]");
}

std::vector<std::string> TomlStrings(const std::vector<std::string>& strings) {
  std::vector<std::string> elements;
  elements.reserve(strings.size());
  for (const std::string& string : strings) elements.push_back(Quote(string));
  return elements;
}

}  // namespace proxyd
