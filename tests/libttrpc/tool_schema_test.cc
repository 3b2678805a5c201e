// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>

#include "describe.h"
#include "tool_testing.h"

namespace ttrpc::tool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using google::protobuf::FileDescriptorSet;

constexpr char kBase[] = "syntax = \"proto3\"; package base; message Thing { string name = 1; }\n";
constexpr char kUser[] =
    "syntax = \"proto3\"; package user; import \"lib/base.proto\";\n"
    "service Things { rpc Get(base.Thing) returns (base.Thing); }\n";

// Returns a descriptor set like one of protoc.
std::string SetOf(const Schema& schema, const std::vector<std::string>& files) {
  FileDescriptorSet set;
  for (const std::string& name : files) {
    schema.pool().FindFileByName(name)->CopyTo(set.add_file());
  }
  return set.SerializeAsString();
}

TEST_F(SchemaTest, AProtoFileOnItsOwn) {
  const auto schema = LoadChat();
  EXPECT_EQ(ListServices(*schema), "example.Chat\n");
  EXPECT_EQ(schema->FindMethod("example.Chat", "Say").value()->input_type()->full_name(),
            "example.Note");
}

TEST_F(SchemaTest, WhatIsNotThereIsNamedWithWhatIs) {
  const auto schema = LoadChat();
  EXPECT_EQ(
      schema->FindMethod("example.Chatt", "Say").error().ToString(),
      "NOT_FOUND: the schema has no service \"example.Chatt\"; did you mean \"example.Chat\"?");
  EXPECT_EQ(schema->FindMethod("example.Chat", "Shout").error().ToString(),
            "NOT_FOUND: service \"example.Chat\" has no method \"Shout\"; use Say, Count, Sum, "
            "Talk, Fail");
  EXPECT_EQ(schema->FindMethod("example.Chat", "Tlak").error().message(),
            "service \"example.Chat\" has no method \"Tlak\"; did you mean \"Talk\"?");
  const auto empty = Load({.protos = {folder_.Write("base.proto", kBase)}});
  EXPECT_EQ(empty->FindService("x").error().message(),
            "the schema has no service \"x\"; it has none");
}

TEST_F(SchemaTest, ImportsAreLookedForInTheImportPaths) {
  folder_.Write("inc/lib/base.proto", kBase);
  const std::string user = folder_.Write("src/user.proto", kUser);
  const auto schema = Load({.protos = {user}, .import_paths = {folder_ / "src", folder_ / "inc"}});
  EXPECT_TRUE(schema->FindMethod("user.Things", "Get"));
}

TEST_F(SchemaTest, AFileMayBeNamedAsImportsWouldNameIt) {
  folder_.Write("inc/lib/base.proto", kBase);
  folder_.Write("src/user.proto", kUser);
  const auto schema =
      Load({.protos = {"user.proto"}, .import_paths = {folder_ / "src", folder_ / "inc"}});
  EXPECT_TRUE(schema->FindMethod("user.Things", "Get"));
}

TEST_F(SchemaTest, SeveralFiles) {
  const std::string base = folder_.Write("lib/base.proto", kBase);
  const std::string user = folder_.Write("user.proto", kUser);
  const std::string chat = folder_.Write("chat.proto", ChatProto());
  const auto schema = Load({.protos = {user, base, chat}, .import_paths = {folder_.path()}});
  EXPECT_EQ(ListServices(*schema), "example.Chat\nuser.Things\n");
}

TEST_F(SchemaTest, AllErrorsAreToldWithFileLineAndColumn) {
  const std::string syntax = folder_.Write("syntax.proto", "syntax = \"proto3\";\nmessage {\n");
  const std::string types = folder_.Write(
      "types.proto", "syntax = \"proto3\";\nmessage A {\n  Missing a = 1;\n  Gone b = 2;\n}\n");
  const std::string none = folder_ / "none.proto";
  const std::vector<std::string> errors =
      ErrorsOf({.protos = {none, syntax, types}, .import_paths = {folder_.path()}});
  EXPECT_THAT(errors, ElementsAre(none + ": error: No such file or directory",
                                  syntax + ":2:9: error: Expected message name.",
                                  types + ":3:3: error: \"Missing\" is not defined.",
                                  types + ":4:3: error: \"Gone\" is not defined."));
}

