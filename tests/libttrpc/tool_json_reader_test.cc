// SPDX-License-Identifier: Apache-2.0
//
// Requests from JSON: what protobuf's own parser refuses, drops or takes too long for.
#include <gmock/gmock.h>

#include "json_reader.h"
#include "json_testing.h"

namespace ttrpc::tool {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class JsonReaderTest : public JsonTest {
 protected:
  // Expects that JSON is read and printed unchanged.
  void ExpectSame(const std::string& type, const std::string& json) {
    EXPECT_EQ(RoundTrip(type, json), json);
  }
};

TEST_F(JsonReaderTest, AnAnyMayBeGivenAsBytes) {
  // This is what the tool prints for the `spec` of containerd's Exec.
  ExpectSame("Tree",
             R"({"any":{"@type":"types.containerd.io/opencontainers/runtime-spec/1/Process",)"
             R"("@value":"eyJhcmdzIjpbInNoIl19"}})");
  EXPECT_EQ(ToBytes("Tree", R"({"any":{"@value":"eA==","@type":"no.Such"},"words":["w"]})"),
            Delimited(12, AnyBytes("no.Such", "x")) + Delimited(14, "w"));
  ExpectSame("Tree", R"({"any":{"@type":"no.Such","@value":""}})");
  EXPECT_EQ(RoundTrip("Tree", R"({"any":{"@type":"no.Such","@value":"_-8"}})"),
            R"({"any":{"@type":"no.Such","@value":"/+8="}})");
}

TEST_F(JsonReaderTest, AnAnyOfAKnownTypeMayBeGivenAsBytes) {
  EXPECT_EQ(RoundTrip("Tree", R"({"any":{"@type":"values.Tree","@value":"CgFh"}})"),
            R"({"any":{"@type":"values.Tree","text":"a"}})");
  EXPECT_EQ(RoundTrip("Tree", R"({"any":{"@type":"type.googleapis.com/google.protobuf.Duration",)"
                              R"("@value":"CAI="}})"),
            R"({"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"2s"}})");
  ExpectSame("Tree", R"({"any":{"@type":"values.Tree","@value":"CA=="}})");
}

TEST_F(JsonReaderTest, AnAnyMayBeAnywhere) {
  const std::string any = R"({"@type":"no.Such","@value":"eA=="})";
  ExpectSame("Tree", "{\"anys\":[" + any + ",{}," + any + "]}");
  ExpectSame("Tree", "{\"trees\":[{\"any\":" + any + "}]}");
  ExpectSame("Tree", "{\"byName\":{\"k\":{\"tree\":{\"any\":" + any + "}}}}");
  ExpectSame("Known", "{\"anys\":{\"k\":" + any + "}}");
  ExpectSame("Tree", R"({"any":{"@type":"values.Tree","anys":[)" + any + "]}}");
  ExpectSame("Tree", R"({"any":{"@type":"google.protobuf.Any","value":)" + any + "}}");
  ExpectSame("Known", R"({"object":{"@type":"x","@value":"y"}})");
  JsonCodec codec(nullptr, {.compact = true});
  const auto& type = *google::protobuf::Any::descriptor();
  EXPECT_EQ(codec.ToJson(type, codec.ToBytes(type, any).value()).value(), any + "\n");
}

TEST_F(JsonReaderTest, AWellKnownTypeInAnAnyNeedsNoPrefix) {
  ExpectSame("Tree", R"({"any":{"@type":"google.protobuf.Duration","value":"2s"}})");
  ExpectSame("Tree", R"({"any":{"@type":"a/google.protobuf.Struct","value":{"k":[1,null]}}})");
  ExpectSame("Tree", R"({"any":{"@type":"google.protobuf.Value","value":[null]}})");
  ExpectSame("Tree", R"({"any":{"@type":"google.protobuf.ListValue","value":[1]}})");
  ExpectSame("Tree", R"({"any":{"@type":"google.protobuf.Int64Value","value":"3"}})");
  ExpectSame("Tree", R"({"any":{"@type":"google.protobuf.Timestamp",)"
                     R"("value":"2024-01-01T00:00:00Z"}})");
  ExpectSame("Tree", R"({"any":{"@type":"google.protobuf.FieldMask","value":"a,b"}})");
  ExpectSame("Tree", R"({"any":{"@type":"google.protobuf.Empty"}})");
}

