// SPDX-License-Identifier: Apache-2.0
//
// The generator on its own, with files in memory.
#include "generator.h"

#include <gmock/gmock.h>
#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace ttrpc::compiler {
namespace {

using google::protobuf::FileDescriptor;
using ::testing::HasSubstr;
using ::testing::Not;

// Contains one file, whatever name is asked for.
class OneFile final : public google::protobuf::compiler::SourceTree {
 public:
  explicit OneFile(std::string text) : text_(std::move(text)) {}
  google::protobuf::io::ZeroCopyInputStream* Open(const std::string&) override {
    return new google::protobuf::io::ArrayInputStream(text_.data(), static_cast<int>(text_.size()));
  }

 private:
  std::string text_;
};

class Errors final : public google::protobuf::compiler::MultiFileErrorCollector {
 public:
  void AddError(const std::string& file, int line, int, const std::string& message) override {
    ADD_FAILURE() << file << ":" << line << ": " << message;
  }
};

class Parsed {
 public:
  explicit Parsed(const std::string& text, const std::string& name = "foo.proto")
      : tree_("syntax = \"proto3\";\n" + text),
        importer_(&tree_, &errors_),
        file_(importer_.Import(name)) {}

  const FileDescriptor& operator*() const { return *file_; }

 private:
  OneFile tree_;
  Errors errors_;
  google::protobuf::compiler::Importer importer_;
  const FileDescriptor* file_;
};

std::string Check(const std::string& text, const std::string& prefix = "") {
  const Parsed file("message M {}\n" + text);
  Options options;
  options.prefix = prefix;
  return CheckNames(*file, options);
}

TEST(ParameterTest, Prefix) {
  Options options;
  EXPECT_EQ(ParseParameter("", &options), "");
  EXPECT_EQ(options.prefix, "");
  EXPECT_EQ(ParseParameter("prefix=My_2", &options), "");
  EXPECT_EQ(options.prefix, "My_2");
}

TEST(ParameterTest, ErrorsSayWhatWasExpected) {
  Options options;
  EXPECT_EQ(ParseParameter("suffix=X", &options),
            "unknown parameter \"suffix=X\"; use prefix=NAME");
  EXPECT_EQ(ParseParameter("prefix=A,plugins", &options),
            "unknown parameter \"plugins\"; use prefix=NAME");
  EXPECT_EQ(ParseParameter("prefix", &options), "prefix is \"\"; use the beginning of a C++ name");
  EXPECT_EQ(ParseParameter("prefix=", &options), "prefix is \"\"; use the beginning of a C++ name");
  EXPECT_EQ(ParseParameter("prefix=2A", &options),
            "prefix is \"2A\"; use the beginning of a C++ name");
  EXPECT_EQ(ParseParameter("prefix=a::b", &options),
            "prefix is \"a::b\"; use the beginning of a C++ name");
  EXPECT_EQ(ParseParameter("prefix=x=y", &options),
            "prefix is \"x=y\"; use the beginning of a C++ name");
}

TEST(OutputTest, StandsBesideTheMessages) {
  EXPECT_EQ(OutputBase(*Parsed("")), "foo.ttrpc");
  EXPECT_EQ(OutputBase(*Parsed("", "a/b.c.proto")), "a/b.c.ttrpc");
  EXPECT_EQ(OutputBase(*Parsed("", "foo.protodevel")), "foo.ttrpc");
  EXPECT_THAT(HeaderText(*Parsed("", "a/b.c.proto"), Options()),
              HasSubstr("#include \"a/b.c.pb.h\"\n"));
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

TEST(NamesTest, ClashesAreErrors) {
  EXPECT_EQ(Check("service Foo { rpc A(M) returns (M); }"), "");
  EXPECT_EQ(Check("service Foo {}\nservice FooClient {}"),
            "service FooClient and the client of service Foo would both be FooClient in C++; "
            "rename one of them");
  EXPECT_EQ(Check("service Foo {}\nmessage FooClient {}"),
            "the client of service Foo and message FooClient would both be FooClient in C++; "
            "rename one of them");
  EXPECT_EQ(Check("service Foo {}\nenum RegisterFoo { ZERO = 0; }"),
            "the function for service Foo and enum RegisterFoo would both be RegisterFoo in C++; "
            "rename one of them");
  EXPECT_EQ(
      Check("service Outer_Inner {}\nmessage Outer { message Inner {} }"),
      "service Outer_Inner and message Inner would both be Outer_Inner in C++; rename one of them");
  EXPECT_EQ(Check("service Foo { rpc new(M) returns (M); rpc new_(M) returns (M); }"),
            "method Foo.new_ and method Foo.new would both be new_ in C++; rename one of them");
  EXPECT_EQ(Check("service Foo {}\nmessage FooClient {}", "My"), "");
}

}  // namespace
}  // namespace ttrpc::compiler
