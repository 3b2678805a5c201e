// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/gzip_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "describe.h"
#include "tool_testing.h"

namespace ttrpc::tool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

// The field in which buf notes how a file became a part of the set.
constexpr int kBufExtension = 8042;
constexpr char kNoSet[] = ": error: not a descriptor set; write one with protoc -o";
constexpr char kNoSetOrDamaged[] =
    ": error: not a descriptor set, or a damaged gzip file; write one with protoc -o";

// Returns a file with a service NAME, which imports `imports`.
FileDescriptorProto ServiceFile(const std::string& name, const std::vector<std::string>& imports) {
  FileDescriptorProto file;
  file.set_name(name + ".proto");
  file.set_syntax("proto3");
  for (const std::string& import : imports) file.add_dependency(import);
  file.add_message_type()->set_name(name + "Note");
  auto* service = file.add_service();
  service->set_name(name);
  auto* method = service->add_method();
  method->set_name("Say");
  method->set_input_type(name + "Note");
  method->set_output_type(name + "Note");
  return file;
}

FileDescriptorProto NewerFile(const std::string& name, const std::vector<std::string>& imports) {
  FileDescriptorProto file = ServiceFile(name, imports);
  file.set_syntax("editions");
  file.GetReflection()->MutableUnknownFields(&file)->AddVarint(14, 1000);
  return file;
}

void AddUnknown(google::protobuf::Message* message, int number, const std::string& value) {
  message->GetReflection()->MutableUnknownFields(message)->AddLengthDelimited(number, value);
}

std::string Bytes(const std::vector<FileDescriptorProto>& files) {
  FileDescriptorSet set;
  for (const FileDescriptorProto& file : files) *set.add_file() = file;
  return set.SerializeAsString();
}

std::string Zipped(const std::string& bytes) {
  std::string zipped;
  google::protobuf::io::StringOutputStream out(&zipped);
  google::protobuf::io::GzipOutputStream gzip(&out);
  for (size_t at = 0; at < bytes.size();) {
    void* place = nullptr;
    int size = 0;
    EXPECT_TRUE(gzip.Next(&place, &size));
    const size_t n = bytes.copy(static_cast<char*>(place), static_cast<size_t>(size), at);
    gzip.BackUp(size - static_cast<int>(n));
    at += n;
  }
  EXPECT_TRUE(gzip.Close());
  return zipped;
}

class DescriptorSetsTest : public SchemaTest {
 protected:
  // Returns the services and the warnings of a schema that can be loaded.
  std::string Loaded(const std::vector<std::string>& sets) {
    warnings_.clear();
    const auto schema = Schema::Load({.descriptor_sets = sets}, &warnings_);
    return schema ? ListServices(*schema) : "no schema\n";
  }

  std::vector<std::string> warnings_;
};

TEST_F(DescriptorSetsTest, SetsOfBufCanBeCombined) {
  FileDescriptorProto named = ServiceFile("A", {});
  AddUnknown(&named, kBufExtension, std::string("\x08\x00", 2));
  FileDescriptorProto imported = ServiceFile("A", {});
  AddUnknown(&imported, kBufExtension, std::string("\x08\x01", 2));
  const std::string first = folder_.Write("first.binpb", Bytes({named}));
  const std::string second =
      folder_.Write("second.binpb", Bytes({imported, ServiceFile("B", {"A.proto"})}));
  for (const std::vector<std::string>& sets :
       std::vector<std::vector<std::string>>{{first, second}, {second, first}}) {
    EXPECT_EQ(Loaded(sets), "A\nB\n");
    EXPECT_THAT(warnings_, ElementsAre());
  }
}

TEST_F(DescriptorSetsTest, OptionsThatNobodyKnowsAreNoDifference) {
  FileDescriptorProto with = ServiceFile("A", {});
  AddUnknown(with.mutable_options(), 50001, "file");
  AddUnknown(with.mutable_service(0)->mutable_method(0)->mutable_options(), 72295728, "/v1/say");
  FileDescriptorProto other = with;
  AddUnknown(other.mutable_options(), 50002, "file");
  EXPECT_EQ(Loaded({folder_.Write("a.pb", Bytes({with})), folder_.Write("b.pb", Bytes({other}))}),
            "A\n");
}

TEST_F(DescriptorSetsTest, SyntaxProto2MayBeSpelledOut) {
  FileDescriptorProto with = ServiceFile("A", {});
  with.set_syntax("proto2");
  FileDescriptorProto without = with;
  without.clear_syntax();
  EXPECT_EQ(Loaded({folder_.Write("a.pb", Bytes({with})), folder_.Write("b.pb", Bytes({without}))}),
            "A\n");
}