TEST_F(JsonReaderTest, AWrongAnyIsRefused) {
  const auto refused = [this](const std::string& any) {
    return ToBytes("Tree", "{\"anys\":[{}," + any + "]}");
  };
  const std::string at = "INVALID_ARGUMENT: anys[1]: ";
  EXPECT_EQ(refused(R"({"code":1})"),
            at + R"(an Any is an object with "@type", a string that is the URL of its type)");
  EXPECT_EQ(refused(R"({"@value":"eA=="})"),
            at + R"(an Any is an object with "@type", a string that is the URL of its type)");
  EXPECT_EQ(refused(R"({"@type":"","@value":"eA=="})"),
            at + R"(an Any is an object with "@type", a string that is the URL of its type)");
  EXPECT_EQ(refused(R"({"@type":1})"),
            at + R"(an Any is an object with "@type", a string that is the URL of its type)");
  EXPECT_EQ(refused(R"("no.Such")"),
            at + R"(an Any is an object with "@type", a string that is the URL of its type)");
  EXPECT_EQ(refused(R"({"@type":"no.Such","x":1})"),
            at + R"(the type "no.Such" is unknown; add its schema, or give the contents in base64)"
                 R"( as "@value")");
  EXPECT_EQ(refused(R"({"@type":"no.Such","@value":"eA==","x":1})"),
            at + R"("@value" holds all contents of the Any; leave out its other members)");
  EXPECT_EQ(refused(R"({"@type":"no.Such","@value":null})"),
            at + R"("@value" is not a string; give the contents of the Any in base64)");
  EXPECT_THAT(refused(R"({"@type":"no.Such","@value":"!"})"), HasSubstr("@value"));
  EXPECT_EQ(refused(R"({"@type":"google.protobuf.Duration","value":"2s","x":1})"),
            at + R"(the contents of an Any of google.protobuf.Duration belong in "value"; leave)"
                 R"( out "x")");
  EXPECT_THAT(refused(R"({"@type":"google.protobuf.Duration","value":"2"})"),
              StartsWith("INVALID_ARGUMENT: anys[1].value: "));
  EXPECT_THAT(refused(R"({"@type":"values.Tree","txt":"a"})"),
              StartsWith("INVALID_ARGUMENT: anys[1]: txt: Cannot find field."));
}

TEST_F(JsonReaderTest, AMemberOfAnAnyIsGivenOnce) {
  const auto refused = [this](const std::string& any) {
    return ToBytes("Tree", "{\"any\":" + any + "}");
  };
  const std::string at = "INVALID_ARGUMENT: any: ";
  EXPECT_EQ(refused(R"({"@type":"values.Tree","@type":"values.Tree"})"),
            at + R"("@type" is given more than once; leave out all but one)");
  EXPECT_EQ(refused(R"({"@type":"no.Such","@value":"eA==","@value":"eQ=="})"),
            at + R"("@value" is given more than once; leave out all but one)");
  EXPECT_EQ(refused(R"({"@type":"no.Such","@type":"eA=="})"),
            at + R"("@type" is given more than once; leave out all but one)");
  EXPECT_EQ(refused(R"({"value":"1s","@type":"google.protobuf.Duration","value":"2s"})"),
            at + R"("value" is given more than once; leave out all but one)");
}