TEST_F(SchemaTest, AMissingImportIsTold) {
  const std::string user = folder_.Write("user.proto", kUser);
  const std::vector<std::string> errors = ErrorsOf({.protos = {user}});
  EXPECT_THAT(errors[0], HasSubstr("lib/base.proto:"));
  EXPECT_THAT(errors[1],
              user + ":1:34: error: Import \"lib/base.proto\" was not found or had errors.");
}

TEST_F(SchemaTest, AFileOutsideOfTheImportPathsIsTold) {
  const std::string chat = folder_.Write("a/chat.proto", ChatProto());
  folder_.Write("b/x.proto", kBase);
  EXPECT_THAT(ErrorsOf({.protos = {chat}, .import_paths = {folder_ / "b"}}),
              ElementsAre(chat + ": error: not below any -I directory; add its directory with -I"));
  EXPECT_THAT(ErrorsOf({.protos = {chat}, .import_paths = {folder_ / "c"}}),
              ElementsAre(folder_ / "c" + ": error: not a directory; give -I a directory"));
  const std::string other = folder_.Write("b/chat.proto", kBase);
  EXPECT_THAT(ErrorsOf({.protos = {chat}, .import_paths = {folder_ / "b", folder_ / "a"}}),
              ElementsAre(chat + ": error: hidden by " + other +
                          ", which an earlier -I finds; change the order of -I"));
}

// Makes a directory the current one while it exists.
class CurrentDirectory {
 public:
  explicit CurrentDirectory(const std::string& path) { std::filesystem::current_path(path); }
  ~CurrentDirectory() { std::filesystem::current_path(before_); }
  CurrentDirectory(const CurrentDirectory&) = delete;
  CurrentDirectory& operator=(const CurrentDirectory&) = delete;

 private:
  const std::filesystem::path before_ = std::filesystem::current_path();
};

TEST_F(SchemaTest, AFileIsFoundBelowItsImportPathHoweverTheyAreSpelled) {
  namespace fs = std::filesystem;
  const std::string absolute = folder_.Write("inc/lib/base.proto", kBase);
  folder_.Write("src/user.proto", kUser);
  fs::create_directory_symlink("inc", folder_ / "link");
  fs::create_symlink("inc/lib/base.proto", folder_ / "base.proto");
  fs::create_directory_symlink(folder_.path(), folder_ / "top");
  const CurrentDirectory here(folder_.path());
  for (const auto& [import_path, file] : std::vector<std::pair<std::string, std::string>>{
           {"inc", "inc/lib/base.proto"},
           {"inc", absolute},
           {folder_ / "inc", "inc/lib/base.proto"},
           {"./inc/", "src/../inc/lib/../lib//base.proto"},
           {folder_ / "src/../inc", absolute},
           {"inc", "link/lib/base.proto"},
           {"link", absolute},
           {"top/inc", "top/link/lib/base.proto"},
           {"inc", "base.proto"},
           {"link", "top/base.proto"}}) {
    const auto schema =
        Load({.protos = {"src/user.proto", file}, .import_paths = {"src", import_path}});
    EXPECT_TRUE(schema && schema->pool().FindFileByName("lib/base.proto"))
        << import_path << " " << file;
  }
  EXPECT_NE(Load({.protos = {"inc/lib/base.proto"}, .import_paths = {folder_ / "inc", "inc"}}),
            nullptr);
}

TEST_F(SchemaTest, AnotherFileOfTheSameNameIsNotReadInstead) {
  folder_.Write("here/chat.proto", kBase);
  const std::string chat = folder_.Write("there/chat.proto", ChatProto());
  const CurrentDirectory here(folder_ / "here");
  EXPECT_THAT(ErrorsOf({.protos = {chat}}),
              ElementsAre(chat + ": error: hidden by chat.proto; name the directory of this file "
                                 "with -I"));
  EXPECT_EQ(ListServices(*Load({.protos = {chat}, .import_paths = {"../there"}})),
            "example.Chat\n");
}

