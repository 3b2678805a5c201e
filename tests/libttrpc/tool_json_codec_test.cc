// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include "json_codec.h"
#include "tool_testing.h"

namespace ttrpc::tool {
namespace {

using ::testing::HasSubstr;

using google::protobuf::Any;

class JsonCodecTest : public SchemaTest {
 protected:
  JsonCodecTest() : schema_(LoadChat()) {}

  const google::protobuf::Descriptor& Type(const std::string& name) const {
    return *schema_->pool().FindMessageTypeByName(name);
  }
  JsonCodec Codec(JsonStyle style = {.compact = true}) const {
    return JsonCodec(&schema_->pool(), style);
  }
  // Converts JSON to bytes and back.
  std::string RoundTrip(const std::string& json, JsonStyle style = {.compact = true}) const {
    JsonCodec codec(&schema_->pool(), style);
    const Result<std::string> bytes = codec.ToBytes(Type("example.Note"), json);
    if (!bytes) return bytes.error().ToString();
    const Result<std::string> back = codec.ToJson(Type("example.Note"), *bytes);
    return back ? *back : back.error().ToString();
  }
  static std::string NoteWith(const Any& any) {
    const std::string bytes = any.SerializeAsString();
    return "\x2a" + std::string(1, static_cast<char>(bytes.size())) + bytes;
  }
  static Any AnyOf(const std::string& url, const std::string& value) {
    Any any;
    any.set_type_url(url);
    any.set_value(value);
    return any;
  }

