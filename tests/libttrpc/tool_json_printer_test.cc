// SPDX-License-Identifier: Apache-2.0
//
// Replies as JSON: what protobuf's own printer prints, and what it cannot.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include "json_printer.h"
#include "json_testing.h"

namespace ttrpc::tool {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class JsonPrinterTest : public JsonTest {
 protected:
  // Prints a message with protobuf's printer.
  std::string ByProtobuf(const std::string& type, const std::string& bytes, JsonStyle style) const {
    const std::unique_ptr<google::protobuf::util::TypeResolver> types(
        google::protobuf::util::NewTypeResolverForDescriptorPool("type.googleapis.com",
                                                                 &schema_->pool()));
    google::protobuf::util::JsonPrintOptions options;
    options.add_whitespace = !style.compact;
    options.always_print_primitive_fields = style.defaults;
    options.preserve_proto_field_names = style.proto_names;
    std::string json;
    const auto status = google::protobuf::util::BinaryToJsonString(
        types.get(), "type.googleapis.com/values." + type, bytes, &json, options);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return json;
  }

  // Returns an entry of a map whose keys are texts and whose values are messages.
  static std::string Entry(std::string_view key, std::string_view value) {
    return Delimited(1, key) + Delimited(2, value);
  }

  // Returns a Tree with `depth` generations of children.
  static std::string Nested(size_t depth, std::string bytes) {
    for (; depth > 0; --depth) {
      std::string field = "\x1a";  // child
      size_t length = bytes.size();
      for (; length >= 0x80; length >>= 7) field += static_cast<char>((length & 0x7F) | 0x80);
      field += static_cast<char>(length);
      bytes.insert(0, field);
    }
    return bytes;
  }

  void ExpectLikeProtobuf(const std::string& type, const std::string& json) {
    google::protobuf::DynamicMessageFactory factory;
    const std::unique_ptr<google::protobuf::Message> message(
        factory.GetPrototype(&Type(type))->New());
    ASSERT_TRUE(message->ParseFromString(ToBytes(type, json))) << ToBytes(type, json);
    const std::string bytes = message->SerializeAsString();
    // Protobuf prints some of the default values, and all that follows them, in an order of its
    // own.
    const int styles = type == "Numbers" ? 8 : 4;
    for (int i = 0; i < styles; ++i) {
      const JsonStyle style = {(i & 1) != 0, (i & 4) != 0, (i & 2) != 0};
      EXPECT_EQ(ToJson(type, bytes, style), ByProtobuf(type, bytes, style));
      EXPECT_THAT(problems_, IsEmpty());
    }
  }
};

TEST_F(JsonPrinterTest, NumbersLikeProtobuf) {
  ExpectLikeProtobuf("Numbers", "{}");
  ExpectLikeProtobuf(
      "Numbers",
      R"({"i32":-1,"i64":"-9223372036854775808","u32":4294967295,"u64":"18446744073709551615",
          "s32":-2147483648,"s64":"-3","f32":4000000000,"f64":"5","sf32":-6,"sf64":"-7",
          "single":0.1,"number":1e20,"flag":true,"colour":"COLOUR_RED","packed":[1,-1,0],
          "unpacked":[0.1,"NaN","Infinity","-Infinity",100000,1e-7,-0.0,1.7976931348623157e308],
          "present":0})");
  for (const char* number : {"1e15", "1e16", "123456789.123456789", "3.4028234e38", "1e-30",
                             "16777217", "0.30000000000000004", "-2.5", "1e21"}) {
    ExpectLikeProtobuf("Numbers", std::string("{\"number\":") + number + "}");
    ExpectLikeProtobuf("Numbers", std::string("{\"single\":") + number + "}");
  }
  ExpectLikeProtobuf("Numbers", R"({"colour":7})");
}

TEST_F(JsonPrinterTest, MessagesLikeProtobuf) {
  ExpectLikeProtobuf("Tree", "{}");
  ExpectLikeProtobuf(
      "Tree",
      R"({"text":"a \" \\ \n \u0001 ü \u20ac \ud83d\ude00","raw":"AP8","child":{},"trees":[{},{"text":"b"}],
          "numbers":{"flag":true},"byName":{"k":{"text":"c"}},"byFlag":{"true":"2"},
          "byNumber":{"-4":"COLOUR_RED"},"tree":{},"words":["","x"]})");
  ExpectLikeProtobuf("Tree", R"({"word":""})");
  ExpectLikeProtobuf("Tree", R"({"any":{"@type":"type.googleapis.com/values.Tree","text":"in",
                                        "child":{"text":"3"}},
                                 "anys":[{"@type":"type.googleapis.com/values.Numbers"}]})");
}