TEST_F(SchemaTest, ADirectoryIsNoProtoFile) {
  folder_.Write("inc/lib/base.proto", kBase);
  const CurrentDirectory here(folder_.path());
  for (const std::string& path : std::vector<std::string>{"inc", ".", folder_ / "inc", "/"}) {
    EXPECT_THAT(ErrorsOf({.protos = {path}}), ElementsAre(path + ": error: Is a directory"));
    EXPECT_THAT(ErrorsOf({.protos = {path}, .import_paths = {"inc"}}),
                ElementsAre(path + ": error: Is a directory"));
  }
  EXPECT_THAT(ErrorsOf({.protos = {"lib"}, .import_paths = {"inc"}}),
              ElementsAre("lib: error: Is a directory"));
}

TEST_F(SchemaTest, AnOptionOfANewerProtobufIsExplained) {
  const std::string file =
      folder_.Write("a.proto",
                    "syntax = \"proto3\";\nmessage M {\n  string s = 1 [debug_redact = true];\n"
                    "  string t = 2 [(own) = true];\n}\n");
  EXPECT_THAT(
      ErrorsOf({.protos = {file}}),
      ElementsAre(file + ":3:17: error: Option \"debug_redact\" unknown; if this program is "
                         "older than the option, use --descriptor-set with a set that a "
                         "newer protoc or buf build wrote",
                  file + ":4:17: error: Option \"(own)\" unknown. Ensure that your proto "
                         "definition file imports the proto which defines the option."));
}

TEST_F(SchemaTest, AnEditionIsExplained) {
  const std::string file = folder_.Write(
      "a.proto", "// A comment.\n  edition = \"2023\";\nmessage M {\n  string s = 1;\n}\n");
  EXPECT_THAT(
      ErrorsOf({.protos = {file}}),
      ElementsAre(file +
                  ":2:3: error: this program does not know editions; use a copy of the file with "
                  "syntax = \"proto3\" instead of the edition"));
  const std::string other = folder_.Write("b.proto", "\nservice;\n");
  EXPECT_THAT(ErrorsOf({.protos = {other}}), ElementsAre(HasSubstr(":2:8: error: Expected")));
}

