// SPDX-License-Identifier: Apache-2.0
#include "http/metrics_format.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

namespace proxyd {

namespace {

double Seconds(std::chrono::nanoseconds span) {
  return std::chrono::duration<double>(span).count();
}

// `how` is empty or a std::chars_format.
template <typename Number, typename... How>
void AppendDigits(Number value, std::string* out, How... how) {
  std::array<char, 32> digits;
  out->append(digits.data(),
              std::to_chars(digits.data(), digits.data() + digits.size(), value, how...).ptr);
}

void AppendNumber(uint64_t value, std::string* out) { AppendDigits(value, out); }

void AppendNumber(double value, std::string* out) {
  if (std::isfinite(value)) return AppendDigits(value, out, std::chars_format::general);
  out->append(std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
}

void AppendLabel(std::string_view key, std::string_view value, std::string* out) {
  out->append(out->back() == '{' ? "" : ",").append(key).append("=\"");
  for (const char c : value) {
    if (c == '\\' || c == '"') out->push_back('\\');
    if (c == '\n') {
      out->append("\\n");
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

// Opens the brace and does not close it, so that the caller can add labels.
void AppendLabels(MetricLabels labels, std::string* out) {
  out->push_back('{');
  for (const auto& [key, value] : labels) AppendLabel(key, value, out);
}

template <typename Number>
void AppendAnySample(std::string_view name, MetricLabels labels, Number value, std::string* out) {
  out->append(name);
  if (labels.size() > 0) {
    AppendLabels(labels, out);
    out->push_back('}');
  }
  out->push_back(' ');
  AppendNumber(value, out);
  out->push_back('\n');
}

}  // namespace

void AppendFamily(std::string_view name, std::string_view type, std::string_view help,
                  std::string* out) {
  out->append("# HELP ").append(name).append(" ").append(help).append("\n");
  out->append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void AppendSample(std::string_view name, MetricLabels labels, uint64_t value, std::string* out) {
  AppendAnySample(name, labels, value, out);
}

void AppendSample(std::string_view name, MetricLabels labels, double value, std::string* out) {
  AppendAnySample(name, labels, value, out);
}

void AppendHistogram(std::string_view name, MetricLabels labels, const Histogram& histogram,
                     std::string* out) {
  uint64_t below = 0;
  for (size_t i = 0; i < histogram.buckets().size(); ++i) {
    below += histogram.buckets()[i];
    const double bound = i < Histogram::kBounds.size() ? Seconds(Histogram::kBounds[i]) : INFINITY;
    out->append(name).append("_bucket");
    AppendLabels(labels, out);
    std::string text;
    AppendNumber(bound, &text);
    AppendLabel("le", text, out);
    out->append("} ");
    AppendNumber(below, out);
    out->push_back('\n');
  }
  const std::string full(name);
  AppendSample(full + "_sum", labels, Seconds(histogram.sum()), out);
  AppendSample(full + "_count", labels, histogram.count(), out);
}

}  // namespace proxyd