TEST_F(JsonPrinterTest, WellKnownTypesLikeProtobuf) {
  ExpectLikeProtobuf("Known", "{}");
  ExpectLikeProtobuf("Known",
                     R"({"pause":"-1.5s","time":"2024-02-29T12:00:00.000001Z","mask":"a,fooBar.baz",
          "object":{"a":[1,{"b":null}]},"list":[true,"x",[]],"value":{"c":-1.5},"nothing":null,
          "number":0.5,"long":"7","text":"t","raw":"AA==","flag":false})");
  ExpectLikeProtobuf("Known", R"({"pause":"0s","time":"0001-01-01T00:00:00Z","mask":"","object":{},
                                  "list":[],"value":null,"number":0,"text":"","flag":true})");
  ExpectLikeProtobuf("Known", R"({"pause":"315576000000s","time":"9999-12-31T23:59:59.999999999Z",
                                  "value":[{}],"values":[null,1,"a",[null]],"lists":[[],[1]],
                                  "byName":{"n":null},"nothings":[null]})");
  for (const char* pause : {"0.000000001s", "-0.1s", "0.000001s", "-315576000000s", "3s"}) {
    ExpectLikeProtobuf("Known", std::string("{\"pause\":\"") + pause + "\"}");
  }
}

TEST_F(JsonPrinterTest, TheLastValueOfAFieldCounts) {
  EXPECT_EQ(ToJson("Numbers", "\x08\x01\x08\x02"), R"({"i32":2})");
  EXPECT_EQ(ToJson("Numbers", std::string_view("\x08\x01\x08\x00", 4)), "{}");
  // The parts of a message are merged.
  EXPECT_EQ(ToJson("Tree", Delimited(3, Delimited(1, "a")) + Delimited(3, Delimited(2, "b"))),
            R"({"child":{"text":"a","raw":"Yg=="}})");
  // Each value of a oneof replaces the others, and a part before them is gone.
  EXPECT_EQ(ToJson("Tree", Delimited(9, "w") + "\x58\x03"), R"({"count":3})");
  EXPECT_EQ(ToJson("Tree", "\x58\x03" + Delimited(9, "w")), R"({"word":"w"})");
  EXPECT_EQ(ToJson("Tree", Delimited(10, Delimited(1, "a")) + "\x58\x03" +
                               Delimited(10, Delimited(2, "b"))),
            R"({"tree":{"raw":"Yg=="}})");
  EXPECT_EQ(ToJson("Tree", Delimited(7, "\x08\x01\x10\x05") + Delimited(7, "\x08\x01\x10\x06") +
                               Delimited(7, "\x10\x07")),
            R"({"byFlag":{"true":"6","false":"7"}})");
}

