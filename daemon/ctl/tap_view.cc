// SPDX-License-Identifier: Apache-2.0
#include "ctl/tap_view.h"

#include <chrono>

#include "ctl/output.h"
#include "ctl/table.h"
#include "ctl/units.h"
#include "text/escape.h"

namespace proxyd::ctl {

using text::Quote;

namespace v1 = ttrpc::proxy::v1;

namespace {

constexpr std::string_view kIndent = "    ";
constexpr size_t kBytesPerLine = 16;

std::string Hex(uint64_t value, unsigned digits) {
  std::string hex;
  for (unsigned left = digits; left > 0; --left) {
    hex += "0123456789abcdef"[value >> (left - 1) * 4 & 0xFU];
  }
  return hex;
}

Tone ToneOf(const v1::TapEvent& event) {
  if (event.event() == "deny" || event.event() == "refuse") return Tone::kBad;
  if (event.event() == "call") return event.code() == "OK" ? Tone::kGood : Tone::kWarning;
  return Tone::kFaint;
}

// Line joins words with blanks and escapes control characters in each.
class Line {
 public:
  explicit Line(bool colours) : colours_(colours) {}

  void Add(std::string_view word, Tone tone = Tone::kPlain) {
    if (word.empty()) return;
    if (!out_.empty()) out_ += ' ';
    out_ += Toned(word, tone, colours_);
  }
  std::string Take() { return out_ + "\n"; }

 private:
  const bool colours_;
  std::string out_;
};

std::string Method(const v1::TapEvent& event) {
  if (event.service().empty() && event.method().empty()) return "";
  return "/" + event.service() + "/" + event.method();
}

void AddPeer(const v1::TapEvent& event, Line* line) {
  line->Add("uid=" + std::to_string(event.uid()) +
            (event.user().empty() ? "" : "(" + event.user() + ")"));
  line->Add("peer=" + std::to_string(event.peer()), Tone::kFaint);
  if (event.pid() > 0) line->Add("pid=" + std::to_string(event.pid()), Tone::kFaint);
  if (event.stream_id() != 0) {
    line->Add("stream=" + std::to_string(event.stream_id()), Tone::kFaint);
  }
  line->Add(event.listener());
}

void AddOutcome(const v1::TapEvent& event, Line* line) {
  line->Add(event.kind());
  if (!event.rule().empty()) line->Add("rule=" + Quote(event.rule()));
  if (event.has_enforced() && !event.enforced()) line->Add("enforced=false", Tone::kWarning);
  if (!event.backend().empty()) line->Add("backend=" + Quote(event.backend()));
  if (!event.workload().empty()) line->Add("workload=" + Quote(event.workload()));
  if (!event.pod().empty()) line->Add("pod=" + Quote(event.pod()));
  line->Add(event.code(), ToneOf(event));
  if (!event.reason().empty()) line->Add("reason=" + event.reason());
  if (!event.limit().empty()) line->Add("limit=" + event.limit());
  if (event.event() != "call" || (event.has_enforced() && !event.enforced())) return;
  line->Add(HumanDuration(std::chrono::microseconds(event.duration_us())));
  line->Add("sent=" + HumanBytes(event.request_bytes()));
  line->Add("received=" + HumanBytes(event.response_bytes()));
}

// The detail comes last, since it is the longest word.
void AddDetail(const v1::TapEvent& event, Line* line) {
  if (!event.detail().empty()) line->Add("detail=" + Quote(event.detail()));
}

std::string Lost(const v1::TapEvent& event, bool colours) {
  if (event.dropped() == 0) return "";
  return Toned("(events lost here because this tap was too slow: " +
                   std::to_string(event.dropped()) + ")",
               Tone::kWarning, colours) +
         "\n";
}

std::string Indented(std::string_view lines) {
  std::string out;
  while (!lines.empty()) {
    const size_t end = lines.find('\n');
    out.append(kIndent).append(lines.substr(0, end)) += '\n';
    lines = end == std::string_view::npos ? "" : lines.substr(end + 1);
  }
  return out;
}

}  // namespace

std::string HexDump(std::string_view bytes, std::string_view indent) {
  std::string out;
  for (size_t begin = 0; begin < bytes.size(); begin += kBytesPerLine) {
    const std::string_view line = bytes.substr(begin, kBytesPerLine);
    out.append(indent) += Hex(begin, 4) + " ";
    for (size_t i = 0; i < kBytesPerLine; ++i) {
      out += i < line.size() ? " " + Hex(static_cast<unsigned char>(line[i]), 2) : "   ";
    }
    out += "  ";
    for (const char c : line) out += c >= 0x20 && c < 0x7F ? c : '.';
    out += '\n';
  }
  return out;
}

TapView::TapView(const ttrpc::tool::Schema* schema, bool colours)
    : schema_(schema),
      colours_(colours),
      codec_(schema == nullptr ? nullptr : &schema->pool(),
             {.proto_names = true, .defaults = false, .compact = true}) {}

std::string TapView::Text(const v1::TapEvent& event) {
  Line line(colours_);
  line.Add(ClockTime(event.time()), Tone::kFaint);
  line.Add(event.event(), ToneOf(event));
  AddPeer(event, &line);
  line.Add(Method(event), Tone::kStrong);
  const std::string lost = Lost(event, colours_);
  if (event.event() != "message") {
    AddOutcome(event, &line);
    AddDetail(event, &line);
    return lost + line.Take();
  }
  line.Add(event.direction());
  line.Add(HumanBytes(event.payload_size()));
  if (event.payload().size() < event.payload_size()) {
    line.Add("(first " + HumanBytes(event.payload().size()) + ")");
  }
  const std::string json = Decoded(event);
  return lost + line.Take() + (json.empty() ? HexDump(event.payload(), kIndent) : Indented(json));
}

std::string TapView::Json(const v1::TapEvent& event) {
  std::string json = ToJson(event, true);
  std::string message = Decoded(event);
  if (message.empty()) return json;
  message.pop_back();  // its newline
  json.insert(json.rfind('}'), ",\"message\":" + message);
  return json;
}

std::string TapView::Decoded(const v1::TapEvent& event) {
  if (schema_ == nullptr || event.event() != "message") return "";
  if (event.payload().size() < event.payload_size()) return "";
  const auto method = schema_->FindMethod(event.service(), event.method());
  if (!method) return "";
  const auto* type =
      event.direction() == "request" ? (*method)->input_type() : (*method)->output_type();
  const auto json = codec_.ToJson(*type, event.payload());
  return json ? *json : "";
}

}  // namespace proxyd::ctl
