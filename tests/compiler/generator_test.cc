// SPDX-License-Identifier: Apache-2.0
//
// The generator on its own, with files in memory.
#include "generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "comments.h"
#include "parsed.h"

namespace ttrpc::compiler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(ParameterTest, EachSetsItsOption) {
  Options options;
  EXPECT_EQ(ParseParameter("", &options), "");
  EXPECT_EQ(options.prefix, "");
  EXPECT_EQ(options.suffix, "Client");
  EXPECT_EQ(options.macros, Macros::kRefuse);
  EXPECT_EQ(ParseParameter("prefix=My_2,suffix=2,macros=undef", &options), "");
  EXPECT_EQ(options.prefix, "My_2");
  EXPECT_EQ(options.suffix, "2");
  EXPECT_EQ(options.macros, Macros::kUndef);
  EXPECT_EQ(ParseParameter("macros=allow", &options), "");
  EXPECT_EQ(options.macros, Macros::kAllow);
}

TEST(ParameterTest, ErrorsSayWhatWasExpected) {
  const auto error = [](const std::string& parameter) {
    Options options;
    return ParseParameter(parameter, &options);
  };
  EXPECT_EQ(error("plugin=X"),
            "unknown parameter \"plugin=X\"; use prefix=NAME, suffix=NAME or macros=undef|allow");
  EXPECT_EQ(error("prefix=A,plugins"),
            "unknown parameter \"plugins\"; use prefix=NAME, suffix=NAME or macros=undef|allow");
  for (const std::string value : {"", "2A", "a::b", "x=y"}) {
    EXPECT_EQ(error("prefix=" + value),
              "prefix is \"" + value + "\"; use the beginning of a C++ name");
  }
  EXPECT_EQ(error("prefix"), "prefix is \"\"; use the beginning of a C++ name");
  EXPECT_EQ(error("suffix="), "suffix is \"\"; use the end of a C++ name");
  EXPECT_EQ(error("suffix=-"), "suffix is \"-\"; use the end of a C++ name");
  EXPECT_EQ(error("macros=keep"), "macros is \"keep\"; use undef or allow");
}

TEST(OutputTest, StandsBesideTheMessages) {
  EXPECT_EQ(OutputBase(*Parsed("")), "foo.ttrpc");
  EXPECT_EQ(OutputBase(*Parsed("", "a/b.c.proto")), "a/b.c.ttrpc");
  EXPECT_EQ(OutputBase(*Parsed("", "foo.protodevel")), "foo.ttrpc");
  EXPECT_THAT(HeaderText(*Parsed("", "a/b.c.proto"), Options()),
              HasSubstr("#include \"a/b.c.pb.h\"\n"));
}

TEST(OutputTest, IncludesTheMessagesBeforeOtherHeaders) {
  const std::string header = HeaderText(*Parsed(""), Options());
  EXPECT_LT(header.find("#include \"foo.pb.h\""), header.find("#include <"));
}

TEST(NamesTest, WireNamesAreNeverChanged) {
  const Parsed file("package a.b;\nmessage M {}\nservice class { rpc delete(M) returns (M); }");
  Options options;
  options.prefix = "X";
  const std::string source = SourceText(*file, options);
  EXPECT_THAT(source, HasSubstr("{\"a.b.class\", \"delete\", false, false}"));
  EXPECT_THAT(source, HasSubstr("description(\"a.b.class\", &service, {});"));
  EXPECT_THAT(source, HasSubstr("\"delete\", ::ttrpc::service_internal::Unary<"));
  // The name with its prefix is not a keyword.
  EXPECT_THAT(HeaderText(*file, options), HasSubstr("class Xclass {"));
  EXPECT_THAT(HeaderText(*file, options), Not(HasSubstr("class_")));
  EXPECT_THAT(HeaderText(*file, Options()), HasSubstr("class class_ {"));
}

TEST(NamesTest, EachMethodNameThatWouldClashGetsAnUnderscore) {
  const Parsed file(
      "message M {}\n"
      "service Foo { rpc Foo(M) returns (M); rpc FooClient(M) returns (M); "
      "rpc client_(M) returns (M); rpc co_await(M) returns (M); rpc Bar(M) returns (M); }");
  const std::string header = HeaderText(*file, Options());
  for (const char* name : {" Foo_(", " FooClient_(", " client__(", " co_await_(", " Bar("})
    EXPECT_THAT(header, HasSubstr(name));
  for (const char* name : {" Foo(", " FooClient(", " client_(", " co_await("})
    EXPECT_THAT(header, Not(HasSubstr("Result<::M>>" + std::string(name))));
}

