// SPDX-License-Identifier: Apache-2.0
//
// Tests what a configuration says about discovery: its values, its errors to the letter, and that
// it prints what it read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "config/socket_template.h"
#include "testing.h"

namespace proxyd {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A listener whose `discover` is on line 3; `rest` begins on line 4.
std::string DiscoveringListener(const std::string& name, const std::string& source,
                                const std::string& rest) {
  return "[[listener]]\nname = \"" + name + "\"\ndiscover = \"" + source + "\"\n" + rest;
}

constexpr char kFrontAddress[] = "address = \"unix:///run/x/{namespace}/{id}.sock\"\n";
constexpr char kForAllAddress[] = "address = \"unix:///run/all.sock\"\n";
constexpr char kFoundBackend[] = "[[backend]]\nname = \"found\"\naddress = \"discovered\"\n";

std::string RuleToFound(const std::string& rest) {
  return "[[rule]]\nname = \"r\"\nusers = [1]\nmethods = [\"/s/M\"]\naction = \"allow\"\n"
         "backend = \"found\"\n" +
         rest;
}

Config Discovering(const std::string& text) {
  LoadedConfig loaded = ParseText(text);
  EXPECT_THAT(Strings(loaded.errors), IsEmpty());
  return loaded.config ? *std::move(loaded.config) : Config();
}

TEST(DiscoveryTest, ASocketForEachWorkload) {
  const Config config = Discovering(DiscoveringListener(
      "a", "containerd", std::string(kFrontAddress) + "mode = \"0660\"\ngroup = \"root\"\n"));
  ASSERT_EQ(config.listeners.size(), 1U);
  const ListenerConfig& listener = config.listeners[0];
  EXPECT_EQ(listener.address,
            ListenerAddress(SocketTemplate{.path = "/run/x/{namespace}/{id}.sock"}));
  EXPECT_EQ(ToString(listener.address), "unix:///run/x/{namespace}/{id}.sock");
  EXPECT_EQ(listener.discovery, (DiscoveryConfig{.source = DiscoverySource::kContainerd,
                                                 .directories = {"/run/containerd"}}));
  EXPECT_EQ(listener.access.mode, 0660U);
  EXPECT_EQ(listener.access.group, 0U);
  EXPECT_FALSE(listener.IsOneSocketForAll());
}

TEST(DiscoveryTest, OneSocketForAllOfContainerd) {
  for (const char* address : {"unix:///run/all.sock", "unix-abstract:all", "systemd:all"}) {
    const Config config = Discovering(DiscoveringListener(
        "a", "containerd",
        "state = \"/run/other/\"\naddress = \"" + std::string(address) + "\"\n"));
    ASSERT_EQ(config.listeners.size(), 1U);
    EXPECT_EQ(ToString(config.listeners[0].address), address);
    EXPECT_TRUE(config.listeners[0].IsOneSocketForAll());
    EXPECT_THAT(config.listeners[0].discovery->directories, ElementsAre("/run/other"));
  }
}

TEST(DiscoveryTest, OtherSources) {
  const Config config = Discovering(
      DiscoveringListener("k", "kata", "address = \"unix:///run/k/{id}.sock\"\n") +
      DiscoveringListener("l", "kata",
                          "directories = [\"/run/kata/\", \"/b\"]\n"
                          "address = \"unix:///run/l/x-{id}/agent\"\n") +
      DiscoveringListener("d", "directory",
                          "directory = \"/run/agents\"\naddress = \"unix:///run/d/{name}\"\n"));
  ASSERT_EQ(config.listeners.size(), 3U);
  EXPECT_THAT(config.listeners[0].discovery->directories, ElementsAre("/run/kata", "/run/vc/sbs"));
  EXPECT_THAT(config.listeners[1].discovery->directories, ElementsAre("/run/kata", "/b"));
  EXPECT_EQ(config.listeners[2].discovery, (DiscoveryConfig{.source = DiscoverySource::kDirectory,
                                                            .directories = {"/run/agents"}}));
}

TEST(DiscoveryTest, PlaceholdersWithoutAMeaningAreOrdinaryCharacters) {
  const Config config = Discovering("[[listener]]\nname = \"a\"\naddress = \"unix:///run/{x}\"\n");
  EXPECT_EQ(ToString(config.listeners[0].address), "unix:///run/{x}");
}

TEST(DiscoveryTest, ADiscoveredBackend) {
  const Config config =
      Discovering(DiscoveringListener("a", "containerd", kFrontAddress) + kFoundBackend +
                  "on_disconnect = \"fail-calls\"\nusers = [7]\n" + RuleToFound(""));
  ASSERT_EQ(config.backends.size(), 1U);
  EXPECT_TRUE(config.backends[0].discovered);
  EXPECT_THAT(config.backends[0].addresses, IsEmpty());
  EXPECT_THAT(config.backends[0].users, ElementsAre(7U));
  EXPECT_EQ(config.backends[0].on_disconnect, BackendConfig::OnDisconnect::kFailCalls);
}

TEST(DiscoveryTest, ConditionsOfRules) {
  const Config config = Discovering(
      DiscoveringListener("a", "containerd", kFrontAddress) + kFoundBackend +
      RuleToFound(
          "namespaces = [\"k8s.io\", \"moby\"]\nids = [\"{uid}-*\"]\n"
          "annotations = { \"io.kubernetes.cri.sandbox-namespace\" = \"team-*\", b = \"/x\" }\n"));
  ASSERT_EQ(config.rules.size(), 1U);
  const RuleConfig& rule = config.rules[0];
  EXPECT_TRUE(rule.HasWorkloadConditions());
  ASSERT_EQ(rule.namespaces.size(), 2U);
  EXPECT_EQ(rule.namespaces[1].text(), "moby");
  ASSERT_EQ(rule.ids.size(), 1U);
  EXPECT_EQ(rule.ids[0].text(), "{uid}-*");
  ASSERT_EQ(rule.annotations.size(), 2U);
  EXPECT_EQ(rule.annotations.at("io.kubernetes.cri.sandbox-namespace").text(), "team-*");
}

TEST(DiscoveryTest, PrintsWhatItRead) {
  const std::string text =
      DiscoveringListener("a", "containerd",
                          std::string(kFrontAddress) + "group = \"root\"\nmode = \"0660\"\n") +
      DiscoveringListener("k", "kata", "address = \"unix:///run/k/{id}\"\n") +
      DiscoveringListener("d", "directory",
                          "directory = \"/run/agents\"\naddress = \"unix:///run/d/{name}\"\n") +
      kFoundBackend +
      RuleToFound(
          "listeners = [\"a\"]\nannotations = { \"a.b\" = \"c\" }\n"
          "namespaces = [\"k8s.io\"]\nids = [\"a\\\\*b\", \"{user}\"]\n");
  const std::string printed = PrintConfig(Discovering(text));
  EXPECT_THAT(printed, HasSubstr("address = \"unix:///run/x/{namespace}/{id}.sock\"\n"
                                 "discover = \"containerd\"\nstate = \"/run/containerd\"\n"
                                 "group = \"root\"\nmode = \"0660\"\n"));
  EXPECT_THAT(printed, HasSubstr("discover = \"kata\"\n"
                                 "directories = [\"/run/kata\", \"/run/vc/sbs\"]\n"));
  EXPECT_THAT(printed, HasSubstr("discover = \"directory\"\ndirectory = \"/run/agents\"\n"));
  EXPECT_THAT(printed, HasSubstr("name = \"found\"\naddress = \"discovered\"\nusers = "));
  EXPECT_THAT(printed, HasSubstr("on_disconnect = \"close-peers\"\n"));
  EXPECT_THAT(printed, HasSubstr("namespaces = [\"k8s.io\"]\nids = [\"a\\\\*b\", \"{user}\"]\n"
                                 "annotations = { \"a.b\" = \"c\" }\n"));
  EXPECT_EQ(PrintConfig(Discovering(printed)), printed);
}

// The loader would refuse it.
TEST(DiscoveryTest, PrintsNoOnDisconnectForOneSocketForAll) {
  for (const char* listeners : {"", "listeners = [\"a\"]\n"}) {
    const std::string printed =
        PrintConfig(Discovering(DiscoveringListener("a", "containerd", kForAllAddress) +
                                kFoundBackend + RuleToFound(listeners)));
    EXPECT_THAT(printed, Not(HasSubstr("on_disconnect")));
    EXPECT_EQ(PrintConfig(Discovering(printed)), printed);
  }
}

TEST(SocketTemplateTest, PathsAndBases) {
  const SocketTemplate front = {.path = "/run/x/{namespace}/a-{id}.sock"};
  EXPECT_EQ(FrontBaseOf(front), "/run/x");
  EXPECT_EQ(PathOf(front, "k8s.io", "{id}"), "/run/x/k8s.io/a-{id}.sock");
  EXPECT_EQ(FrontBaseOf({.path = "/run/x/y-{name}"}), "/run/x");
  EXPECT_EQ(PathOf({.path = "/run/x/y-{name}"}, "", "n"), "/run/x/y-n");
  EXPECT_EQ(PathOf({.path = "/run/{id}/agent"}, "", "n"), "/run/n/agent");
}

struct DiscoveryCase {
  const char* name;
  std::string text;
  std::vector<std::string> errors;
};

void PrintTo(const DiscoveryCase& test, std::ostream* out) { *out << test.name; }

class DiscoveryErrors : public testing::TestWithParam<DiscoveryCase> {};

TEST_P(DiscoveryErrors, AreReportedToTheLetter) {
  const LoadedConfig loaded = ParseText(GetParam().text);
  EXPECT_FALSE(loaded.config.has_value());
  EXPECT_THAT(Strings(loaded.errors), ElementsAreArray(GetParam().errors));
}

std::string DiscoveryCaseName(const testing::TestParamInfo<DiscoveryCase>& info) {
  return info.param.name;
}

const DiscoveryCase kDiscoveryKeyCases[] = {
    {"Wrapper",
     DiscoveringListener("a", "wrapper", "state = \"/x\"\n" + std::string(kFrontAddress)),
     {"c:3:12: error: discover is \"wrapper\", which is not supported yet; use \"containerd\", "
      "\"kata\" or \"directory\""}},
    {"Word",
     DiscoveringListener("a", "contained", kFrontAddress),
     {"c:3:12: error: discover is \"contained\"; did you mean \"containerd\"?"}},
    {"KeysOfOtherSources",
     DiscoveringListener("a", "containerd",
                         "directory = \"/a\"\ndirectories = []\n" + std::string(kFrontAddress)),
     {"c:4:1: error: directory is set without discover = \"directory\"; remove it",
      "c:5:1: error: directories is set without discover = \"kata\"; remove it"}},
    {"KeysWithoutDiscover",
     "[[listener]]\nname = \"a\"\naddress = \"unix:///a\"\nstate = \"/a\"\n",
     {"c:4:1: error: state is set without discover = \"containerd\"; remove it, or add discover"}},
    {"NoDirectory",
     DiscoveringListener("a", "directory", "address = \"unix:///run/x/{name}\"\n"),
     {"c:1:1: error: [[listener]] with discover = \"directory\" has no directory; add the "
      "directory of the sockets"}},
    {"Directories",
     DiscoveringListener("a", "containerd",
                         "state = \"run\"\naddress = \"unix:///run/a/{namespace}/{id}\"\n") +
         DiscoveringListener("b", "directory",
                             "directory = \"/run/../b\"\naddress = \"unix:///run/b/{name}\"\n") +
         DiscoveringListener("c", "kata",
                             "directories = [\"/\", \"/a\", \"/a/\"]\n"
                             "address = \"unix:///run/c/{id}\"\n") +
         DiscoveringListener("d", "kata", "directories = []\naddress = \"unix:///run/d/{id}\"\n") +
         DiscoveringListener("e", "containerd",
                             "state = 5\naddress = \"unix:///run/e/{namespace}/{id}\"\n"),
     {"c:4:9: error: state is \"run\"; use an absolute path without . and .., such as "
      "\"/run/containerd\"",
      "c:9:13: error: directory is \"/run/../b\"; use an absolute path without . and .., such as "
      "\"/run/agents\"",
      "c:14:16: error: directories contains \"/\"; use an absolute path without . and .., such as "
      "\"/run/kata\"",
      "c:14:27: error: directories contains \"/a/\" twice; remove one of the two",
      "c:19:15: error: directories is an empty array; use an array of one or more directories",
      "c:24:9: error: state is 5; use an absolute path without . and .., such as "
      "\"/run/containerd\""}},
};
INSTANTIATE_TEST_SUITE_P(Keys, DiscoveryErrors, testing::ValuesIn(kDiscoveryKeyCases),
                         DiscoveryCaseName);

// Returns the error about the address of a listener.
std::string AddressError(const std::string& source, const std::string& address) {
  const std::string directory = source == "directory" ? "\ndirectory = \"/run/agents\"" : "";
  const LoadedConfig loaded =
      ParseText("[[listener]]\nname = \"a\"\naddress = \"" + address + "\"\n" +
                (source.empty() ? "" : "discover = \"" + source + "\"" + directory + "\n"));
  if (loaded.errors.size() != 1) return std::to_string(loaded.errors.size()) + " errors";
  const std::string start = "c:3:11: error: address is \"" + address + "\", ";
  const std::string error = loaded.errors[0].ToString();
  return error.starts_with(start) ? error.substr(start.size()) : error;
}

TEST(DiscoveryAddressErrors, PlaceholdersFitTheSource) {
  const std::string containerd =
      "which does not fit discover = \"containerd\"; use unix:///abs/path with {namespace} and "
      "{id}, each once, or with neither of them for one socket for all";
  for (const char* address :
       {"unix:///run/x/{id}", "unix:///run/x/{namespace}", "unix:///run/x/{namespace}/{name}",
        "unix:///run/x/{namespace}/{id}/{id}", "unix:///run/x/{namespace}/{id}/{x}",
        "unix-abstract:{namespace}/{id}", "systemd:{namespace}{id}", "unix:///run/x/{uid}"}) {
    EXPECT_EQ(AddressError("containerd", address), containerd) << address;
  }
  const std::string kata =
      "which does not fit discover = \"kata\"; use unix:///abs/path with {id}, once";
  for (const char* address : {"unix:///run/x", "systemd:x", "unix:///run/{namespace}/{id}"}) {
    EXPECT_EQ(AddressError("kata", address), kata) << address;
  }
  EXPECT_EQ(AddressError("directory", "unix:///run/x/{id}"),
            "which does not fit discover = \"directory\"; use unix:///abs/path with {name}, once");
  EXPECT_EQ(AddressError("", "unix:///run/x/{id}"),
            "which has a placeholder for the names of workloads; add discover, or remove the "
            "placeholder");
}

TEST(DiscoveryAddressErrors, DifferentWorkloadsHaveDifferentPaths) {
  EXPECT_EQ(AddressError("containerd", "unix:///run/x/{namespace}-{id}"),
            "which has two placeholders in one part of the path; put a slash between them");
  EXPECT_EQ(AddressError("kata", "unix:///run/x/.{id}"),
            "which has a dot before a placeholder; begin that part with another character");
  EXPECT_EQ(AddressError("kata", "unix:///{id}"),
            "which has a placeholder in the root directory; put the sockets into a directory");
  for (const char* address : {"unix:///run/../{id}", "unix:///run/./{id}", "unix:///run//{id}",
                              "unix:///run/{id}/../x"}) {
    EXPECT_EQ(AddressError("kata", address),
              "which has a part that is not a name; remove empty parts, . and ..");
  }
  EXPECT_EQ(AddressError("kata", "unix:///run/{id}/"),
            "which is not valid: path ends in a slash; use the path of a socket");
  EXPECT_EQ(AddressError("kata", "unix:///" + std::string(106, 'a') + "/{id}"),
            "which is not valid: path has 109 bytes; use at most 107");
}

const DiscoveryCase kBaseCases[] = {
    {"TheSameBase",
     DiscoveringListener("a", "containerd", kFrontAddress) +
         DiscoveringListener("b", "kata", "address = \"unix:///run/x/{id}\"\n"),
     {"c:8:11: error: address puts sockets into \"/run/x\", which belongs to the sockets of "
      "workloads at c:4:11; use another directory"}},
    {"ABaseBelowAnother",
     DiscoveringListener("a", "kata", "address = \"unix:///run/x/y/{id}\"\n") +
         DiscoveringListener("b", "containerd", kFrontAddress),
     {"c:4:11: error: address puts sockets into \"/run/x/y\", which belongs to the sockets of "
      "workloads at c:8:11; use another directory"}},
    {"OtherSocketsInABase",
     DiscoveringListener("a", "containerd", kFrontAddress) +
         "[[listener]]\nname = \"b\"\naddress = \"unix:///run/./x/y/b\"\n"
         "[admin]\naddress = \"unix:///run/x\"\n",
     {"c:7:11: error: address \"unix:///run/./x/y/b\" is in a directory that belongs to the "
      "sockets of workloads at c:4:11; use another directory",
      "c:9:11: error: address \"unix:///run/x\" is in a directory that belongs to the sockets of "
      "workloads at c:4:11; use another directory"}},
    {"ABackendInABase",
     DiscoveringListener("a", "containerd", kFrontAddress) +
         "[[backend]]\nname = \"b\"\naddress = \"unix:///run/x/k8s.io/web.sock\"\n",
     {"c:7:11: error: address is \"unix:///run/x/k8s.io/web.sock\", where the daemon itself "
      "listens (c:4:11); use the address of another server"}},
    {"DefaultsAreFollowedToo",
     DiscoveringListener("a", "kata", "address = \"unix:///run/kata/{id}/p.sock\"\n") +
         DiscoveringListener("b", "containerd",
                             "address = \"unix:///run/containerd/{namespace}/{id}\"\n"),
     {"c:1:1: error: directories contains \"/run/kata\" by default, where the daemon itself "
      "listens (c:4:11); use another directory",
      "c:5:1: error: state is \"/run/containerd\" by default, where the daemon itself listens "
      "(c:8:11); use another directory"}},
    {"ABaseAmongBundles",
     DiscoveringListener("a", "containerd",
                         "address = \"unix:///run/containerd/io.containerd.runtime.v2.task/"
                         "{namespace}/{id}/p.sock\"\n") +
         DiscoveringListener("b", "kata",
                             "directories = [\"/run/k\"]\naddress = \"unix:///run/k/x/{id}\"\n"),
     {"c:1:1: error: state is \"/run/containerd\" by default, where the daemon itself listens "
      "(c:4:11); use another directory",
      "c:8:16: error: directories contains \"/run/k\", where the daemon itself listens (c:9:11); "
      "use another directory"}},
    {"OwnSocketsWouldBeFound",
     DiscoveringListener("a", "directory",
                         "directory = \"/run/x\"\naddress = \"unix:///run/x/{name}\"\n") +
         DiscoveringListener("b", "directory",
                             "directory = \"/run/admin\"\naddress = \"unix:///run/b/{name}\"\n") +
         "[admin]\naddress = \"unix:///run/admin/admin.sock\"\n",
     {"c:4:13: error: directory is \"/run/x\", where the daemon itself listens (c:5:11); use "
      "another directory",
      "c:9:13: error: directory is \"/run/admin\", where the daemon itself listens (c:12:11); use "
      "another directory"}},
};
INSTANTIATE_TEST_SUITE_P(Bases, DiscoveryErrors, testing::ValuesIn(kBaseCases), DiscoveryCaseName);

// Two listeners on lines 1 to 7 (one that discovers, and one that does not) and a backend on lines
// 8 to 10; rules begin on line 11.
const std::string kMixedListeners = DiscoveringListener("a", "containerd", kFrontAddress) +
                                    "[[listener]]\nname = \"b\"\naddress = \"unix:///b\"\n" +
                                    kFoundBackend;
const std::string kDenyRule = "[[rule]]\nname = \"d\"\naction = \"deny\"\n";

const DiscoveryCase kDiscoveryRuleCases[] = {
    {"PerUser",
     DiscoveringListener("a", "containerd", kFrontAddress) + kFoundBackend +
         "connections = \"per-user\"\nbalance = \"round-robin\"\n",
     {"c:8:15: error: connections is \"per-user\"; a discovered backend has a connection for each "
      "peer, so remove it",
      "c:9:1: error: balance is set without addresses; remove it, or use addresses"}},
    {"DiscoveredWhereNothingIs",
     kMixedListeners + RuleToFound("") + "[[rule]]\nname = \"s\"\nlisteners = [\"b\"]\n" +
         "users = [1]\nmethods = [\"/s/M\"]\naction = \"allow\"\nbackend = \"found\"\n",
     {"c:16:11: error: backend \"found\" is discovered, but listener \"b\" has no discover; set "
      "listeners in the rule, or use another backend",
      "c:23:11: error: backend \"found\" is discovered, but listener \"b\" has no discover; name "
      "other listeners, or use another backend"}},
    {"ConditionsWhereNothingIs",
     kMixedListeners + kDenyRule +
         "ids = [\"a\"]\nnamespaces = [\"a\"]\nannotations = { a = \"b\" }\n",
     {"c:14:1: error: ids is set, but listener \"b\" has no discover; set listeners in the rule, "
      "or remove ids",
      "c:15:1: error: namespaces is set, but listener \"b\" has no discover = \"containerd\"; set "
      "listeners in the rule, or remove namespaces",
      "c:16:1: error: annotations is set, but listener \"b\" has no discover = \"containerd\"; set "
      "listeners in the rule, or remove annotations"}},
    {"OnlyContainerdHasNamespaces",
     DiscoveringListener("k", "kata", "address = \"unix:///run/k/{id}\"\n") + kDenyRule +
         "listeners = [\"k\"]\nids = [\"a\"]\nnamespaces = [\"a\"]\n",
     {"c:10:1: error: namespaces is set, but listener \"k\" has no discover = \"containerd\"; name "
      "other listeners, or remove namespaces"}},
    {"OnDisconnectOfOneSocketForAll",
     DiscoveringListener("a", "containerd", kForAllAddress) + kFoundBackend +
         "on_disconnect = \"fail-calls\"\n" + RuleToFound("") +
         "[[rule]]\nname = \"s\"\nlisteners = [\"a\"]\nusers = [1]\nmethods = [\"/s/M\"]\n"
         "action = \"allow\"\nbackend = \"found\"\n",
     {"c:8:1: error: on_disconnect is set, but rule \"r\" leads to the backend from listener "
      "\"a\", "
      "where losing one workload never closes a peer; remove on_disconnect, or use another backend "
      "there"}},
    {"Patterns",
     DiscoveringListener("a", "containerd", kFrontAddress) + kDenyRule +
         "ids = [\"a/b\", \"\", \"{name}\", \"\\\\x\", 1]\nnamespaces = \"a\"\n",
     {"c:8:36: error: ids contains an integer; use only strings",
      "c:9:14: error: namespaces is \"a\"; use an array of patterns such as \"team-a-*\" or "
      "\"{uid}-*\""}},
    {"PatternsInside",
     DiscoveringListener("a", "containerd", kFrontAddress) + kDenyRule +
         "ids = [\"a/b\", \"\", \"{name}\", \"\\\\x\"]\n",
     {"c:8:8: error: ids contains \"a/b\", which can never match, since no name has a slash; "
      "remove the slash",
      "c:8:15: error: ids contains \"\"; use a pattern such as \"team-a-*\" or \"{uid}-*\"",
      "c:8:19: error: ids contains \"{name}\"; use braces only in {uid}, {gid} and {user}",
      "c:8:29: error: ids contains \"\\\\x\"; use a backslash only before * or another backslash"}},
    {"Annotations",
     DiscoveringListener("a", "containerd", kFrontAddress) + kDenyRule +
         "annotations = { a = { b = \"c\" }, d = 1, e = \"}\", \"\" = \"f\" }\n" +
         "[[rule]]\nname = \"e\"\naction = \"deny\"\nannotations = {}\n",
     {"c:8:21: error: annotation \"a\" is a table; write the key in quotes if it has dots, and a "
      "pattern",
      "c:8:38: error: annotation \"d\" is an integer; use a pattern in quotes",
      "c:8:45: error: annotation \"e\" is \"}\"; use braces only in {uid}, {gid} and {user}",
      "c:8:50: error: annotation \"\" has no name; use the key of an annotation",
      "c:12:15: error: annotations is an empty table; use a table of annotations and patterns"}},
};
INSTANTIATE_TEST_SUITE_P(Rules, DiscoveryErrors, testing::ValuesIn(kDiscoveryRuleCases),
                         DiscoveryCaseName);

// A listener with an error of its own is not held against the rules.
TEST(DiscoveryRulesTest, AWrongListenerIsReportedOnce) {
  const LoadedConfig loaded = ParseText(DiscoveringListener("a", "contanerd", kFrontAddress) +
                                        kFoundBackend + RuleToFound("namespaces = [\"x\"]\n"));
  EXPECT_THAT(Strings(loaded.errors),
              ElementsAre("c:3:12: error: discover is \"contanerd\"; did you mean "
                          "\"containerd\"?"));
}

}  // namespace
}  // namespace proxyd
