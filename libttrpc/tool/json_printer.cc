// SPDX-License-Identifier: Apache-2.0
#include "json_printer.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/field_mask_util.h>
#include <google/protobuf/util/time_util.h>

#include <bit>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "text/escape.h"
#include "ttrpc/wire/field_scanner.h"

namespace ttrpc::tool {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::util::TimeUtil;

namespace {

// A hostile reply may consist of nothing but values to report.
constexpr size_t kMostProblems = 10;
constexpr size_t kLongestQuote = 60;  // bytes of a text that is not UTF-8

std::string NotUtf8(std::string_view text) {
  std::string why = "not UTF-8: ";
  text::AppendPlainText(text, kLongestQuote, &why);
  return why;
}

bool IsMessage(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

// Returns true if a message without the field means the same.
bool IsUnset(const FieldDescriptor& field, std::span<const WireField> values) {
  if (values.empty()) return true;
  if (field.is_repeated() || field.has_presence()) return false;
  return values.back().value == 0 && values.back().bytes.empty();
}

bool HasPrintableDefault(const FieldDescriptor& field) {
  return field.is_repeated() || (!IsMessage(field) && field.containing_oneof() == nullptr);
}

// Returns the digits of a whole number, or the word for a bool.
std::string WholeNumber(const FieldDescriptor& field, uint64_t value) {
  const auto low = static_cast<uint32_t>(value);
  switch (field.type()) {
    case FieldDescriptor::TYPE_SINT32:
      return std::to_string(WireFormatLite::ZigZagDecode32(low));
    case FieldDescriptor::TYPE_SINT64:
      return std::to_string(WireFormatLite::ZigZagDecode64(value));
    case FieldDescriptor::TYPE_INT32:
    case FieldDescriptor::TYPE_SFIXED32:
      return std::to_string(static_cast<int32_t>(low));
    case FieldDescriptor::TYPE_INT64:
    case FieldDescriptor::TYPE_SFIXED64:
      return std::to_string(static_cast<int64_t>(value));
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_FIXED32:
      return std::to_string(low);
    case FieldDescriptor::TYPE_BOOL:
      return value != 0 ? "true" : "false";
    default:
      return std::to_string(value);
  }
}

struct MapEntry {
  std::string_view bytes;
  std::vector<WireField> fields = {};
  std::string key = {};
  std::string why_invalid = {};
};

MapEntry ReadEntry(const Descriptor& type, std::string_view bytes) {
  auto fields = ReadFieldsOf(type, bytes);
  if (!fields) return {.bytes = bytes, .key = "@entry", .why_invalid = "not an entry of a map"};
  MapEntry entry = {.bytes = bytes, .fields = std::move(*fields)};
  const FieldDescriptor& key = *type.FindFieldByNumber(1);
  const std::span<const WireField> values = ValuesOf(key, entry.fields);
  const WireField value = values.empty() ? DefaultOf(key) : values.back();
  if (key.cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    entry.key = WholeNumber(key, value.value);
  } else if (IsUtf8(value.bytes)) {
    entry.key = value.bytes;
  } else {
    text::AppendPlainText(value.bytes, kLongestQuote, &entry.key);
    entry.why_invalid = "the key is " + NotUtf8(value.bytes);
  }
  return entry;
}

// Returns the entries to print, each with a key of its own: the last one of each valid key, and all
// that are invalid.
std::vector<MapEntry> EntriesOf(const Descriptor& type, std::span<const WireField> values) {
  struct Use {
    size_t last = 0;   // the index of the last entry with this key
    size_t count = 1;  // the highest number after this key
  };
  // A tree, because a server may choose keys that make a hash table slow.
  std::map<std::string, Use> uses;
  std::vector<MapEntry> entries;
  for (const WireField& value : values) {
    entries.push_back(ReadEntry(type, value.bytes));
    if (entries.back().why_invalid.empty()) uses[entries.back().key].last = entries.size() - 1;
  }
  std::vector<MapEntry> kept;
  for (size_t i = 0; i < entries.size(); ++i) {
    MapEntry& entry = entries[i];
    if (!entry.why_invalid.empty()) {
      const std::string key = entry.key;
      while (uses.contains(entry.key)) {
        entry.key = key + "#" + std::to_string(++uses[key].count);
      }
      uses[entry.key].last = i;
    }
    if (uses[entry.key].last == i) kept.push_back(std::move(entry));
  }
  return kept;
}

bool IsValid(const google::protobuf::Duration& duration) {
  const bool signs_agree = (duration.seconds() <= 0 && duration.nanos() <= 0) ||
                           (duration.seconds() >= 0 && duration.nanos() >= 0);
  return duration.seconds() >= TimeUtil::kDurationMinSeconds &&
         duration.seconds() <= TimeUtil::kDurationMaxSeconds && signs_agree &&
         duration.nanos() > -1'000'000'000 && duration.nanos() < 1'000'000'000;
}

bool IsValid(const google::protobuf::Timestamp& time) {
  return time.seconds() >= TimeUtil::kTimestampMinSeconds &&
         time.seconds() <= TimeUtil::kTimestampMaxSeconds && time.nanos() >= 0 &&
         time.nanos() < 1'000'000'000;
}

}  // namespace

std::vector<std::string> JsonPrinter::TakeProblems() {
  if (more_problems_ > 0) {
    problems_.push_back("values without a JSON form that are not listed here: " +
                        std::to_string(more_problems_));
  }
  return std::move(problems_);
}

bool JsonPrinter::Print(const Descriptor& type, std::string_view bytes) {
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_UNSPECIFIED:
      return Object(type, bytes);
    case Descriptor::WELLKNOWNTYPE_ANY:
      return Any(bytes);
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return TimeValue<google::protobuf::Duration>(bytes);
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return TimeValue<google::protobuf::Timestamp>(bytes);
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return FieldMask(bytes);
    case Descriptor::WELLKNOWNTYPE_VALUE:
      return Value(bytes);
    default:
      // A schema may define the type differently.
      return OnlyField(*DescriptorPool::generated_pool()->FindMessageTypeByName(type.full_name()),
                       bytes);
  }
}

bool JsonPrinter::Object(const Descriptor& type, std::string_view bytes) {
  const auto fields = ReadFieldsOf(type, bytes);
  if (!fields) return false;
  out_.BeginObject();
  Members(type, *fields);
  out_.EndObject();
  return true;
}

bool JsonPrinter::Any(std::string_view bytes) {
  const std::optional<std::vector<WireField>> fields = ReadFields(bytes);
  if (!fields) return false;
  std::string_view url;
  std::string_view value;
  for (const WireField& field : *fields) {
    if (field.type != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) continue;
    if (field.number == 1) url = field.bytes;
    if (field.number == 2) value = field.bytes;
  }
  PrintAny(url, value);
  return true;
}

void JsonPrinter::PrintAny(std::string_view url, std::string_view contents) {
  if (url.empty() && !contents.empty()) return Invalid("an Any without a type URL", contents);
  if (!IsUtf8(url)) return Invalid("the type URL is " + NotUtf8(url), contents);
  out_.BeginObject();
  if (!url.empty()) AnyMembers(url, contents);
  out_.EndObject();
}

void JsonPrinter::AnyMembers(std::string_view url, std::string_view contents) {
  out_.Key(kAnyUrl);
  out_.String(url);
  const Descriptor* type = out_.depth() < kDeepestJson ? types_.FindByUrl(url) : nullptr;
  const auto fields = type == nullptr ? std::nullopt : ReadFieldsOf(*type, contents);
  if (!fields) {
    out_.Key(kAnyBytes);
    out_.Base64(contents);
  } else if (type->well_known_type() != Descriptor::WELLKNOWNTYPE_UNSPECIFIED) {
    const auto part = path_.Name("value");
    out_.Key("value");
    Nested(*type, contents);
  } else {
    Members(*type, *fields);
  }
}

template <typename Time>
bool JsonPrinter::TimeValue(std::string_view bytes) {
  const auto fields = ReadFieldsOf(*Time::descriptor(), bytes);
  if (!fields) return false;
  Time time;
  for (const WireField& field : *fields) {
    if (field.number == Time::kSecondsFieldNumber) {
      time.set_seconds(static_cast<int64_t>(field.value));
    } else {
      time.set_nanos(static_cast<int32_t>(field.value));
    }
  }
  if (IsValid(time)) {
    out_.String(TimeUtil::ToString(time));
  } else {
    Invalid("seconds " + std::to_string(time.seconds()) + " and nanos " +
                std::to_string(time.nanos()) + " are not a valid " + Time::descriptor()->name(),
            bytes);
  }
  return true;
}

bool JsonPrinter::FieldMask(std::string_view bytes) {
  const auto fields = ReadFieldsOf(*google::protobuf::FieldMask::descriptor(), bytes);
  if (!fields) return false;
  google::protobuf::FieldMask mask;
  for (const WireField& path : *fields) {
    if (!IsUtf8(path.bytes)) {
      Invalid("a path is " + NotUtf8(path.bytes), bytes);
      return true;
    }
    mask.add_paths(std::string(path.bytes));
  }
  std::string json;
  if (google::protobuf::util::FieldMaskUtil::ToJsonString(mask, &json)) {
    out_.String(json);
  } else {
    Invalid("a path of this FieldMask is not in lower case: " +
                text::QuoteShort(google::protobuf::util::FieldMaskUtil::ToString(mask)),
            bytes);
  }
  return true;
}

bool JsonPrinter::OnlyField(const Descriptor& type, std::string_view bytes) {
  const auto fields = ReadFieldsOf(type, bytes);
  if (!fields) return false;
  const FieldDescriptor& field = *type.field(0);
  Field(field, ValuesOf(field, *fields));
  return true;
}

bool JsonPrinter::Value(std::string_view bytes) {
  const Descriptor& type = *google::protobuf::Value::descriptor();
  const auto fields = ReadFieldsOf(type, bytes);
  if (!fields) return false;
  if (fields->empty()) {
    out_.Word("null");
  } else {
    Field(*type.FindFieldByNumber(fields->back().number), *fields);
  }
  return true;
}

void JsonPrinter::Nested(const Descriptor& type, std::string_view bytes) {
  if (out_.depth() >= kDeepestJson) return TooDeep(bytes);
  if (!Print(type, bytes)) Invalid("not a message of type " + type.full_name(), bytes);
}

void JsonPrinter::Members(const Descriptor& type, const std::vector<WireField>& fields) {
  if (style_.defaults) {
    for (int i = 0; i < type.field_count(); ++i) {
      Member(*type.field(i), ValuesOf(*type.field(i), fields));
    }
    return;
  }
  Values rest = fields;
  while (!rest.empty()) {
    const FieldDescriptor& field = *type.FindFieldByNumber(rest.front().number);
    const Values values = ValuesOf(field, fields);
    Member(field, values);
    rest = rest.subspan(values.size());
  }
}

void JsonPrinter::Member(const FieldDescriptor& field, Values values) {
  if (IsUnset(field, values)) {
    if (!style_.defaults || !HasPrintableDefault(field)) return;
    values = {};
  }
  const std::string& name = style_.proto_names ? field.name() : field.json_name();
  const auto part = path_.Name(name);
  out_.Key(name);
  Field(field, values);
}

void JsonPrinter::Field(const FieldDescriptor& field, Values values) {
  if (field.is_repeated()) {
    if (!values.empty() && out_.depth() >= kDeepestJson) return TooDeep(Encoded(values));
    return field.is_map() ? Map(field, values) : List(field, values);
  }
  if (values.empty()) return One(field, DefaultOf(field));
  if (!IsMessage(field) || values.size() == 1) return One(field, values.back());
  // If a message comes in several parts, it has the fields of all of them.
  const std::string merged = Merged(values);
  WireField whole = values.back();
  whole.bytes = merged;
  One(field, whole);
}

void JsonPrinter::List(const FieldDescriptor& field, Values values) {
  size_t count = 0;
  out_.BeginList();
  for (const WireField& value : values) {
    if (!IsPacked(field, value)) {
      const auto part = path_.Index(count++);
      One(field, value);
      continue;
    }
    for (std::string_view rest = value.bytes; !rest.empty();) {
      const auto part = path_.Index(count++);
      const std::optional<WireField> number = TakePacked(field, &rest);
      if (!number) {
        Invalid("the list ends within a number", rest);
        break;
      }
      One(field, *number);
    }
  }
  out_.EndList();
}

void JsonPrinter::Map(const FieldDescriptor& field, Values values) {
  const FieldDescriptor& value = *field.message_type()->FindFieldByNumber(2);
  out_.BeginObject();
  for (const MapEntry& entry : EntriesOf(*field.message_type(), values)) {
    const auto part = path_.Key(entry.key);
    out_.Key(entry.key);
    if (entry.why_invalid.empty()) {
      Field(value, ValuesOf(value, entry.fields));
    } else {
      Invalid(entry.why_invalid, entry.bytes);
    }
  }
  out_.EndObject();
}

void JsonPrinter::One(const FieldDescriptor& field, const WireField& value) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_MESSAGE:
    case FieldDescriptor::TYPE_GROUP:
      return Nested(*field.message_type(), value.bytes);
    case FieldDescriptor::TYPE_STRING:
      return IsUtf8(value.bytes) ? out_.String(value.bytes)
                                 : Invalid(NotUtf8(value.bytes), value.bytes);
    case FieldDescriptor::TYPE_BYTES:
      return out_.Base64(value.bytes);
    case FieldDescriptor::TYPE_ENUM:
      return Enum(*field.enum_type(), static_cast<int>(value.value));
    case FieldDescriptor::TYPE_DOUBLE:
      return out_.Double(std::bit_cast<double>(value.value));
    case FieldDescriptor::TYPE_FLOAT:
      return out_.Float(std::bit_cast<float>(static_cast<uint32_t>(value.value)));
    default:
      break;
  }
  const bool has_64_bits = field.cpp_type() == FieldDescriptor::CPPTYPE_INT64 ||
                           field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
  const std::string number = WholeNumber(field, value.value);
  has_64_bits ? out_.String(number) : out_.Word(number);
}

void JsonPrinter::Enum(const google::protobuf::EnumDescriptor& type, int number) {
  if (type.full_name() == "google.protobuf.NullValue") return out_.Word("null");
  const auto* value = type.FindValueByNumber(number);
  value == nullptr ? out_.Word(std::to_string(number)) : out_.String(value->name());
}

void JsonPrinter::TooDeep(std::string_view bytes) {
  Invalid("nested more than " + std::to_string(kDeepestJson) + " levels deep", bytes);
}

void JsonPrinter::Invalid(const std::string& why, std::string_view bytes) {
  out_.BeginObject();
  out_.Key("@invalid");
  out_.String(why);
  out_.Key(kAnyBytes);
  out_.Base64(bytes);
  out_.EndObject();
  if (problems_.size() < kMostProblems) {
    problems_.push_back(path_.Prefixed(why));
  } else {
    ++more_problems_;
  }
}

}  // namespace ttrpc::tool
