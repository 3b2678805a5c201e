// SPDX-License-Identifier: Apache-2.0
#include "json_codec.h"

#include <google/protobuf/type.pb.h>
#include <google/protobuf/util/type_resolver.h>
#include <google/protobuf/util/type_resolver_util.h>
#include <google/protobuf/wrappers.pb.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "error_details.h"
#include "invalid.h"

namespace ttrpc::tool {

using google::protobuf::Any;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::JsonPrintOptions;
using google::protobuf::util::TypeResolver;

namespace {

using UtilStatus = google::protobuf::util::Status;

constexpr std::string_view kPrefix = "type.googleapis.com";

// An Any may contain another one, and so on. This is the depth to which they are decoded. Protobuf
// limits the depth of messages, but treats the contents of an Any as bytes.
constexpr int kDeepestAny = 16;

std::string NameOf(const std::string& url) { return url.substr(url.rfind('/') + 1); }
std::string UrlOf(const std::string& name) { return std::string(kPrefix) + "/" + name; }

}  // namespace

// Finds types by the part of their URL after the last slash, because containerd's URLs often have
// nothing else. It searches the schema's pool, then protobuf's own types and those of google.rpc.
class JsonCodec::Resolver final : public TypeResolver {
 public:
  explicit Resolver(const DescriptorPool* pool) {
    if (pool != nullptr) Add(pool);
    Add(DescriptorPool::generated_pool());
    Add(&ErrorDetailTypes());
  }

  const Descriptor* Find(const std::string& name) const {
    for (const Pool& pool : pools_) {
      if (const auto* type = pool.pool->FindMessageTypeByName(name)) return type;
    }
    return nullptr;
  }

  // Shows the type of `url` as a BytesValue whose field is called `@value`.
  void Hide(const std::string& url) { hidden_.push_back(url); }
  void HideNothing() { hidden_.clear(); }

  UtilStatus ResolveMessageType(const std::string& url, google::protobuf::Type* type) override {
    for (const std::string& hidden : hidden_) {
      if (url == hidden) return DescribeHidden(url, type);
    }
    UtilStatus status;
    for (const Pool& pool : pools_) {
      status = pool.resolver->ResolveMessageType(UrlOf(NameOf(url)), type);
      if (status.ok()) break;
    }
    return status;
  }

  UtilStatus ResolveEnumType(const std::string& url, google::protobuf::Enum* type) override {
    UtilStatus status;
    for (const Pool& pool : pools_) {
      status = pool.resolver->ResolveEnumType(UrlOf(NameOf(url)), type);
      if (status.ok()) break;
    }
    return status;
  }

 private:
  struct Pool {
    const DescriptorPool* pool;
    std::unique_ptr<TypeResolver> resolver;
  };

  void Add(const DescriptorPool* pool) {
    std::unique_ptr<TypeResolver> resolver(
        google::protobuf::util::NewTypeResolverForDescriptorPool(std::string(kPrefix), pool));
    pools_.push_back({pool, std::move(resolver)});
  }

  static UtilStatus DescribeHidden(const std::string& url, google::protobuf::Type* type) {
    type->set_name(NameOf(url));
    google::protobuf::Field* field = type->add_fields();
    field->set_kind(google::protobuf::Field::TYPE_BYTES);
    field->set_cardinality(google::protobuf::Field::CARDINALITY_OPTIONAL);
    field->set_number(1);
    field->set_name("@value");
    field->set_json_name("@value");
    type->set_syntax(google::protobuf::SYNTAX_PROTO3);
    return {};
  }