TEST_F(DescriptorSetsTest, ProtobufsOwnFilesMayComeFromDifferentVersions) {
  FileDescriptorProto old;
  FileDescriptorProto::descriptor()->file()->CopyTo(&old);
  FileDescriptorProto newer = old;
  newer.add_message_type()->set_name("FeatureSet");
  const FileDescriptorProto user = ServiceFile("A", {newer.name()});
  EXPECT_EQ(
      Loaded({folder_.Write("a.pb", Bytes({old})), folder_.Write("b.pb", Bytes({newer, user}))}),
      "A\n");
}

TEST_F(DescriptorSetsTest, AFileOfANewerSyntaxDoesNotLoseTheRest) {
  const FileDescriptorProto newer = NewerFile("Newer", {"gone.proto"});
  const FileDescriptorProto user = ServiceFile("User", {"Newer.proto"});
  const FileDescriptorProto users_user = ServiceFile("UsersUser", {"User.proto"});
  const std::string set = folder_.Write(
      "all.pb", Bytes({newer, user, users_user, ServiceFile("A", {}), ServiceFile("B", {})}));
  EXPECT_EQ(Loaded({set}), "A\nB\n");
  EXPECT_THAT(
      warnings_,
      ElementsAre(set + ": warning: Newer.proto is left out, with 2 files that import it, because "
                        "this program does not know the syntax \"editions\"; write the "
                        "set from a copy of the file with syntax = \"proto3\""));

  const std::string alone = folder_.Write("alone.pb", Bytes({newer}));
  EXPECT_EQ(Loaded({alone, folder_.Write("a.pb", Bytes({ServiceFile("A", {})}))}), "A\n");
  EXPECT_EQ(warnings_.size(), 1U);
  EXPECT_EQ(Loaded({folder_.Write("two.pb", Bytes({newer, user, ServiceFile("A", {})}))}), "A\n");
  EXPECT_THAT(warnings_,
              ElementsAre(HasSubstr("is left out, with a file that imports it, because")));
  EXPECT_THAT(ErrorsOf({.descriptor_sets = {alone}}),
              ElementsAre(alone + ": error: Newer.proto is left out, because this program does not "
                                  "know the syntax \"editions\"; write the set from a copy of the "
                                  "file with syntax = \"proto3\""));
}

TEST_F(DescriptorSetsTest, EachFileOfANewerSyntaxHasALineOfItsOwn) {
  const FileDescriptorProto first = NewerFile("First", {});
  const FileDescriptorProto second = NewerFile("Second", {"First.proto"});
  const FileDescriptorProto user = ServiceFile("User", {"Second.proto"});
  const std::string set = folder_.Write("all.pb", Bytes({first, second, user}));
  const std::string other = folder_.Write("a.pb", Bytes({ServiceFile("A", {})}));
  EXPECT_EQ(Loaded({set, other}), "A\n");
  // The files that are left out are counted once.
  EXPECT_THAT(
      warnings_,
      ElementsAre(StartsWith(set + ": warning: First.proto is left out, because "),
                  StartsWith(set + ": warning: Second.proto is left out, with a file that ")));
  EXPECT_THAT(ErrorsOf({.descriptor_sets = {set}}),
              ElementsAre(StartsWith(set + ": error: First.proto is left out, because "),
                          StartsWith(set + ": error: Second.proto is left out, with a file ")));
}

TEST_F(DescriptorSetsTest, AllFilesThatDifferAreReported) {
  std::vector<FileDescriptorProto> files = {ServiceFile("A", {}), ServiceFile("B", {}),
                                            ServiceFile("C", {})};
  const std::string one = folder_.Write("one.pb", Bytes(files));
  files[0].set_package("other");
  files[2].set_package("other");
  const std::string two = folder_.Write("two.pb", Bytes(files));
  EXPECT_THAT(
      ErrorsOf({.descriptor_sets = {one, two}}),
      ElementsAre(
          two + ": error: A.proto differs from the one in " + one + "; give only one of them",
          two + ": error: C.proto differs from the one in " + one + "; give only one of them"));
}