TEST_F(JsonPrinterTest, UnknownFieldsAreLeftOut) {
  // Field 1 is also unknown if its wire type is another one.
  EXPECT_EQ(ToJson("Tree", std::string("\x08\x01\xa3\x06\x08\x01\xa4\x06\xfd\x01", 10) + "abcd" +
                               Delimited(1, "x")),
            R"({"text":"x"})");
  EXPECT_EQ(ToJson("Numbers", Delimited(15, "")), "{}");
  EXPECT_EQ(ToJson("Numbers", Delimited(15, "\x01") + "\x78\x02"), R"({"packed":[-1,1]})");
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(JsonPrinterTest, WhatIsNoMessageIsAnError) {
  for (const std::string_view bytes :
       {"\x0a", "\x0a\x05", "\x08", "\x08\xff", "\x09\x01", "\x0d\x01", "\x02\x01", "\x0b", "\x0c",
        "\x0e", "\x0b\x14", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"}) {
    EXPECT_EQ(ToJson("Tree", bytes), "INVALID_ARGUMENT: not a message of type values.Tree");
  }
  EXPECT_EQ(ToJson("Tree", std::string(1, '\0')),
            "INVALID_ARGUMENT: not a message of type values.Tree");
}

TEST_F(JsonPrinterTest, ABrokenAnyLeavesOthersOfItsTypeAlone) {
  const std::string whole = AnyBytes("values.Tree", Delimited(1, "a"));
  const std::string broken = AnyBytes("values.Tree", "\x08");
  const std::string shown_whole = R"({"@type":"values.Tree","text":"a"})";
  const std::string shown_broken = R"({"@type":"values.Tree","@value":"CA=="})";
  EXPECT_EQ(ToJson("Tree", Delimited(13, whole) + Delimited(13, broken) + Delimited(13, whole)),
            "{\"anys\":[" + shown_whole + "," + shown_broken + "," + shown_whole + "]}");
  EXPECT_EQ(ToJson("Tree", Delimited(13, broken) + Delimited(12, whole)),
            "{\"any\":" + shown_whole + ",\"anys\":[" + shown_broken + "]}");
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(JsonPrinterTest, AWellKnownTypeInAnAnyNeedsNoPrefix) {
  EXPECT_EQ(ToJson("Tree", Delimited(12, AnyBytes("google.protobuf.Duration", "\x08\x02"))),
            R"({"any":{"@type":"google.protobuf.Duration","value":"2s"}})");
  EXPECT_EQ(ToJson("Tree", Delimited(12, AnyBytes("a/b/google.protobuf.Value", "\x20\x01"))),
            R"({"any":{"@type":"a/b/google.protobuf.Value","value":true}})");
}

TEST_F(JsonPrinterTest, TextThatIsNotUtf8IsMarked) {
  EXPECT_EQ(ToJson("Tree", Delimited(1, "caf\xe9") + Delimited(14, "a") + Delimited(14, "\xff")),
            R"({"text":{"@invalid":"not UTF-8: caf\\xe9","@value":"Y2Fm6Q=="},)"
            R"("words":["a",{"@invalid":"not UTF-8: \\xff","@value":"/w=="}]})");
  EXPECT_THAT(problems_, ElementsAre("text: not UTF-8: caf\\xe9", "words[1]: not UTF-8: \\xff"));
  EXPECT_EQ(
      ToJson("Tree", Delimited(6, Delimited(1, "k\xff") + Delimited(2, "")) +
                         Delimited(6, Delimited(1, "k") + Delimited(2, Delimited(1, "\xfe")))),
      R"({"byName":{"k\\xff":{"@invalid":"the key is not UTF-8: k\\xff","@value":"CgJr/xIA"},)"
      R"("k":{"text":{"@invalid":"not UTF-8: \\xfe","@value":"/g=="}}}})");
  EXPECT_THAT(problems_, SizeIs(2));
  EXPECT_THAT(problems_[1], StartsWith("byName[\"k\"].text: "));
}

TEST_F(JsonPrinterTest, EachBrokenEntryOfAMapIsMarked) {
  EXPECT_EQ(ToJson("Tree", Delimited(6, "\x08") + Delimited(6, Entry("", Delimited(1, "a"))) +
                               Delimited(6, "\x0a")),
            R"({"byName":{"@entry":{"@invalid":"not an entry of a map","@value":"CA=="},)"
            R"("":{"text":"a"},)"
            R"("@entry#2":{"@invalid":"not an entry of a map","@value":"Cg=="}}})");
  EXPECT_THAT(problems_, ElementsAre("byName[\"@entry\"]: not an entry of a map",
                                     "byName[\"@entry#2\"]: not an entry of a map"));
  EXPECT_EQ(ToJson("Tree", Delimited(7, "\x08") + Delimited(7, std::string_view("\x08\x00", 2))),
            R"({"byFlag":{"@entry":{"@invalid":"not an entry of a map","@value":"CA=="},)"
            R"("false":"0"}})");
}

TEST_F(JsonPrinterTest, AKeyThatIsNotUtf8HasANameOfItsOwn) {
  EXPECT_EQ(ToJson("Tree", Delimited(6, Entry("\xff", "")) + Delimited(6, Entry("\xfe", "")) +
                               Delimited(6, Entry("\xef\xbf\xbd", "")) +
                               Delimited(6, Entry("\\xfe", "")) + Delimited(6, Entry("\xff", ""))),
            R"({"byName":{"\\xff":{"@invalid":"the key is not UTF-8: \\xff","@value":"CgH/EgA="},)"
            R"("\\xfe#2":{"@invalid":"the key is not UTF-8: \\xfe","@value":"CgH+EgA="},)"
            "\"\xef\xbf\xbd\":{},"
            R"("\\xfe":{},)"
            R"("\\xff#2":{"@invalid":"the key is not UTF-8: \\xff","@value":"CgH/EgA="}}})");
  EXPECT_THAT(problems_, SizeIs(3));
}

TEST_F(JsonPrinterTest, TimesOutOfRangeAreMarked) {
  // 400,000,000,000 s, and nanoseconds with another sign than the seconds.
  EXPECT_EQ(
      ToJson("Known", Delimited(1, "\x08\x80\xc0\xee\x8e\xd2\x0b") + Delimited(10, "\x0a\x01t")),
      R"({"pause":{"@invalid":"seconds 400000000000 and nanos 0 are not a valid Duration",)"
      R"("@value":"CIDA7o7SCw=="},"text":"t"})");
  EXPECT_THAT(problems_,
              ElementsAre("pause: seconds 400000000000 and nanos 0 are not a valid Duration"));
  EXPECT_THAT(ToJson("Known", Delimited(1, "\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")),
              HasSubstr("seconds 1 and nanos -1 are not a valid Duration"));
  EXPECT_THAT(ToJson("Known", Delimited(2, "\x08\x80\xc0\xee\x8e\xd2\x0b")),
              HasSubstr("seconds 400000000000 and nanos 0 are not a valid Timestamp"));
  EXPECT_THAT(ToJson("Known", Delimited(2, "\x10\x80\x94\xeb\xdc\x03")),
              HasSubstr("seconds 0 and nanos 1000000000 are not a valid Timestamp"));
  EXPECT_THAT(ToJson("Known", Delimited(2, "\x08")),
              HasSubstr("not a message of type google.protobuf.Timestamp"));
}

TEST_F(JsonPrinterTest, AFieldMaskWithoutAJsonFormIsMarked) {
  EXPECT_EQ(ToJson("Known", Delimited(3, Delimited(1, "a") + Delimited(1, "Foo"))),
            R"({"mask":{"@invalid":"a path of this FieldMask is not in lower case: \"a,Foo\"",)"
            R"("@value":"CgFhCgNGb28="}})");
  EXPECT_THAT(ToJson("Known", Delimited(3, Delimited(1, "\xff"))),
              HasSubstr(R"("a path is not UTF-8: \\xff")"));
}

TEST_F(JsonPrinterTest, AnAnyWithoutATypeIsMarked) {
  EXPECT_EQ(ToJson("Tree", Delimited(1, "t") + Delimited(12, Delimited(2, "x")) +
                               Delimited(13, AnyBytes("values.Tree", Delimited(1, "y")))),
            R"({"text":"t","any":{"@invalid":"an Any without a type URL","@value":"eA=="},)"
            R"("anys":[{"@type":"values.Tree","text":"y"}]})");
  EXPECT_THAT(problems_, ElementsAre("any: an Any without a type URL"));
  EXPECT_EQ(ToJson("Tree", Delimited(12, "")), R"({"any":{}})");
  EXPECT_EQ(ToJson("Tree", Delimited(12, Delimited(1, "a\xff") + Delimited(2, "x"))),
            R"({"any":{"@invalid":"the type URL is not UTF-8: a\\xff","@value":"eA=="}})");
}

TEST_F(JsonPrinterTest, APartThatIsNoMessageIsMarked) {
  EXPECT_EQ(ToJson("Tree", Delimited(1, "t") + Delimited(3, "\x08") + Delimited(14, "w")),
            R"({"text":"t","child":{"@invalid":"not a message of type values.Tree",)"
            R"("@value":"CA=="},"words":["w"]})");
  EXPECT_THAT(problems_, ElementsAre("child: not a message of type values.Tree"));
  EXPECT_THAT(ToJson("Tree", Delimited(7, "\x08")), HasSubstr("not an entry of a map"));
  EXPECT_EQ(ToJson("Numbers", Delimited(15, "\x02\xff")),
            R"({"packed":[1,{"@invalid":"the list ends within a number","@value":"/w=="}]})");
  EXPECT_THAT(problems_, ElementsAre("packed[1]: the list ends within a number"));
}

TEST_F(JsonPrinterTest, DeepMessagesArePrintedToALimit) {
  EXPECT_THAT(ToJson("Tree", Nested(kDeepestJson - 1, "")),
              EndsWith("{\"child\":{}" + std::string(99, '}')));
  EXPECT_THAT(problems_, IsEmpty());
  EXPECT_THAT(ToJson("Tree", Nested(1099, "")),
              HasSubstr(R"({"child":{"@invalid":"nested more than 100 )"));
  ASSERT_THAT(problems_, SizeIs(1));
  EXPECT_THAT(problems_[0], EndsWith("child.child: nested more than 100 levels deep"));
}

TEST_F(JsonPrinterTest, AListThatIsTooDeepIsMarkedWithItsEncoding) {
  const auto innermost = [this](const std::string& bytes) {
    return ToJson("Tree", Nested(kDeepestJson - 1, bytes));
  };
  constexpr char kWhy[] = R"({"@invalid":"nested more than 100 levels deep","@value":)";
  EXPECT_THAT(innermost(Delimited(14, "a") + Delimited(1, "t") + Delimited(14, "b")),
              HasSubstr(std::string(R"({"text":"t","words":)") + kWhy + R"("cgFhcgFi"}})"));
  EXPECT_THAT(problems_, ElementsAre(EndsWith(".words: nested more than 100 levels deep")));
  EXPECT_THAT(innermost(Delimited(7, "\x08\x01")),
              HasSubstr(std::string(R"({"byFlag":)") + kWhy + R"("OgIIAQ=="}})"));
}

TEST_F(JsonPrinterTest, GroupsArePrintedToALimit) {
  google::protobuf::FileDescriptorProto file;
  file.set_name("group.proto");
  auto* type = file.add_message_type();
  type->set_name("Nest");
  auto* group = type->add_field();
  group->set_name("nest");
  group->set_number(1);
  group->set_type(google::protobuf::FieldDescriptorProto::TYPE_GROUP);
  group->set_type_name(".Nest");
  auto* number = type->add_field();
  number->set_name("n");
  number->set_number(2);
  number->set_type(google::protobuf::FieldDescriptorProto::TYPE_INT32);
  google::protobuf::DescriptorPool pool;
  ASSERT_NE(pool.BuildFile(file), nullptr);
  JsonCodec codec(&pool, {.compact = true});
  const auto to_json = [&](std::string_view bytes) {
    const Result<std::string> json =
        codec.ToJson(*pool.FindMessageTypeByName("Nest"), bytes, &problems_);
    return json ? *json : json.error().ToString();
  };
  EXPECT_EQ(to_json("\x0b\x10\x05\x0c\x10\x06"), "{\"nest\":{\"n\":5},\"n\":6}\n");
  // The tag at the end is longer than it need be.
  EXPECT_EQ(to_json(std::string_view("\x0b\x10\x05\x8c\x00\x10\x06", 7)),
            "{\"nest\":{\"n\":5},\"n\":6}\n");
  EXPECT_THAT(to_json(std::string(150, '\x0b') + std::string(150, '\x0c') + "\x10\x06"),
              EndsWith("}" + std::string(99, '}') + ",\"n\":6}\n"));
  EXPECT_THAT(problems_, ElementsAre(EndsWith("nest.nest: nested more than 100 levels deep")));
  EXPECT_EQ(to_json("\x0b\x13\x0c\x14"), "INVALID_ARGUMENT: not a message of type Nest");
  EXPECT_EQ(to_json("\x0b\x10"), "INVALID_ARGUMENT: not a message of type Nest");
  // Groups that the schema does not have may be nested deeper.
  EXPECT_EQ(to_json(std::string(150, '\x1b') + std::string(150, '\x1c') + "\x10\x06"),
            "{\"n\":6}\n");
}

TEST_F(JsonPrinterTest, UnknownGroupsInATimeAreLeftOut) {
  EXPECT_EQ(ToJson("Known", "\x0a\xae\x02" + std::string(150, '\x1b') + std::string(150, '\x1c') +
                                "\x08\x02"),
            R"({"pause":"2s"})");
}

TEST_F(JsonPrinterTest, ManyProblemsAreCounted) {
  std::string bytes;
  for (int i = 0; i < 25; ++i) bytes += Delimited(14, "\xff");
  ToJson("Tree", bytes);
  ASSERT_THAT(problems_, SizeIs(11));
  EXPECT_EQ(problems_[9], "words[9]: not UTF-8: \\xff");
  EXPECT_EQ(problems_[10], "values without a JSON form that are not listed here: 15");
}

TEST_F(JsonPrinterTest, ASchemaMayDefineWellKnownTypesDifferently) {
  google::protobuf::FileDescriptorProto file;
  file.set_name("odd.proto");
  file.set_package("google.protobuf");
  for (const char* name : {"StringValue", "Value", "Struct", "Duration", "Any", "FieldMask"}) {
    auto* type = file.add_message_type();
    type->set_name(name);
    auto* field = type->add_field();
    field->set_name("self");
    field->set_number(1);
    field->set_type(google::protobuf::FieldDescriptorProto::TYPE_MESSAGE);
    field->set_type_name(std::string(".google.protobuf.") + name);
  }
  google::protobuf::DescriptorPool pool;
  ASSERT_NE(pool.BuildFile(file), nullptr);
  JsonCodec codec(&pool, {.compact = true});
  for (const auto& type : file.message_type()) {
    const auto* found = pool.FindMessageTypeByName("google.protobuf." + type.name());
    std::string bytes;
    for (int i = 0; i < 30; ++i) bytes = Delimited(1, bytes);
    EXPECT_TRUE(codec.ToJson(*found, bytes));
    EXPECT_TRUE(codec.ToJson(*found, ""));
  }
}

}  // namespace
}  // namespace ttrpc::tool
