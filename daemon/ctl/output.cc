// SPDX-License-Identifier: Apache-2.0
#include "ctl/output.h"

#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <system_error>

#include "ctl/admin_types.h"
#include "text/escape.h"
#include "text/numbers.h"
#include "tool/json_codec.h"
#include "tool/standard_output.h"

namespace proxyd::ctl {
namespace {

constexpr char kEscape = '\x1b';

// Wraps each line into rows of at most `width` characters. It assumes that all characters are
// equally wide. Colour sequences have no width.
std::string Folded(std::string_view text, size_t width) {
  std::string out;
  size_t column = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == kEscape) {
      const size_t end = std::min(text.find('m', i), text.size() - 1);
      out += text.substr(i, end - i + 1);
      i = end;
      continue;
    }
    const bool continues = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
    if (c == '\n') {
      column = 0;
    } else if (!continues && column++ == width) {
      out += '\n';
      column = 1;
    }
    out += c;
  }
  return out;
}

// Returns as many lines as fit into `rows`. The last one counts the lines that were cut.
std::string Cut(std::string_view text, size_t rows) {
  size_t lines = 0;
  size_t end_of_room = std::string_view::npos;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\n') continue;
    ++lines;
    if (rows >= 2 && lines == rows - 2) end_of_room = i + 1;
  }
  if (rows < 2 || lines < rows) return std::string(text);
  std::string cut(text.substr(0, end_of_room));
  return cut + "… " + std::to_string(lines - (rows - 2)) + " more lines\n";
}

// Larger numbers are not taken for a time. This is the year 2200, in microseconds since 1970.
constexpr uint64_t kLastTime = 7'258'118'400'000'000;

}  // namespace

bool IsTerminal() { return ::isatty(STDOUT_FILENO) == 1; }

bool HasColours() {
  const char* refused = std::getenv("NO_COLOR");  // see no-color.org
  const char* terminal = std::getenv("TERM");
  return IsTerminal() && (refused == nullptr || *refused == '\0') &&
         (terminal == nullptr || std::string_view(terminal) != "dumb");
}

void Print(std::string_view text) {
  const ttrpc::Status written = ttrpc::tool::Write(STDOUT_FILENO, text);
  if (written.ok()) return;
  Complain(written.message());
  std::exit(EX_IOERR);  // NOLINT(concurrency-mt-unsafe): there is one thread
}

void Screen::Show(std::string_view text) {
  if (!IsTerminal()) {
    if (began_) Print("\n");
    began_ = true;
    return Print(text);
  }
  winsize size = {};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  // Redraw from the top without the terminal's own wrapping. Each line clears its rest, and the
  // end clears the rows below, so that nothing flickers.
  std::string out = "\x1b[H\x1b[?7l";
  const std::string rows = known && size.ws_col > 0 ? Folded(text, size.ws_col) : std::string(text);
  for (const char c : Cut(rows, known ? size.ws_row : 0)) {
    if (c == '\n') out += "\x1b[K";
    out += c;
  }
  Print(out + "\x1b[J\x1b[?7h");
}

void ComplainPlainly(std::string_view lines) {
  while (!lines.empty()) {
    const size_t end = lines.find('\n');
    const std::string line = text::Printable(lines.substr(0, end)) + "\n";
    (void)ttrpc::tool::Write(STDERR_FILENO, line);
    lines = end == std::string_view::npos ? "" : lines.substr(end + 1);
  }
}

void Complain(std::string_view what) { ComplainPlainly("ttrpc-proxyctl: " + std::string(what)); }

int Fail(std::string_view what) {
  Complain(what);
  return kFailed;
}

std::string WithTimes(std::string_view json) {
  std::string out;
  while (true) {
    // This match is never inside a string: there the quote would have a backslash before it.
    const size_t key_end = json.find("time\":");
    if (key_end == std::string_view::npos) return out.append(json);
    size_t begin = key_end + 6;
    if (json.substr(begin).starts_with(' ')) ++begin;
    const char before = key_end > 0 ? json[key_end - 1] : ' ';
    uint64_t time = 0;
    const char* const number = json.data() + std::min(begin + 1, json.size());
    const auto [end, error] = std::from_chars(number, json.data() + json.size(), time);
    const bool is_time = (before == '"' || before == '_') && json.substr(begin).starts_with('"') &&
                         error == std::errc() && end != json.data() + json.size() && *end == '"' &&
                         time <= kLastTime;
    out.append(json.substr(0, begin));
    json.remove_prefix(begin);
    if (!is_time) continue;
    out += '"';
    text::AppendTime(std::chrono::system_clock::time_point(std::chrono::microseconds(time)), &out);
    json.remove_prefix(static_cast<size_t>(end - json.data()));
  }
}

std::string ToJson(const google::protobuf::MessageLite& message, bool compact) {
  using ttrpc::tool::JsonCodec;
  static JsonCodec on_one_line(&AdminTypes(),
                               {.proto_names = true, .defaults = true, .compact = true});
  static JsonCodec on_many(&AdminTypes(), {.proto_names = true, .defaults = true});
  const auto* type = AdminTypes().FindMessageTypeByName(message.GetTypeName());
  // ToJson() cannot fail here: the bytes were just serialised from a message of this type.
  return WithTimes(*(compact ? on_one_line : on_many).ToJson(*type, message.SerializeAsString()));
}

}  // namespace proxyd::ctl