  std::unique_ptr<Schema> schema_;
};

TEST_F(JsonCodecTest, BytesOnTheWire) {
  JsonCodec codec(&schema_->pool(), {});
  EXPECT_EQ(codec.ToBytes(Type("example.Note"), R"({"text":"hi","number":"3"})").value(),
            "\x0a\x02hi\x10\x03");
  EXPECT_EQ(codec.ToBytes(Type("example.Note"), "{}").value(), "");
}

TEST_F(JsonCodecTest, EnumsAreNamesAndLongNumbersStrings) {
  EXPECT_EQ(RoundTrip(R"({"number":5,"mood":"MOOD_GOOD","pause":"1.5s","raw":"AP8="})"),
            "{\"number\":\"5\",\"mood\":\"MOOD_GOOD\",\"pause\":\"1.500s\",\"raw\":\"AP8=\"}\n");
  EXPECT_EQ(RoundTrip(R"({"mood":7})"), "{\"mood\":7}\n");
}

TEST_F(JsonCodecTest, BothNamesOfAFieldAreRead) {
  EXPECT_EQ(RoundTrip(R"({"reply_to":"x"})"), "{\"replyTo\":\"x\"}\n");
  EXPECT_EQ(RoundTrip(R"({"replyTo":"x"})", {.proto_names = true, .compact = true}),
            "{\"reply_to\":\"x\"}\n");
}

TEST_F(JsonCodecTest, StylesOfPrinting) {
  EXPECT_EQ(RoundTrip(R"({"text":"a","pause":"1s"})", {}),
            "{\n \"text\": \"a\",\n \"pause\": \"1s\"\n}\n");
  EXPECT_EQ(RoundTrip("{}", {}), "{}\n");
  EXPECT_EQ(RoundTrip("{}", {.defaults = true, .compact = true}),
            R"({"text":"","number":"0","mood":"MOOD_UNKNOWN","replyTo":"",)"
            "\"raw\":\"\"}\n");
}

TEST_F(JsonCodecTest, WhatIsNoSuchMessageIsRefused) {
  EXPECT_THAT(RoundTrip(R"({"txt":"a"})"), HasSubstr("INVALID_ARGUMENT: txt: Cannot find field."));
  EXPECT_THAT(RoundTrip(R"({"number":"x"})"), HasSubstr("INVALID_ARGUMENT: "));
  EXPECT_THAT(RoundTrip(R"({"text":"a")"), HasSubstr("INVALID_ARGUMENT: "));
  EXPECT_THAT(RoundTrip("}"), HasSubstr("INVALID_ARGUMENT: "));
  EXPECT_THAT(RoundTrip(std::string(100'000, '[')), HasSubstr("INVALID_ARGUMENT: "));
}

TEST_F(JsonCodecTest, BytesThatAreNoMessageAreRefused) {
  JsonCodec codec(&schema_->pool(), {});
  EXPECT_EQ(codec.ToJson(Type("example.Note"), "\x0a\x7fshort").error().ToString(),
            "INVALID_ARGUMENT: not a message of type example.Note");
}

TEST_F(JsonCodecTest, AnAnyOfAKnownTypeIsDecoded) {
  EXPECT_EQ(RoundTrip(R"({"extra":{"@type":"type.googleapis.com/example.Fault","code":3}})"),
            "{\"extra\":{\"@type\":\"type.googleapis.com/example.Fault\",\"code\":3}}\n");
  EXPECT_EQ(RoundTrip(R"({"extra":{"@type":"type.googleapis.com/google.protobuf.Duration",)"
                      R"("value":"2s"}})"),
            "{\"extra\":{\"@type\":\"type.googleapis.com/google.protobuf.Duration\","
            "\"value\":\"2s\"}}\n");
}

TEST_F(JsonCodecTest, TheUrlOfAnAnyNeedsNoPrefix) {
  EXPECT_EQ(RoundTrip(R"({"extra":{"@type":"example.Fault","code":3}})"),
            "{\"extra\":{\"@type\":\"example.Fault\",\"code\":3}}\n");
}

TEST_F(JsonCodecTest, AnAnyOfATypeNobodyImportedIsDecodedIfItIsProtobufsOwn) {
  EXPECT_EQ(RoundTrip(R"({"extra":{"@type":"type.googleapis.com/google.protobuf.Int32Value",)"
                      R"("value":2}})"),
            "{\"extra\":{\"@type\":\"type.googleapis.com/google.protobuf.Int32Value\","
            "\"value\":2}}\n");
}

TEST_F(JsonCodecTest, AnAnyOfAnUnknownTypeShowsItsBytes) {
  JsonCodec codec(&schema_->pool(), {.compact = true});
  for (const char* url : {"type.googleapis.com/no.Such", "no.Such", "types.example.com/a/b/1/C"}) {
    EXPECT_EQ(codec.ToJson(Type("example.Note"), NoteWith(AnyOf(url, "\x01\x02\xFF"))).value(),
              "{\"extra\":{\"@type\":\"" + std::string(url) + "\",\"@value\":\"AQL/\"}}\n");
  }
}

TEST_F(JsonCodecTest, AnAnyThatIsNotWhatItSaysShowsItsBytes) {
  JsonCodec codec(&schema_->pool(), {.compact = true});
  const Any liar = AnyOf("type.googleapis.com/example.Fault", "\xFF");
  const std::string shown = "{\"@type\":\"type.googleapis.com/example.Fault\",\"@value\":\"/w==\"}";
  EXPECT_EQ(codec.ToJson(Type("example.Note"), NoteWith(liar)).value(),
            "{\"extra\":" + shown + "}\n");
  EXPECT_EQ(codec.AnyToJson(liar), shown);
  // The next Any with this type is decoded again.
  EXPECT_EQ(codec.AnyToJson(AnyOf("type.googleapis.com/example.Fault", "\x08\x07")),
            "{\"@type\":\"type.googleapis.com/example.Fault\",\"code\":7}");
}

TEST_F(JsonCodecTest, AnAnyWithinAnAny) {
  Any outer = AnyOf("example.Note", NoteWith(AnyOf("no.Such", "x")));
  JsonCodec codec(&schema_->pool(), {.compact = true});
  EXPECT_EQ(codec.AnyToJson(outer),
            "{\"@type\":\"example.Note\",\"extra\":{\"@type\":\"no.Such\",\"@value\":\"eA==\"}}");
  // A hostile server may nest as deeply as it likes.
  for (int i = 0; i < 2000; ++i) outer = AnyOf("google.protobuf.Any", outer.SerializeAsString());
  EXPECT_THAT(codec.AnyToJson(outer), HasSubstr("google.protobuf.Any"));
}

TEST_F(JsonCodecTest, WithoutASchemaTheCommonTypesAreKnown) {
  JsonCodec codec(nullptr, {});
  google::protobuf::Duration duration;
  duration.set_seconds(3);
  Any any;
  any.PackFrom(duration);
  EXPECT_EQ(codec.AnyToJson(any),
            "{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"3s\"}");
  EXPECT_EQ(codec.AnyToJson(AnyOf("type.googleapis.com/google.rpc.ErrorInfo",
                                  "\x0a\x01r\x12\x01"
                                  "d\x1a\x06\x0a\x01k\x12\x01v")),
            "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"r\","
            "\"domain\":\"d\",\"metadata\":{\"k\":\"v\"}}");
  EXPECT_EQ(codec.AnyToJson(AnyOf("type.googleapis.com/google.rpc.RetryInfo", "\x0a\x02\x08\x05")),
            "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"5s\"}");
  EXPECT_EQ(codec.AnyToJson(AnyOf("example.Fault", "x")),
            "{\"@type\":\"example.Fault\",\"@value\":\"eA==\"}");
  EXPECT_EQ(codec.AnyToJson(Any()), "{}");
}

}  // namespace
}  // namespace ttrpc::tool
