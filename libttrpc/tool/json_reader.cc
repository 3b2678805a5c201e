// SPDX-License-Identifier: Apache-2.0
#include "json_reader.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "invalid.h"
#include "json_text.h"
#include "json_writer.h"
#include "text/escape.h"

namespace ttrpc::tool {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using text::QuoteShort;

namespace {

constexpr std::string_view kNeedsType =
    "an Any is an object with \"@type\", a string that is the URL of its type";

struct JsonMember {
  std::string name;
  std::string_view key;    // the name as it was written
  std::string_view value;  // empty until it is read
};

// Returns null if the type has no such field. Protobuf's parser reports it.
const FieldDescriptor* FieldOf(const Descriptor& type, std::string_view name) {
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == name) return type.field(i);
  }
  return type.FindFieldByName(std::string(name));
}

// Returns true if `null` and lists are values of the type, so that a list may contain them.
bool IsAnyJson(const FieldDescriptor& field) {
  return field.message_type() != nullptr &&
         field.message_type()->well_known_type() == Descriptor::WELLKNOWNTYPE_VALUE;
}

bool TakesNull(const FieldDescriptor& field) {
  return IsAnyJson(field) || (field.enum_type() != nullptr &&
                              field.enum_type()->full_name() == "google.protobuf.NullValue");
}

bool TakesList(const FieldDescriptor& field) {
  return IsAnyJson(field) ||
         (field.message_type() != nullptr &&
          field.message_type()->well_known_type() == Descriptor::WELLKNOWNTYPE_LISTVALUE);
}

std::string Repeated(std::string_view name) {
  return QuoteShort(name) + " is given more than once; leave out all but one";
}

bool IsQuoted(std::string_view token) { return token.starts_with('"') || token.starts_with('\''); }

}  // namespace

// Copies JSON of one type, and replaces each Any by one whose contents are bytes.
class JsonReader::Rewriter {
 public:
  // `json` must outlive the object.
  Rewriter(JsonReader* reader, std::string_view json)
      : reader_(reader), path_(&reader->path_), in_(json) {}

  // Fails if the text is not JSON, which is_json() reports, or has values that must be refused.
  Status Rewrite(const Descriptor& type);
  bool is_json() const { return is_json_; }
  const std::string& text() const { return out_; }

 private:
  Status Message(const Descriptor& type);
  Status Object(const Descriptor& type);
  Status Any();
  // Writes the contents in base64. `members` are all of the Any.
  Status Contents(std::string_view quoted_url, const std::vector<JsonMember>& members);
  // `field` is null if the type has no such field.
  Status Value(const FieldDescriptor* field);
  Status List(const FieldDescriptor& field);
  Status Map(const FieldDescriptor& field);
  Status One(const FieldDescriptor& field);
  Status Copy();

  // Takes an object, but leaves each value to `take_value`.
  Status Members(const std::function<Status(JsonMember&)>& take_value);
  // Copies an object, but leaves each value to `copy_value`, which gets its name.
  Status CopyMembers(const std::function<Status(const std::string&)>& copy_value);
  bool NextIsNull() const;

  Status NotJson() {
    is_json_ = false;
    return Invalid("not JSON");
  }
  Status Refuse(std::string_view why) const { return Invalid(path_->Prefixed(why)); }

  JsonReader* reader_;
  JsonPath* path_;
  JsonText in_;
  std::string out_;
  bool is_json_ = true;
};

Status JsonReader::Rewriter::Rewrite(const Descriptor& type) {
  if (Status status = Message(type); !status.ok()) return status;
  return in_.AtEnd() ? Status() : NotJson();
}

