// SPDX-License-Identifier: Apache-2.0
//
// Compares the lists of macros with those that the compiler (COMPILE) knows after it has read the
// headers that generated code includes. LIBTTRPC_INCLUDE is the directory of the public headers.
#include "words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "protoc_test.h"

namespace ttrpc::compiler {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

struct Defined {
  std::set<std::string> objects;
  std::set<std::string> functions;
};

class WordsTest : public ProtocTest {
 protected:
  // Writes a source that includes all headers of the generated files. port_def.inc is the last, so
  // that its macros are defined as they are where the names of the .proto file are.
  Path WriteIncludes() {
    const Path protos = WriteProto(
        "syntax = \"proto2\";\n"
        "import \"google/protobuf/any.proto\";\n"
        "import \"google/protobuf/struct.proto\";\n"
        "message M { map<string, M> m = 1; optional google.protobuf.Any a = 2; repeated E e = 3;\n"
        "oneof o { string s = 4; google.protobuf.Struct t = 5; } extensions 100; }\n"
        "enum E { A = 0; }\n"
        "extend M { optional bytes b = 100; }\n"
        "service S { rpc R(M) returns (stream M); }");
    const Outcome outcome =
        Protoc(protos, "", "foo.proto", "made", "--cpp_out=" + (out_ / "made").string());
    EXPECT_EQ(outcome.status, 0) << outcome.said;
    const std::string last = "#include <google/protobuf/port_def.inc>";
    std::ofstream source(out_ / "includes.cc");
    for (const char* name : {"foo.pb.h", "foo.pb.cc", "foo.ttrpc.h", "foo.ttrpc.cc"}) {
      std::istringstream text(Read(out_ / "made" / name));
      for (std::string line; std::getline(text, line);) {
        if (line.starts_with("#include <") && !line.starts_with(last) &&
            line.find("port_undef.inc") == line.npos)
          source << line << '\n';
      }
    }
    source << last << '\n';
    return out_ / "includes.cc";
  }

  // Returns the macros that a .proto file may contain and that expand to something else.
  Defined MacrosWith(const std::string& standard) {
    const char* compile = std::getenv("COMPILE");
    EXPECT_NE(compile, nullptr);
    const Outcome outcome = Run(std::string(compile) + " -std=" + standard + " -I" +
                                LIBTTRPC_INCLUDE + " -dM -E " + WriteIncludes().string());
    EXPECT_EQ(outcome.status, 0) << outcome.said;
    Defined defined;
    std::istringstream text(outcome.said);
    for (std::string line; std::getline(text, line);) {
      std::istringstream words(line);
      std::string define, name, value;
      words >> define >> name >> value;
      EXPECT_EQ(define, "#define") << line;
      if (name == value) continue;
      const size_t parenthesis = name.find('(');
      const bool is_function = parenthesis != name.npos;
      (is_function ? defined.functions : defined.objects).insert(name.substr(0, parenthesis));
    }
    return defined;
  }
};

std::vector<std::string> NotOneOf(const std::set<std::string>& names, std::set<Word> words) {
  std::vector<std::string> others;
  for (const std::string& name : names) {
    if (!words.contains(WordOf(name))) others.push_back(name);
  }
  return others;
}

TEST_F(WordsTest, AllMacrosOfTheHeadersAreKnown) {
  for (const char* standard : {"c++20", "c++23"}) {
    const Defined defined = MacrosWith(standard);
    EXPECT_GT(defined.objects.size(), 500U);
    EXPECT_THAT(NotOneOf(defined.objects, {Word::kMacro, Word::kProtobufMacro, Word::kReserved}),
                IsEmpty());
    EXPECT_THAT(
        NotOneOf(defined.functions, {Word::kFunctionMacro, Word::kProtobufMacro, Word::kReserved}),
        IsEmpty());
  }
}

TEST_F(WordsTest, GnuDialectsAddTwo) {
  const Defined defined = MacrosWith("gnu++20");
  EXPECT_THAT(NotOneOf(defined.objects, {Word::kMacro, Word::kProtobufMacro, Word::kReserved}),
              UnorderedElementsAre("linux", "unix"));
  for (const char* name : {"linux", "unix"}) EXPECT_EQ(WordOf(name), Word::kGnuMacro);
}

// The headers declare the names of namespace ttrpc at the beginnings of lines.
std::set<std::string> NamesIn(const std::filesystem::path& header) {
  static const std::regex kName(R"(^(?:class|struct|enum class|using) (?:\[\[\w+\]\] )?(\w+).*|)"
                                R"(^(?:inline )?constexpr .*\b(k\w+)\b.*|)"
                                R"(^[A-Za-z_][\w:<>,&* \[\]]*[ &*](\w+)\(.*)");
  static const std::regex kNamespace(R"(^namespace (\w+) \{$)");
  std::set<std::string> names;
  std::ifstream text(header);
  int depth = 0;
  for (std::string line; std::getline(text, line);) {
    std::smatch match;
    if (std::regex_match(line, match, kNamespace)) {
      if (++depth == 2) names.insert(match[1]);
    } else if (line.starts_with("}  // namespace")) {
      --depth;
    } else if (depth == 1 && std::regex_match(line, match, kName)) {
      for (const size_t group : {1, 2, 3})
        if (match[group].matched) names.insert(match[group]);
    }
  }
  return names;
}

TEST(WordTest, AllNamesOfTheLibraryAreKnown) {
  size_t found = 0;
  std::vector<std::string> unknown;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(LIBTTRPC_INCLUDE)) {
    if (!entry.is_regular_file()) continue;
    for (const std::string& name : NamesIn(entry.path())) {
      ++found;
      if (!IsNameOfLibttrpc(name)) unknown.push_back(name);
    }
  }
  EXPECT_GT(found, 90U);
  EXPECT_THAT(unknown, IsEmpty()) << "add these to words.cc";
  EXPECT_FALSE(IsNameOfLibttrpc("Request"));
}

TEST(WordTest, Kinds) {
  for (const char* name : {"EOF", "BUFSIZ", "SCHED_OTHER", "errno", "SYS_read"})
    EXPECT_EQ(WordOf(name), Word::kMacro) << name;
  for (const char* name : {"alloca", "htole32", "CPU_SET"})
    EXPECT_EQ(WordOf(name), Word::kFunctionMacro) << name;
  for (const char* name : {"class", "requires", "xor_eq"})
    EXPECT_EQ(WordOf(name), Word::kKeyword) << name;
  for (const char* name : {"assert", "GOOGLE_LOG", "GOOGLE_PROTOBUF_X_H__", "PROTOBUF_EXPORT"})
    EXPECT_EQ(WordOf(name), Word::kProtobufMacro) << name;
  for (const char* name : {"__linux__", "_IOFBF", "_X"})
    EXPECT_EQ(WordOf(name), Word::kReserved) << name;
  // These are names in schemas. Some are macros in headers that the public headers do not include.
  for (const char* name : {"", "_", "_x", "AF_INET", "SOL_SOCKET", "st_mtime", "S_IFDIR", "stdin",
                           "SYS_ADMIN", "GOOGLE_CLOUD", "DEBUG", "TRUE", "ERROR", "DOMAIN"})
    EXPECT_EQ(WordOf(name), Word::kFree) << name;
  EXPECT_TRUE(IsKeywordOfCpp20("requires"));
  EXPECT_FALSE(IsKeywordOfCpp20("class"));
}

}  // namespace
}  // namespace ttrpc::compiler