  std::vector<Pool> pools_;
  std::vector<std::string> hidden_;
};

JsonCodec::JsonCodec(const DescriptorPool* pool, JsonStyle style)
    : style_(style), resolver_(std::make_unique<Resolver>(pool)) {}

JsonCodec::~JsonCodec() = default;

Result<std::string> JsonCodec::ToBytes(const Descriptor& type, std::string_view json) {
  std::string bytes;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = style_.allow_unknown_fields;
  const UtilStatus status = google::protobuf::util::JsonToBinaryString(
      resolver_.get(), UrlOf(type.full_name()), {json.data(), json.size()}, &bytes, options);
  if (!status.ok()) return Invalid(std::string(status.message()));
  return bytes;
}

Result<std::string> JsonCodec::ToJson(const Descriptor& type, const std::string& bytes) {
  const std::unique_ptr<Message> message(factory_.GetPrototype(&type)->New());
  if (!message->ParsePartialFromString(bytes)) {
    return Invalid("not a message of type " + type.full_name());
  }
  resolver_->HideNothing();
  MakeAnysPrintable(message.get(), 0);
  JsonPrintOptions options;
  options.add_whitespace = !style_.compact;
  options.always_print_primitive_fields = style_.defaults;
  options.preserve_proto_field_names = style_.proto_names;
  Result<std::string> json = Print(*message, options);
  if (json && !json->ends_with('\n')) *json += '\n';
  return json;
}

std::string JsonCodec::AnyToJson(const Any& any) {
  JsonPrintOptions options;
  options.always_print_primitive_fields = style_.defaults;
  options.preserve_proto_field_names = style_.proto_names;
  Any printable = any;
  resolver_->HideNothing();
  MakeAnyPrintable(&printable, 0);
  Result<std::string> json = Print(printable, options);
  if (!json) {
    printable = any;
    Hide(&printable);
    json = Print(printable, options);
  }
  return json ? *json : "{}";
}

Result<std::string> JsonCodec::Print(const Message& message, const JsonPrintOptions& options) {
  std::string json;
  const UtilStatus status = google::protobuf::util::BinaryToJsonString(
      resolver_.get(), UrlOf(message.GetDescriptor()->full_name()),
      message.SerializePartialAsString(), &json, options);
  if (!status.ok()) return Invalid(std::string(status.message()));
  return json;
}

// Returns true if the message contains an Any.
bool JsonCodec::MakeAnysPrintable(Message* message, int depth) {
  if (message->GetDescriptor()->full_name() == Any::descriptor()->full_name()) {
    MakeAnyPrintable(message, depth);
    return true;
  }
  bool found = false;
  std::vector<const FieldDescriptor*> fields;
  const auto* reflection = message->GetReflection();
  reflection->ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      found = MakeAnysPrintable(reflection->MutableMessage(message, field), depth) || found;
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
      found =
          MakeAnysPrintable(reflection->MutableRepeatedMessage(message, field, i), depth) || found;
    }
  }
  return found;
}

void JsonCodec::MakeAnyPrintable(Message* any, int depth) {
  const auto* reflection = any->GetReflection();
  const auto* value = any->GetDescriptor()->FindFieldByNumber(2);
  const std::string url = reflection->GetString(*any, any->GetDescriptor()->FindFieldByNumber(1));
  if (url.empty()) return;
  const Descriptor* type = depth < kDeepestAny ? resolver_->Find(NameOf(url)) : nullptr;
  const std::unique_ptr<Message> held(type == nullptr ? nullptr
                                                      : factory_.GetPrototype(type)->New());
  if (!held || !held->ParsePartialFromString(reflection->GetString(*any, value))) {
    Hide(any);
  } else if (MakeAnysPrintable(held.get(), depth + 1)) {
    reflection->SetString(any, value, held->SerializePartialAsString());
  }
}

void JsonCodec::Hide(Message* any) {
  const auto* reflection = any->GetReflection();
  const auto* url = any->GetDescriptor()->FindFieldByNumber(1);
  const auto* value = any->GetDescriptor()->FindFieldByNumber(2);
  resolver_->Hide(reflection->GetString(*any, url));
  google::protobuf::BytesValue bytes;
  bytes.set_value(reflection->GetString(*any, value));
  reflection->SetString(any, value, bytes.SerializeAsString());
}

}  // namespace ttrpc::tool
