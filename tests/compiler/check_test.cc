// SPDX-License-Identifier: Apache-2.0
//
// Names from which no C++ can be generated, in files in memory.
#include "check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "names.h"
#include "parsed.h"

namespace ttrpc::compiler {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Options With(const std::string& parameter) {
  Options options;
  EXPECT_EQ(ParseParameter(parameter, &options), "");
  return options;
}

std::string Clash(const std::string& text, const std::string& parameter = "") {
  return CheckNames(*Parsed("message M {}\n" + text), With(parameter));
}

Findings Check(const std::string& text, const std::string& parameter = "") {
  return CheckFiles(Parsed(text).files(), With(parameter));
}

// Finds a clash in b.proto, which imports a.proto.
std::string ClashInImport(const std::string& a, const std::string& b) {
  const std::string syntax = "syntax = \"proto3\";\n";
  const Parsed parsed({{"a.proto", syntax + a}, {"b.proto", syntax + "import \"a.proto\";\n" + b}});
  return CheckNames(*parsed.files()[1], Options());
}

TEST(ClashTest, NamesInOneFile) {
  const std::string way = "; rename one of them, or use the parameter prefix or suffix";
  EXPECT_EQ(Clash("service Foo { rpc A(M) returns (M); }"), "");
  EXPECT_EQ(Clash("service Foo {}\nservice FooClient {}"),
            "service FooClient and the client of service Foo would both be FooClient in C++" + way);
  EXPECT_EQ(Clash("service Foo {}\nmessage FooClient {}"),
            "the client of service Foo and message FooClient would both be FooClient in C++" + way);
  EXPECT_EQ(
      Clash("service Foo {}\nenum RegisterFoo { ZERO = 0; }"),
      "the function for service Foo and enum RegisterFoo would both be RegisterFoo in C++" + way);
  EXPECT_EQ(Clash("service Foo {}\nenum E { RegisterFoo = 0; }"),
            "the function for service Foo and enum value RegisterFoo would both be RegisterFoo in "
            "C++" +
                way);
  EXPECT_EQ(Clash("service O_E_A {}\nmessage O { enum E { A = 0; } }"),
            "service O_E_A and enum value O.A would both be O_E_A in C++" + way);
  EXPECT_EQ(Clash("service Outer_Inner {}\nmessage Outer { message Inner {} }"),
            "service Outer_Inner and message Outer.Inner would both be Outer_Inner in C++" + way);
  EXPECT_EQ(Clash("option cc_generic_services = true;\nservice Foo {}"),
            "service Foo and protoc's Foo (cc_generic_services) would both be Foo in C++" + way);
  EXPECT_EQ(Clash("service google {}"),
            "service google and namespace google would both be google in C++" + way);
}

TEST(ClashTest, ParametersAvoidIt) {
  EXPECT_EQ(Clash("service Foo {}\nservice FooClient {}", "suffix=Stub"), "");
  EXPECT_EQ(Clash("service Foo {}\nmessage FooClient {}", "prefix=My"), "");
  EXPECT_EQ(Clash("service Foo {}\nenum E { RegisterFoo = 0; }", "prefix=My"), "");
  EXPECT_EQ(Clash("option cc_generic_services = true;\nservice Foo {}", "prefix=My"), "");
}

TEST(ClashTest, MethodsOfOneService) {
  EXPECT_EQ(Clash("service Foo { rpc new(M) returns (M); rpc new_(M) returns (M); }"),
            "method Foo.new_ and method Foo.new would both be new_ in C++; rename one of them");
}

TEST(ClashTest, NamesInImportsOfTheSameNamespace) {
  EXPECT_EQ(ClashInImport("package a;\nmessage FooClient {}", "package a;\nservice Foo {}"),
            "the client of service a.Foo and message a.FooClient would both be FooClient in C++; "
            "rename one of them, or use the parameter prefix or suffix");
  EXPECT_EQ(ClashInImport("package a.FooClient.b;", "package a;\nservice Foo {}"),
            "the client of service a.Foo and namespace FooClient would both be FooClient in C++; "
            "rename one of them, or use the parameter prefix or suffix");
  EXPECT_EQ(ClashInImport("package ab;\nmessage FooClient {}", "package a;\nservice Foo {}"), "");
  EXPECT_EQ(ClashInImport("message FooClient {}", "package a;\nservice Foo {}"), "");
  EXPECT_EQ(Clash("import \"google/protobuf/any.proto\";\nservice Foo {}"), "");
}

TEST(ClashTest, NamesThatProtocAddsItself) {
  EXPECT_EQ(Clash("message A { message B {} }\nmessage A_B {}"),
            "message A_B and message A.B would both be A_B in C++; rename one of them");
  EXPECT_EQ(Clash("enum E { A = 0; E_MAX = 1; }"),
            "enum value E_MAX and protoc's E_MAX would both be E_MAX in C++; rename one of them");
  EXPECT_EQ(
      Clash("message N { enum E { A = 0; E_MIN = 1; } }"),
      "enum value N.E_MIN and protoc's N_E_E_MIN would both be N_E_E_MIN in C++; rename one of "
      "them");
  EXPECT_EQ(Clash("message N { enum E { MIN = 0; MAX = 1; Name_ = 2; } }\nenum E { MAX = 0; }"),
            "");
}

TEST(NameTest, KeywordsThatProtocDoesNotRename) {
  const auto error = [](const std::string& place, const std::string& what,
                        const std::string& word) {
    return "foo.proto:" + place + ": error: " + what + ": " + word +
           " is a keyword of C++20, which protoc does not rename; ";
  };
  EXPECT_THAT(Check("message M { string requires = 1; string class = 2; }").errors,
              ElementsAre(error("2:13", "field M.requires", "requires") +
                          "rename it in a copy of the file"));
  EXPECT_THAT(
      Check("message concept { message char8_t {}\n message union {} }").errors,
      ElementsAre(
          error("2:1", "message concept", "concept") + "rename it in a copy of the file",
          error("2:19", "message concept.char8_t", "char8_t") + "rename it in a copy of the file"));
  EXPECT_THAT(Check("enum E { co_await = 0; new = 1; }").errors,
              ElementsAre(error("2:10", "enum value co_await", "co_await") +
                          "rename it in a copy of the file"));
  EXPECT_THAT(Check("package a.class.b;").errors,
              ElementsAre(error("2:1", "package a.class.b", "class") + "use another package"));
  EXPECT_THAT(Check("message M { string requires = 1; }", "macros=undef").errors.size(), 1U);
}

TEST(NameTest, Macros) {
  const std::string text =
      "package nri;\n"
      "enum Scheduler { SCHED_NONE = 0; SCHED_OTHER = 1; CPU_SET = 2; }\n"
      "message M { int32 alloca = 1; string stdin = 2; int32 st_mtime = 3; }\n"
      "enum Family { AF_UNSPEC = 0; AF_INET = 2; }\n";
  EXPECT_THAT(Check(text).errors,
              ElementsAre("foo.proto:4:13: error: field nri.M.alloca: alloca is a macro of the C "
                          "library; use the parameter macros=undef, or rename it in a copy of the "
                          "file",
                          "foo.proto:3:34: error: enum value nri.SCHED_OTHER: SCHED_OTHER is a "
                          "macro of the C library; use the parameter macros=undef, or rename it in "
                          "a copy of the file"));
  for (const char* parameter : {"macros=undef", "macros=allow"})
    EXPECT_THAT(Check(text, parameter).errors, IsEmpty());
  EXPECT_THAT(MacrosIn(*Parsed(text)), ElementsAre("SCHED_OTHER", "alloca"));
}

TEST(NameTest, MacrosOfProtobufCannotBeUndefined) {
  for (const char* parameter : {"", "macros=undef"}) {
    EXPECT_THAT(Check("enum E { PROTOBUF_EXPORT = 0; }", parameter).errors,
                ElementsAre("foo.proto:2:10: error: enum value PROTOBUF_EXPORT: PROTOBUF_EXPORT is "
                            "a macro that protobuf uses; rename it in a copy of the file"));
  }
  EXPECT_THAT(MacrosIn(*Parsed("enum E { PROTOBUF_EXPORT = 0; }")), IsEmpty());
}

TEST(NameTest, MacrosOfSomeCompilationsAreWarnings) {
  const std::string text = "message M { string linux = 1; string __x = 2; string _y = 3; }";
  EXPECT_THAT(Check(text).errors, IsEmpty());
  const std::string reserved =
      "foo.proto:2:31: warning: field M.__x: __x may be a macro of the compiler; rename it in a "
      "copy of the file";
  EXPECT_THAT(Check(text).warnings,
              ElementsAre("foo.proto:2:13: warning: field M.linux: linux is a macro in "
                          "-std=gnu++20; use the parameter macros=undef, or compile with "
                          "-std=c++20",
                          reserved));
  EXPECT_THAT(Check(text, "macros=undef").warnings, ElementsAre(reserved));
  EXPECT_THAT(Check(text, "macros=allow").warnings, IsEmpty());
  EXPECT_THAT(MacrosIn(*Parsed(text)), ElementsAre("linux"));
}

TEST(NameTest, NamespacesOfTheLibraries) {
  EXPECT_THAT(Check("package ttrpc;\nmessage Status {}").errors,
              ElementsAre("foo.proto: error: message ttrpc.Status and libttrpc's Status would both "
                          "be Status in C++; rename one of them"));
  EXPECT_THAT(Check("package ttrpc;\nservice Echo {}\nservice Client {}").errors,
              ElementsAre("foo.proto: error: service ttrpc.Client and libttrpc's Client would both "
                          "be Client in C++; rename one of them, or use the parameter prefix or "
                          "suffix"));
  EXPECT_THAT(Check("package ttrpc;\nmessage Request { message Status {} }").errors, IsEmpty());
  EXPECT_THAT(Check("package ttrpc.v1;\nmessage Status {}").errors, IsEmpty());
  EXPECT_THAT(Check("package events.ttrpc;\nmessage Status {}").errors, IsEmpty());
  EXPECT_THAT(Check("package a;\nmessage std {}").errors,
              ElementsAre("foo.proto:3:1: error: message a.std: std hides a name that the "
                          "generated code uses; "
                          "rename it in a copy of the file"));
  EXPECT_THAT(Check("message M { string std = 1; }").errors, IsEmpty());
}

TEST(NameTest, MembersOfOneClass) {
  const auto error = [](const std::string& place, const std::string& both,
                        const std::string& name) {
    return "foo.proto:" + place + ": error: " + both + " would both be " + name +
           " in the C++ class of message M; rename one of them in a copy of the file";
  };
  EXPECT_THAT(Check("message M { M a = 1; bool has_a = 2; }").errors,
              ElementsAre(error("2:22", "field M.has_a and field M.a", "has_a")));
  EXPECT_THAT(Check("message M { repeated M a = 1; int32 a_size = 2; }").errors,
              ElementsAre(error("2:31", "field M.a_size and field M.a", "a_size")));
  EXPECT_THAT(Check("message M { oneof o { M a = 1; } int32 o_case = 2; }").errors,
              ElementsAre(error("2:34", "field M.o_case and oneof M.o", "o_case")));
  EXPECT_THAT(
      Check("message M { string descriptor = 1; }").errors,
      ElementsAre(error("2:13", "field M.descriptor and protobuf's own name", "descriptor")));
  EXPECT_THAT(
      Check("option optimize_for = LITE_RUNTIME;\nmessage M { string descriptor = 1; }").errors,
      IsEmpty());
  EXPECT_THAT(Check("message M { oneof o { M a = 1; } enum E { O_NOT_SET = 0; } }").errors,
              ElementsAre(error("2:13", "oneof M.o and enum value M.O_NOT_SET", "O_NOT_SET")));
  EXPECT_THAT(
      Check("message M { oneof o_p { M a_b = 1; } message OPCase {} message kAB {} }").errors,
      ElementsAre(error("2:13", "oneof M.o_p and message M.OPCase", "OPCase"),
                  error("2:13", "oneof M.o_p and message M.kAB", "kAB")));
  EXPECT_THAT(Check("message M { string unknown_fields = 1; }").errors, IsEmpty());
  EXPECT_THAT(Check("message M { enum E { New = 0; } }").errors,
              ElementsAre(error("2:22", "enum value M.New and protobuf's own name", "New")));
  EXPECT_THAT(Check("message M { enum E { E_Name = 0; } }").errors,
              ElementsAre(error("2:22", "enum value M.E_Name and protobuf's own name", "E_Name")));
  EXPECT_THAT(Check("message M { message Clear {} }").errors,
              ElementsAre(error("2:13", "message M.Clear and protobuf's own name", "Clear")));
  EXPECT_THAT(
      Check("message name { string name = 1; }").errors,
      ElementsAre("foo.proto:2:16: error: field name.name and the constructor would both be name "
                  "in the C++ class of message name; rename one of them in a copy of the "
                  "file"));
  EXPECT_THAT(Check("message M { string a = 1; bool has_a = 2; bool set_a = 3; bool clear_a = 4; "
                    "bool mutable_a = 5; bool a_size = 6; map<int32, string> b = 7; "
                    "message Message { string message = 1; } }")
                  .errors,
              IsEmpty());
}

TEST(NameTest, ImportsAreCheckedOnceAndProtobufIsNot) {
  const std::string syntax = "syntax = \"proto3\";\n";
  const Parsed parsed(
      {{"a.proto", syntax + "import \"c.proto\";\nimport \"google/protobuf/descriptor.proto\";"},
       {"b.proto", syntax + "import \"c.proto\";"},
       {"c.proto", syntax + "package c;\nmessage M { string linux = 1; string requires = 2; }"}});
  for (const std::vector<const Parsed::File*>& files :
       {parsed.files(), std::vector<const Parsed::File*>{parsed.files()[1]}}) {
    const Findings findings = CheckFiles(files, Options());
    EXPECT_THAT(
        findings.errors,
        ElementsAre("c.proto:3:31: error: field c.M.requires: requires is a keyword of "
                    "C++20, which protoc does not rename; rename it in a copy of the file"));
    EXPECT_EQ(findings.warnings.size(), 1U);
  }
}

}  // namespace
}  // namespace ttrpc::compiler