Status JsonReader::Rewriter::Message(const Descriptor& type) {
  const bool is_object = in_.Peek() == '{';
  if (type.well_known_type() == Descriptor::WELLKNOWNTYPE_ANY) {
    if (is_object) return Any();
    return NextIsNull() || in_.Peek() == '[' ? Copy() : Refuse(kNeedsType);
  }
  const bool has_fields = type.well_known_type() == Descriptor::WELLKNOWNTYPE_UNSPECIFIED;
  return has_fields && is_object ? Object(type) : Copy();
}

Status JsonReader::Rewriter::Object(const Descriptor& type) {
  return CopyMembers([&](const std::string& name) {
    const auto part = path_->Name(name);
    return Value(FieldOf(type, name));
  });
}

Status JsonReader::Rewriter::Map(const FieldDescriptor& field) {
  const FieldDescriptor& values = *field.message_type()->FindFieldByNumber(2);
  return CopyMembers([&](const std::string& name) {
    const auto part = path_->Key(name);
    if (NextIsNull() && !TakesNull(values))
      return Refuse("null cannot be a value of this map; leave it out");
    return One(values);
  });
}

Status JsonReader::Rewriter::List(const FieldDescriptor& field) {
  if (!in_.Take('[')) return NotJson();
  out_ += '[';
  for (size_t i = 0; !in_.Take(']'); ++i) {
    const auto part = path_->Index(i);
    if (i > 0) out_ += ',';
    if (NextIsNull() && !TakesNull(field))
      return Refuse("null cannot be an element of this list; leave it out");
    if (in_.Peek() == '[' && !TakesList(field)) {
      return Refuse("a list cannot be an element of this list; remove its brackets");
    }
    if (Status status = One(field); !status.ok()) return status;
    if (!in_.Take(',') && in_.Peek() != ']') return NotJson();
  }
  out_ += ']';
  return {};
}

Status JsonReader::Rewriter::Any() {
  std::vector<JsonMember> members;
  Status status = Members([&](JsonMember& member) {
    member.value = in_.TakeValue();
    if (member.value.empty()) return NotJson();
    members.push_back(std::move(member));
    return Status();
  });
  if (!status.ok()) return status;
  if (members.empty()) {
    out_ += "{}";
    return {};
  }
  for (const std::string_view name : {kAnyUrl, kAnyBytes}) {
    if (std::ranges::count(members, name, &JsonMember::name) > 1) return Refuse(Repeated(name));
  }
  const auto url = std::ranges::find(members, kAnyUrl, &JsonMember::name);
  const auto bytes = std::ranges::find(members, kAnyBytes, &JsonMember::name);
  if (url == members.end() || !IsQuoted(url->value) || url->value.size() == 2) {
    return Refuse(kNeedsType);
  }
  out_.append("{\"@type\":").append(url->value).append(",\"@value\":");
  if (bytes == members.end()) {
    status = Contents(url->value, members);
  } else if (members.size() > 2) {
    status = Refuse("\"@value\" holds all contents of the Any; leave out its other members");
  } else if (!IsQuoted(bytes->value)) {
    status = Refuse("\"@value\" is not a string; give the contents of the Any in base64");
  } else {
    out_ += bytes->value;
  }
  out_ += '}';
  return status;
}

Status JsonReader::Rewriter::Contents(std::string_view quoted_url,
                                      const std::vector<JsonMember>& members) {
  const std::optional<std::string> url = Unquoted(quoted_url);
  if (!url) return NotJson();
  const Descriptor* type = reader_->types_->FindByUrl(*url);
  if (type == nullptr) {
    return Refuse("the type " + QuoteShort(*url) +
                  " is unknown; add its schema, or give the contents in base64 as \"@value\"");
  }
  const bool is_value = type->well_known_type() != Descriptor::WELLKNOWNTYPE_UNSPECIFIED;
  std::string json = is_value ? "" : "{";
  for (const JsonMember& member : members) {
    if (member.name == kAnyUrl) continue;
    if (!is_value) {
      json.append(json.size() > 1 ? "," : "").append(member.key).append(":").append(member.value);
    } else if (member.name == "value") {
      if (!json.empty()) return Refuse(Repeated(member.name));
      json = member.value;
    } else {
      return Refuse("the contents of an Any of " + type->full_name() +
                    " belong in \"value\"; leave out " + QuoteShort(member.name));
    }
  }
  Result<std::string> bytes = std::string();
  if (is_value) {
    const auto part = path_->Name("value");
    if (!json.empty()) bytes = reader_->Encode(*type, json);
  } else {
    bytes = reader_->Encode(*type, json + "}");
  }
  if (!bytes) return bytes.error();
  out_ += '"';
  AppendBase64(*bytes, &out_);
  out_ += '"';
  return {};
}