TEST_F(JsonReaderTest, NullIsNoElement) {
  EXPECT_EQ(ToBytes("Tree", R"({"trees":[{},null]})"),
            "INVALID_ARGUMENT: trees[1]: null cannot be an element of this list; leave it out");
  EXPECT_EQ(ToBytes("Tree", R"({"words":[null]})"),
            "INVALID_ARGUMENT: words[0]: null cannot be an element of this list; leave it out");
  EXPECT_EQ(
      ToBytes("Tree", R"({"child":{"anys":[null]}})"),
      "INVALID_ARGUMENT: child.anys[0]: null cannot be an element of this list; leave it out");
  EXPECT_EQ(ToBytes("Known", R"({"lists":[null]})"),
            "INVALID_ARGUMENT: lists[0]: null cannot be an element of this list; leave it out");
  EXPECT_EQ(ToBytes("Tree", R"({"byFlag":{"true":null}})"),
            "INVALID_ARGUMENT: byFlag[\"true\"]: null cannot be a value of this map; leave it out");
  EXPECT_EQ(ToBytes("Tree", R"({"by_name":{"k":null}})"),
            "INVALID_ARGUMENT: by_name[\"k\"]: null cannot be a value of this map; leave it out");
  // Elsewhere it stands for a field that is not set, or is a value.
  EXPECT_EQ(ToBytes("Tree", R"({"text":null,"words":null,"byName":null,"child":null,"any":null})"),
            "");
  ExpectSame("Known", R"({"value":null,"values":[null,[null]],"byName":{"k":null}})");
  ExpectSame("Known", R"({"nothings":[null]})");
}

TEST_F(JsonReaderTest, AListIsNoElement) {
  EXPECT_EQ(
      ToBytes("Tree", R"({"words":[["a"]]})"),
      "INVALID_ARGUMENT: words[0]: a list cannot be an element of this list; remove its brackets");
  EXPECT_EQ(
      ToBytes("Tree", R"({"trees":[[{}]]})"),
      "INVALID_ARGUMENT: trees[0]: a list cannot be an element of this list; remove its brackets");
  ExpectSame("Known", R"({"values":[[1]],"lists":[[[]],[]]})");
}

