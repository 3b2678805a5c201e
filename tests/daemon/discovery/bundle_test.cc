// SPDX-License-Identifier: Apache-2.0
#include "discovery/bundle.h"

#include <set>

#include "discovery/bundle_json.h"
#include "discovery/found_text.h"
#include "harness.h"

namespace proxyd {
namespace {

using test::BootstrapOf;
using test::WriteTrusted;

std::string ErrorOfBootstrap(const std::string& json) {
  const auto address = ParseBootstrap(json);
  return address ? "no error: " + *address : address.error().message();
}

TEST(BundleJsonTest, BootstrapHasAnAddress) {
  const auto address = ParseBootstrap(BootstrapOf("unix:///run/a"));
  ASSERT_TRUE(address) << address.error();
  EXPECT_EQ(*address, "unix:///run/a");
  const auto more = ParseBootstrap(
      R"( {"Version":2,"protocol":"TTRPC","address":"a","x":[{"address":"b"}],"y":null} )");
  ASSERT_TRUE(more) << more.error();
  EXPECT_EQ(*more, "a");
}

TEST(BundleJsonTest, BadBootstrapIsRefused) {
  const std::string good = BootstrapOf("a");
  for (size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_EQ(ErrorOfBootstrap(good.substr(0, cut)), "not valid JSON") << cut;
  }
  EXPECT_EQ(ErrorOfBootstrap(good + "x"), "not valid JSON");
  EXPECT_EQ(ErrorOfBootstrap(good + std::string(1, '\0') + "x"), "not valid JSON");
  EXPECT_EQ(ErrorOfBootstrap("[]"), "not a JSON object");
  EXPECT_EQ(ErrorOfBootstrap("7"), "not a JSON object");
  EXPECT_EQ(ErrorOfBootstrap("{}"), "has no protocol");
  EXPECT_EQ(ErrorOfBootstrap(R"({"protocol":"ttrpc"})"), "has no address");
  EXPECT_EQ(ErrorOfBootstrap(R"({"protocol":"grpc","address":"a"})"),
            "protocol \"grpc\" is not \"ttrpc\"");
  EXPECT_EQ(ErrorOfBootstrap(R"({"protocol":"ttrpc","address":"a","version":4})"),
            "version 4 is newer than 3");
  EXPECT_EQ(ErrorOfBootstrap(R"({"protocol":"ttrpc","address":"a","version":-1})"),
            "version has a wrong type");
  EXPECT_EQ(ErrorOfBootstrap(R"({"protocol":"ttrpc","address":["a"]})"),
            "address has a wrong type");
  EXPECT_EQ(ErrorOfBootstrap(R"({"address":"a","Address":"b"})"), "repeats address");
  EXPECT_EQ(ErrorOfBootstrap("{\"address\":\"\xff\"}"), "not valid JSON");
}

TEST(BundleJsonTest, DeepNestingIsRefused) {
  EXPECT_EQ(ErrorOfBootstrap("{\"a\":" + std::string(100'000, '[')), "too deeply nested");
}

TEST(BundleJsonTest, OnlyWantedAnnotationsAreKept) {
  const std::set<std::string> wanted = {"a", "b"};
  const auto found = ParseAnnotations(
      R"({"process":{"annotations":{"a":"no"},"args":["a"]},"annotations":{"a":"1","c":"3"},)"
      R"("mounts":[{"annotations":{"b":"no"}}],"hooks":{"b":"no"}})",
      wanted);
  ASSERT_TRUE(found) << found.error();
  EXPECT_EQ(*found, (Annotations{{"a", "1"}}));
  const auto none = ParseAnnotations(R"({"annotations":null})", wanted);
  ASSERT_TRUE(none) << none.error();
  EXPECT_TRUE(none->empty());
}

TEST(BundleJsonTest, BadAnnotationsAreRefused) {
  const auto error_of = [](const std::string& json) {
    const auto found = ParseAnnotations(json, {"a"});
    return found ? "no error" : found.error().message();
  };
  EXPECT_EQ(error_of(R"({"annotations":{"a":"1"},"annotations":{}})"), "repeats annotations");
  EXPECT_EQ(error_of(R"({"annotations":{"a":"1","a":"2"}})"), "repeats the annotation \"a\"");
  EXPECT_EQ(error_of(R"({"annotations":["a"]})"), "annotations is not an object");
  EXPECT_EQ(error_of(R"({"annotations":"a"})"), "annotations is not an object");
  EXPECT_EQ(error_of(R"({"annotations":{"x":{"a":"1"}}})"), "an annotation is not a text");
  EXPECT_EQ(error_of(R"({"annotations":{"a":1}})"), "an annotation is not a text");
  EXPECT_EQ(error_of(R"({"annotations":{"a":"1"})"), "not valid JSON");
}

TEST(FoundTextTest, NamesThatCannotBePartOfAPathAreRefused) {
  EXPECT_EQ(ProblemOfName("web-1.example_x"), "");
  EXPECT_EQ(ProblemOfName("caf\xc3\xa9"), "");
  EXPECT_EQ(ProblemOfName(""), "its name is empty");
  for (const char* name : {".", "..", "a/b", "/", "a\\b"}) {
    EXPECT_EQ(ProblemOfName(name), "its name is . or .., or has a slash or a backslash") << name;
  }
  for (const std::string& name : {std::string("a\0b", 3), std::string("a\nb"), std::string("\x7f"),
                                  std::string("\xff"), std::string("\xe2\x80\xae")}) {
    EXPECT_EQ(ProblemOfName(name), "its name has control characters, or is not UTF-8");
  }
}

TEST(FoundTextTest, AllFormsOfAddresses) {
  const std::vector<std::pair<std::string, std::string>> forms = {
      {"unix:///run/a\n", "unix:///run/a"},
      {" vsock://3:1024\r\n", "vsock:3:1024"},
      {"hvsock:///run/k.hvsock:1024", "hvsock:///run/k.hvsock:1024"},
      {"ttrpc+unix:///run/a", "unix:///run/a"},
      {"ttrpc+vsock://3:1024", "vsock:3:1024"},
      {"vsock:3:1024", "vsock:3:1024"},
      {"/containerd-shim/k8s.io/x/shim.sock", "unix-abstract:/containerd-shim/k8s.io/x/shim.sock"}};
  for (const auto& [text, expected] : forms) {
    const auto address = ParseFoundAddress(text);
    ASSERT_TRUE(address) << text << ": " << address.error();
    EXPECT_EQ(address->ToString(), expected);
  }
  for (const char* bad : {"", "un", "unix", "tcp://1.2.3.4:5", "ttrpc+", "vsock://x", "unix://a",
                          "unix:///run/a\nunix:///run/b", "unix:///\xff"}) {
    EXPECT_FALSE(ParseFoundAddress(bad)) << bad;
  }
}

class BundleTest : public testing::Test {
 protected:
  BundleTest() : directory_(::open(folder_.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}

  void Write(const std::string& name, const std::string& content) {
    WriteTrusted(folder_ / name, content);
  }
  Workload Read() {
    Workload workload = {.key = {.name_space = "ns", .id = "self"}};
    EXPECT_FALSE(ReadBundle(directory_.get(), {"a"}, &workload));
    return workload;
  }
  // Reads it with the annotation that names the group of an old shim.
  Workload ReadWithGroup(const std::string& group) {
    Write("config.json", R"({"annotations":{"io.containerd.runc.v2.group":")" + group + "\"}}");
    return Read();
  }
  std::string Address() {
    const Workload read = Read();
    return read.address ? read.address->ToString() : "none";
  }

  ::test::TempFolder folder_;
  const ttrpc::UniqueFd directory_;
};

TEST_F(BundleTest, ABundleWithoutAnAddressHasNothingWrong) {
  EXPECT_EQ(Address(), "none");
  EXPECT_EQ(Read().why, "");
  Write("bootstrap.json", "");  // made, and not written yet
  Write("address", "\n");
  EXPECT_EQ(Address(), "none");
  EXPECT_EQ(Read().why, "");
}

TEST_F(BundleTest, BootstrapComesBeforeAddress) {
  Write("address", "unix:///run/old\n");
  EXPECT_EQ(Address(), "unix:///run/old");
  Write("bootstrap.json", BootstrapOf("unix:///run/new"));
  EXPECT_EQ(Address(), "unix:///run/new");
}

// The file that counts is bad, so nothing else counts in its place.
TEST_F(BundleTest, ABadBootstrapIsNotReplacedByAddress) {
  Write("address", "unix:///run/old");
  Write("bootstrap.json", "{");
  EXPECT_EQ(Address(), "none");
  EXPECT_EQ(Read().why, "bootstrap.json: not valid JSON");
  Write("bootstrap.json", BootstrapOf("tcp://1.2.3.4"));
  EXPECT_TRUE(Read().why.starts_with("bootstrap.json: address \"tcp://1.2.3.4\": "));
  Write("bootstrap.json", std::string(kMostBundleFile + 1, ' '));
  EXPECT_EQ(Read().why, "bootstrap.json: more than 65536 bytes");
  ASSERT_EQ(::unlink((folder_ / "bootstrap.json").c_str()), 0);
  ASSERT_EQ(::symlink("address", (folder_ / "bootstrap.json").c_str()), 0);
  EXPECT_EQ(Read().why, "bootstrap.json: not a regular file");
}

TEST_F(BundleTest, ADirectoryThatOthersMayWriteToIsRefused) {
  Write("address", "unix:///run/a");
  Write("config.json", R"({"annotations":{"a":"1"}})");
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0777), 0);
  EXPECT_EQ(Address(), "none");
  EXPECT_EQ(Read().why, "the bundle: a group or others may write to it");
  EXPECT_EQ(Read().annotations, nullptr);
}

TEST_F(BundleTest, TheSandboxIsTheFilesElseTheGroupOfAnOldShim) {
  Write("address", "unix:///run/a");
  EXPECT_EQ(ReadWithGroup("pod").sandbox, "pod");
  EXPECT_EQ(ReadWithGroup("self").sandbox, "");
  Write("sandbox", "other\n");
  EXPECT_EQ(ReadWithGroup("pod").sandbox, "other");
  Write("sandbox", "self");
  EXPECT_EQ(ReadWithGroup("pod").sandbox, "");
  ASSERT_EQ(::unlink((folder_ / "sandbox").c_str()), 0);
  Write("bootstrap.json", BootstrapOf("unix:///run/a"));
  EXPECT_EQ(ReadWithGroup("pod").sandbox, "");
  Write("sandbox", "../x");
  EXPECT_EQ(Read().why, "its sandbox \"../x\" is not an id");
  EXPECT_EQ(Address(), "none");
}

TEST_F(BundleTest, AnnotationsOfRulesAndOfThePodAreKept) {
  Write("address", "unix:///run/a");
  Write("config.json", R"({"annotations":{"a":"1","b":"2","io.kubernetes.cri.sandbox-id":"pod",)"
                       R"("io.kubernetes.cri.sandbox-name":"n"}})");
  const Workload read = Read();
  EXPECT_EQ(read.config_problem, "");
  EXPECT_EQ(read.sandbox, "pod");
  ASSERT_TRUE(read.annotations);
  EXPECT_EQ(*read.annotations, (Annotations{{"a", "1"}, {"io.kubernetes.cri.sandbox-name", "n"}}));
}

TEST_F(BundleTest, AConfigJsonThatCannotBeUsedHasNoAnnotations) {
  Write("address", "unix:///run/a");
  EXPECT_EQ(Read().config_problem, "");
  Write("config.json", R"({"annotations":{"a":"1"})");
  EXPECT_EQ(Read().config_problem, "config.json: not valid JSON");
  ASSERT_EQ(::truncate((folder_ / "config.json").c_str(), 100 << 20), 0);
  const Workload large = Read();
  EXPECT_EQ(large.config_problem, "config.json: more than 1048576 bytes");
  EXPECT_EQ(large.annotations, nullptr);
  EXPECT_EQ(Address(), "unix:///run/a");
}

// containerd writes config.json before it starts the shim, and may still be writing it.
TEST_F(BundleTest, ConfigJsonIsReadOnceThereIsAnAddress) {
  Write("config.json", R"({"annotations":{)");
  EXPECT_EQ(Read().config_problem, "");
  Write("address", "unix:///run/a");
  EXPECT_EQ(Read().config_problem, "config.json: not valid JSON");
}

TEST(WorkloadTest, ThePodHasANamespaceAndAName) {
  Workload workload;
  EXPECT_EQ(PodOf(workload), "");
  workload.annotations =
      std::make_shared<const Annotations>(Annotations{{"io.kubernetes.cri.sandbox-name", "web"}});
  EXPECT_EQ(PodOf(workload), "");
  workload.annotations = std::make_shared<const Annotations>(
      Annotations{{"io.kubernetes.cri.sandbox-name", "web"},
                  {"io.kubernetes.cri.sandbox-namespace", "team-a"}});
  EXPECT_EQ(PodOf(workload), "team-a/web");
}

}  // namespace
}  // namespace proxyd