TEST(NamesTest, ServicesAndMethodsThatAreMacrosGetAnUnderscore) {
  const Parsed file(
      "message M {}\n"
      "service EOF { rpc BUFSIZ(M) returns (M); rpc alloca(M) returns (M); "
      "rpc htole32(M) returns (M); rpc linux(M) returns (M); rpc SYS_read(M) returns (M); }");
  const std::string header = HeaderText(*file, Options());
  for (const char* name : {"class EOF_ {", " BUFSIZ_(", " alloca_(", " htole32_(", " linux_(",
                           " SYS_read_(", "class EOFClient final", "RegisterEOF("})
    EXPECT_THAT(header, HasSubstr(name));
}

TEST(NamesTest, SuffixEndsTheNameOfTheClient) {
  const Parsed file("message M {}\nservice Foo { rpc FooStub(M) returns (M); }");
  Options options;
  options.prefix = "My";
  options.suffix = "Stub";
  const std::string header = HeaderText(*file, options);
  EXPECT_THAT(header, HasSubstr("class MyFooStub final : public MyFoo {"));
  EXPECT_THAT(header, HasSubstr(" FooStub("));
  options.prefix = "";
  EXPECT_THAT(HeaderText(*file, options), HasSubstr(" FooStub_("));
}

TEST(CommentTest, LinesDoNotContinueOnTheNext) {
  EXPECT_THAT(CommentLines(""), IsEmpty());
  EXPECT_THAT(CommentLines(" a\n\n b\n"), ElementsAre(" a", "", " b"));
  EXPECT_THAT(CommentLines(" a\\\n b \\ \t\n\\\n"), ElementsAre(" a", " b", ""));
  // The trigraph is a backslash in -std=c++14, and a warning in later versions.
  EXPECT_THAT(CommentLines(" why\?\?/\n b\?\?/ \\\?\?/\n \?\?/c"),
              ElementsAre(" why", " b", " \?\?/c"));
}

TEST(CommentTest, CarriageReturnsEndALine) {
  EXPECT_THAT(CommentLines(" a\r\n b\r int x;"), ElementsAre(" a", " b", " int x;"));
}

TEST(CommentTest, CharactersThatCompilersWarnAboutAreReplaced) {
  EXPECT_THAT(CommentLines(" \u202E right \u2069 caf\u00E9 \u65E5 \U0001F600"),
              ElementsAre(" \uFFFD right \uFFFD caf\u00E9 \u65E5 \U0001F600"));
  EXPECT_THAT(CommentLines("\x01\v\f\x7F\ttab"), ElementsAre("\uFFFD\uFFFD\uFFFD\uFFFD\ttab"));
  // These are a cut sequence, an overlong one, a surrogate, and bytes that begin none.
  EXPECT_THAT(CommentLines("\xC3"), ElementsAre("\uFFFD"));
  EXPECT_THAT(CommentLines("\xC3z"), ElementsAre("\uFFFDz"));
  EXPECT_THAT(CommentLines("\xE0\x80\x80"), ElementsAre("\uFFFD\uFFFD\uFFFD"));
  EXPECT_THAT(CommentLines("\xED\xA0\x80"), ElementsAre("\uFFFD\uFFFD\uFFFD"));
  EXPECT_THAT(CommentLines("\x80\xFF"), ElementsAre("\uFFFD\uFFFD"));
  EXPECT_THAT(CommentLines("\xF4\x90\x80\x80"), ElementsAre("\uFFFD\uFFFD\uFFFD\uFFFD"));
}

TEST(CommentTest, GeneratedCodeHasTheCleanLines) {
  const Parsed file("message M {}\n// Why\?\?/\n// \u202E\nservice Foo {}");
  EXPECT_THAT(HeaderText(*file, Options()), HasSubstr("// Why\n// \uFFFD\nclass Foo {\n"));
}

}  // namespace
}  // namespace ttrpc::compiler