// Protobuf's parser takes minutes for lists of this depth.
TEST_F(JsonReaderTest, DeepNestingIsRefusedAtOnce) {
  const std::string error =
      "INVALID_ARGUMENT: objects and lists are nested more than 100 levels deep";
  const auto lists = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(ToBytes("Known", "{\"values\":" + lists(100'000) + "}"), error);
  EXPECT_EQ(ToBytes("Tree", "{\"words\":" + lists(100'000) + "}"), error);
  EXPECT_EQ(ToBytes("Tree", "{\"nothing\":" + lists(100'000) + "}"), error);
  EXPECT_EQ(ToBytes("Tree", lists(100'000)), error);
  EXPECT_EQ(ToBytes("Tree", std::string(100'000, '[')), error);
  EXPECT_EQ(ToBytes("Known", "{\"values\":" + lists(100) + "}"), error);
  ExpectSame("Known", "{\"values\":" + lists(99) + "}");
  std::string objects = "{}";
  std::string anys = R"({"@type":"no.Such","@value":"eA=="})";
  for (int i = 0; i < 99; ++i) {
    objects.insert(0, "{\"child\":").append("}");
    if (i < 98) anys.insert(0, R"({"@type":"google.protobuf.Any","value":)").append("}");
  }
  ExpectSame("Tree", objects);
  ExpectSame("Tree", "{\"any\":" + anys + "}");
  EXPECT_EQ(ToBytes("Tree", "{\"child\":" + objects + "}"), error);
  // Brackets in a text are not nested.
  EXPECT_EQ(ToBytes("Tree", "{\"text\":\"" + std::string(120, '[') + "\\\"" + "\"}"),
            Delimited(1, std::string(120, '[') + "\""));
}

TEST_F(JsonReaderTest, NamesAreReadLikeProtobuf) {
  EXPECT_EQ(RoundTrip("Tree", R"({"\u0061ny":{"\u0040type":"no\u002eSuch","@val\u0075e":"eA=="}})"),
            R"({"any":{"@type":"no.Such","@value":"eA=="}})");
  EXPECT_EQ(RoundTrip("Tree", R"( { by_name : { "a" : { words : [ 'x' , "y" ] } } , } )"),
            R"({"byName":{"a":{"words":["x","y"]}}})");
  EXPECT_EQ(RoundTrip("Tree", R"({"words":"x"})"), R"({"words":["x"]})");
  EXPECT_EQ(RoundTrip("Tree", R"({"byName":{"\b\f\n\r\t\v\'\"\\\/\q":{},"\u00fC\u20ac":{},)"
                              R"("\ud83d\ude00":{}}})"),
            R"({"byName":{"\u0008\u000c\n\r\t\u000b'\"\\/q":{},"ü€":{},"😀":{}}})");
  EXPECT_EQ(ToBytes("Tree", R"({"byFlag":{"tr\u0075e":null}})"),
            "INVALID_ARGUMENT: byFlag[\"true\"]: null cannot be a value of this map; leave it out");
  EXPECT_EQ(ToBytes("Tree", R"({"byName":{"\ud83d\ude00ü\u00fc\u20ac\n":null}})"),
            "INVALID_ARGUMENT: byName[\"😀üü€\\n\"]: null cannot be a value of this map; leave it"
            " out");
}

TEST_F(JsonReaderTest, WhiteSpaceIsThatOfProtobuf) {
  EXPECT_EQ(RoundTrip("Tree", "\v{\f\"trees\"\v:[{},\f{}\v]\f,\fwords\v:[\"a\"\f,\v'b']\f}\v"),
            R"({"trees":[{},{}],"words":["a","b"]})");
  EXPECT_EQ(RoundTrip("Numbers", "{\"flag\":true\f,\"i32\":1\v}"), R"({"i32":1,"flag":true})");
  EXPECT_EQ(ToBytes("Tree", "{\"words\":[null\f]}"),
            "INVALID_ARGUMENT: words[0]: null cannot be an element of this list; leave it out");
}

TEST_F(JsonReaderTest, WhatIsNoJsonIsExplainedByProtobuf) {
  EXPECT_EQ(ToBytes("Tree", R"({"text" 1})"),
            "INVALID_ARGUMENT: Expected : between key:value pair.\n{\"text\" 1}\n        ^");
  EXPECT_EQ(ToBytes("Tree", "5"),
            "INVALID_ARGUMENT: the whole value: Root element must be a message.");
  EXPECT_THAT(ToBytes("Tree", std::string("{}\0{}", 5)), StartsWith("INVALID_ARGUMENT: "));
  EXPECT_THAT(ToBytes("Tree", R"({"any":{"@type":"\u00x1"}})"),
              HasSubstr("\n{\"any\":{\"@type\":\"\\u00x1"));
  EXPECT_THAT(ToBytes("Tree", R"({"byName":{"\ud83d":null}})"),
              HasSubstr("\n{\"byName\":{\"\\ud83d\":null}}"));
  for (const std::string json :
       {"{", "{\"any\":{", "{\"any\":{\"@type\"", R"({"any":{"@type":"x",)",
        "{\"any\":{\"@type\":}}", "{\"words\":[", "{\"words\":[,]}", "{\"words\":[\"a\" \"b\"]}",
        "{\"byName\":{\"a\"", "{,}", "{\"text\":\"a}", "{}{}",
        "{\"any\":{\"@type\":\"values.Tree\",\"text\":[}}}", "", "[", "]",
        "{\"text\":\"\\ud800\\u\"}", "{\"\\x\":1}", "{\"any\":{\"a\":{}]}}"}) {
    EXPECT_THAT(ToBytes("Tree", json), StartsWith("INVALID_ARGUMENT: ")) << json;
  }
}

}  // namespace
}  // namespace ttrpc::tool