Status JsonReader::Rewriter::Value(const FieldDescriptor* field) {
  if (field == nullptr) return Copy();
  if (field->is_map()) return in_.Peek() == '{' ? Map(*field) : Copy();
  return field->is_repeated() && in_.Peek() == '[' ? List(*field) : One(*field);
}

Status JsonReader::Rewriter::One(const FieldDescriptor& field) {
  return field.message_type() == nullptr ? Copy() : Message(*field.message_type());
}

Status JsonReader::Rewriter::Copy() {
  const std::string_view value = in_.TakeValue();
  if (value.empty()) return NotJson();
  out_ += value;
  return {};
}

Status JsonReader::Rewriter::Members(const std::function<Status(JsonMember&)>& take_value) {
  if (!in_.Take('{')) return NotJson();
  while (!in_.Take('}')) {
    JsonMember member;
    member.key = in_.TakeToken();
    if (member.key.empty() || !in_.Take(':')) return NotJson();
    std::optional<std::string> name = Unquoted(member.key);
    if (!name) return NotJson();
    member.name = std::move(*name);
    if (Status status = take_value(member); !status.ok()) return status;
    if (!in_.Take(',') && in_.Peek() != '}') return NotJson();
  }
  return {};
}

Status JsonReader::Rewriter::CopyMembers(
    const std::function<Status(const std::string&)>& copy_value) {
  char separator = '{';
  Status status = Members([&](JsonMember& member) {
    (out_ += std::exchange(separator, ',')).append(member.key) += ':';
    return copy_value(member.name);
  });
  out_ += separator == '{' ? "{}" : "}";
  return status;
}

bool JsonReader::Rewriter::NextIsNull() const {
  JsonText ahead = in_;
  return ahead.TakeToken() == "null";
}

Result<std::string> JsonReader::ToBytes(const Descriptor& type, std::string_view json) {
  if (DepthOfJson(json) > kDeepestJson) {
    return Invalid("objects and lists are nested more than " + std::to_string(kDeepestJson) +
                   " levels deep");
  }
  return Encode(type, json);
}

Result<std::string> JsonReader::Encode(const Descriptor& type, std::string_view json) {
  Rewriter rewriter(this, json);
  Status status = rewriter.Rewrite(type);
  if (!rewriter.is_json()) {
    // Protobuf's parser explains where the error is.
    const Result<std::string> parsed = Parse(type, json);
    return parsed ? status : parsed.error();
  }
  if (!status.ok()) return status;
  return Parse(type, rewriter.text());
}

Result<std::string> JsonReader::Parse(const Descriptor& type, std::string_view json) const {
  std::string bytes;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = allow_unknown_fields_;
  const auto status = google::protobuf::util::JsonToBinaryString(
      types_, TypeFinder::UrlOf(type), {json.data(), json.size()}, &bytes, options);
  if (status.ok()) return bytes;
  const std::string_view why(status.message().data(), status.message().size());
  if (!why.starts_with(": ")) return Invalid(path_.Prefixed(why));
  // Protobuf's path is empty, because the error is in the whole value.
  return Invalid(path_.empty() ? "the whole value" + std::string(why)
                               : path_.Prefixed(why.substr(2)));
}

}  // namespace ttrpc::tool