// Explaining an error reads the file up to it. A large file that is not a .proto file has too many
// errors for that.
TEST_F(SchemaTest, OnlyTheFirstErrorOfAFileIsExplained) {
  const std::string edition = "edition = \"2023\";\n";
  const std::string first = folder_.Write("a.proto", edition);
  const std::string second = folder_.Write("b.proto", edition + edition);
  const std::string later = folder_.Write("c.proto", "junk;\n" + edition);
  EXPECT_THAT(ErrorsOf({.protos = {first, second, later}}),
              ElementsAre(StartsWith(first + ":1:1: error: this program does not know editions"),
                          StartsWith(second + ":1:1: error: this program does not know editions"),
                          StartsWith(later + ":1:1: error: Expected top-level statement"),
                          StartsWith(later + ":2:1: error: Expected top-level statement")));
  std::string junk;
  for (int i = 0; i < 20'000; ++i) junk += "junk;\n";
  EXPECT_EQ(ErrorsOf({.protos = {folder_.Write("d.proto", junk)}}).size(), 20'000U);
}

// A schema may read more files later, when nobody waits for errors any more.
TEST_F(SchemaTest, ErrorsAreReportedOnlyWhileASchemaIsLoaded) {
  folder_.Write("bad.proto", "junk;\n");
  std::vector<std::string> errors;
  const auto schema = Schema::Load({.protos = {folder_.Write("chat.proto", ChatProto())}}, &errors);
  ASSERT_NE(schema, nullptr);
  EXPECT_EQ(schema->pool().FindFileByName("bad.proto"), nullptr);
  EXPECT_THAT(errors, ElementsAre());
}

TEST_F(SchemaTest, DescriptorSetsCompleteEachOther) {
  folder_.Write("lib/base.proto", kBase);
  const auto schema =
      Load({.protos = {folder_.Write("user.proto", kUser)}, .import_paths = {folder_.path()}});
  const std::string user = folder_.Write("user.pb", SetOf(*schema, {"user.proto"}));
  const std::string base = folder_.Write("base.pb", SetOf(*schema, {"lib/base.proto"}));
  const std::string all = folder_.Write("all.pb", SetOf(*schema, {"lib/base.proto", "user.proto"}));
  for (const std::vector<std::string>& sets :
       std::vector<std::vector<std::string>>{{user, base}, {base, user}, {all}, {all, user, all}}) {
    EXPECT_TRUE(Load({.descriptor_sets = sets})->FindMethod("user.Things", "Get"));
  }
  EXPECT_THAT(ErrorsOf({.descriptor_sets = {user}}),
              ElementsAre(user + ": error: user.proto imports lib/base.proto, which is in no "
                                 "descriptor set; add it with protoc --include_imports"));
}

TEST_F(SchemaTest, ProtobufsOwnFilesNeedNotBeInADescriptorSet) {
  const std::string set = folder_.Write("chat.pb", SetOf(*LoadChat(), {"chat.proto"}));
  const auto schema = Load({.descriptor_sets = {set}});
  EXPECT_TRUE(schema->FindMethod("example.Chat", "Talk"));
}

TEST_F(SchemaTest, DescriptorSetsThatAreNoneOrDisagree) {
  const std::string text = folder_.Write("text.pb", "this is no descriptor set");
  const std::string none = folder_ / "none.pb";
  EXPECT_THAT(ErrorsOf({.descriptor_sets = {text, none}}),
              ElementsAre(text + ": error: not a descriptor set; write one with protoc -o",
                          none + ": error: No such file or directory"));

  FileDescriptorSet set;
  set.add_file()->set_name("a.proto");
  const std::string first = folder_.Write("first.pb", set.SerializeAsString());
  set.mutable_file(0)->set_package("other");
  const std::string second = folder_.Write("second.pb", set.SerializeAsString());
  EXPECT_THAT(ErrorsOf({.descriptor_sets = {first, second}}),
              ElementsAre(second + ": error: a.proto differs from the one in " + first +
                          "; give only one of them"));

  set.mutable_file(0)->add_message_type()->set_name("not a name");
  const std::string bad = folder_.Write("bad.pb", set.SerializeAsString());
  EXPECT_THAT(
      ErrorsOf({.descriptor_sets = {bad}}),
      ElementsAre("a.proto: error: other.not a name: \"not a name\" is not a valid identifier."));
}

TEST_F(SchemaTest, ListsMethodsWithTheirKinds) {
  const auto schema = LoadChat();
  EXPECT_EQ(ListMethods(*schema, "example.Chat").value(),
            "example.Chat/Say    unary\n"
            "example.Chat/Count  server streaming\n"
            "example.Chat/Sum    client streaming\n"
            "example.Chat/Talk   bidirectional streaming\n"
            "example.Chat/Fail   unary\n");
  EXPECT_EQ(ListMethods(*schema, "example.No").error().message(),
            "the schema has no service \"example.No\"; use example.Chat");
}

TEST_F(SchemaTest, DescribesEachKindOfSymbol) {
  const auto schema = LoadChat();
  const auto described = [&](const char* symbol) { return Describe(*schema, symbol).value(); };
  EXPECT_THAT(described("example.Chat"),
              StartsWith("// A service for conversations.\nservice Chat {\n  // Echoes the note.\n "
                         " rpc Say(.example.Note) "
                         "returns (.example.Note);\n"));
  EXPECT_EQ(described(""), described("example.Chat"));
  EXPECT_EQ(described(".example.Chat"), described("example.Chat"));
  const std::string fail =
      "// Fails with the given code and message.\nrpc Fail(.example.Fault) returns "
      "(.example.Note);\n";
  EXPECT_EQ(described("example.Chat.Fail"), fail);
  EXPECT_EQ(described("example.Chat/Fail"), fail);
  EXPECT_EQ(described("/example.Chat/Fail"), fail);
  EXPECT_EQ(described("example.Fault"),
            "message Fault {\n  int32 code = 1;\n  string message = 2;\n}\n");
  EXPECT_THAT(described("example.Note"),
              StartsWith("// One message of a conversation.\nmessage Note {"));
  EXPECT_EQ(described("example.Mood"), "enum Mood {\n  MOOD_UNKNOWN = 0;\n  MOOD_GOOD = 1;\n}\n");
  EXPECT_EQ(described("example.MOOD_GOOD"), "MOOD_GOOD = 1;\n");
  EXPECT_EQ(described("example.Note.text"), "string text = 1;\n");
  EXPECT_THAT(described("google.protobuf.Empty"), HasSubstr("message Empty {"));
  EXPECT_EQ(Describe(*schema, "example.Nothing").error().ToString(),
            "NOT_FOUND: the schema does not define \"example.Nothing\"; list its services with "
            "ttrpc list");
}

}  // namespace
}  // namespace ttrpc::tool