TEST_F(DescriptorSetsTest, ABuiltInFileReplacesOneOfANewerSyntax) {
  FileDescriptorProto newer;
  FileDescriptorProto::descriptor()->file()->CopyTo(&newer);
  newer.set_syntax("editions");
  EXPECT_EQ(Loaded({folder_.Write("a.pb", Bytes({newer, ServiceFile("A", {newer.name()})}))}),
            "A\n");
  EXPECT_THAT(warnings_, ElementsAre());
}

// The way out that the message about `debug_redact` in a .proto file names.
TEST_F(DescriptorSetsTest, NewerOptionsAreIgnored) {
  FileDescriptorProto file = ServiceFile("A", {});
  auto* field = file.mutable_message_type(0)->add_field();
  field->set_name("password");
  field->set_number(1);
  field->set_type(google::protobuf::FieldDescriptorProto::TYPE_STRING);
  field->set_label(google::protobuf::FieldDescriptorProto::LABEL_OPTIONAL);
  field->mutable_options()
      ->GetReflection()
      ->MutableUnknownFields(field->mutable_options())
      ->AddVarint(16, 1);
  EXPECT_EQ(Loaded({folder_.Write("a.pb", Bytes({file}))}), "A\n");
}

TEST_F(DescriptorSetsTest, GzipFilesAreUnpacked) {
  const std::string bytes = Bytes({ServiceFile("A", {})});
  EXPECT_EQ(Loaded({folder_.Write("a.binpb.gz", Zipped(bytes))}), "A\n");
  // The name does not matter, and parts that were packed one by one form one file.
  EXPECT_EQ(Loaded({folder_.Write("a", Zipped(bytes) + Zipped(Bytes({ServiceFile("B", {})})))}),
            "A\nB\n");
  EXPECT_EQ(Loaded({folder_.Write("a.gz", bytes)}), "A\n");
}

TEST_F(DescriptorSetsTest, AnEmptySetMayBeInAGzipFile) {
  EXPECT_EQ(Loaded({folder_.Write("empty.pb", "")}), "");
  EXPECT_EQ(Loaded({folder_.Write("empty.gz", Zipped(""))}), "");
  EXPECT_EQ(Loaded({folder_.Write("a.gz", Zipped("") + Zipped(Bytes({ServiceFile("A", {})})))}),
            "A\n");
  EXPECT_EQ(Loaded({folder_.Write("a.gz", Zipped(Bytes({ServiceFile("A", {})})) + Zipped(""))}),
            "A\n");
  const std::string cut = Zipped("");
  const std::string set = folder_.Write("cut.gz", cut.substr(0, cut.size() - 1));
  EXPECT_THAT(ErrorsOf({.descriptor_sets = {set}}), ElementsAre(set + kNoSetOrDamaged));
}

TEST_F(DescriptorSetsTest, DamagedGzipFilesAreRefused) {
  const std::string zipped = Zipped(Bytes({ServiceFile("A", {})}));
  std::string wrong_sum = zipped;
  wrong_sum[zipped.size() - 8] = static_cast<char>(wrong_sum[zipped.size() - 8] ^ 1);
  for (const std::string& bytes :
       {wrong_sum, zipped + "garbage", zipped.substr(0, zipped.size() / 2), zipped.substr(0, 2),
        Zipped("this is no descriptor set"), Zipped(zipped)}) {
    const std::string set = folder_.Write("a.gz", bytes);
    EXPECT_THAT(ErrorsOf({.descriptor_sets = {set}}), ElementsAre(set + kNoSetOrDamaged));
  }
  const std::string set = folder_.Write("a.pb", zipped.substr(0, 1));
  EXPECT_THAT(ErrorsOf({.descriptor_sets = {set}}), ElementsAre(set + kNoSet));
}

TEST_F(DescriptorSetsTest, ASmallFileCannotExpandWithoutLimit) {
  const std::string set = folder_.Write("bomb.gz", Zipped(std::string((128U << 20) + 1, '\0')));
  EXPECT_THAT(ErrorsOf({.descriptor_sets = {set}}),
              ElementsAre(set + ": error: longer than 128 MiB"));
}

TEST_F(DescriptorSetsTest, ADirectoryIsNoDescriptorSet) {
  EXPECT_THAT(ErrorsOf({.descriptor_sets = {folder_.path()}}),
              ElementsAre(folder_.path() + ": error: Is a directory"));
}

TEST_F(DescriptorSetsTest, StandardInputIsReadOnce) {
  EXPECT_THAT(ErrorsOf({.descriptor_sets = {"-", "-"}}),
              ElementsAre("standard input: error: given more than once; give it once"));
}

}  // namespace
}  // namespace ttrpc::tool
