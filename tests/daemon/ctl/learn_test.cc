// SPDX-License-Identifier: Apache-2.0
#include "ctl/learn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "config/load.h"
#include "ctl/cover.h"
#include "policy/explain.h"
#include "policy/snapshot.h"
#include "text/escape.h"

namespace proxyd::ctl {

using text::Quote;

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Seen {
  std::string listener = "shims";
  uid_t uid = 0;
  std::string method = "Do";
  std::string backend = "shim";
  bool streams = false;
};

void See(const Seen& seen, SeenCalls* calls, uint64_t times = 1) {
  (*calls)[{.listener = seen.listener,
            .uid = seen.uid,
            .service = "a.B",
            .method = seen.method,
            .backend = seen.backend,
            .streams = seen.streams}]
      .allowed += times;
}

Learned LearnOf(const std::vector<Seen>& all) {
  SeenCalls calls;
  for (const Seen& seen : all) See(seen, &calls);
  return Learn(calls);
}

TEST(LearnTest, NothingSeenIsNothingAllowed) {
  EXPECT_THAT(Learn({}).rules, IsEmpty());
  EXPECT_EQ(PrintRules({}, {}), "");
}

TEST(LearnTest, UsersWithTheSameMethodsShareARule) {
  const Learned learned = LearnOf({{.uid = 1, .method = "A"},
                                   {.uid = 1, .method = "B"},
                                   {.uid = 2, .method = "A"},
                                   {.uid = 2, .method = "B"},
                                   {.uid = 3, .method = "C"}});
  ASSERT_THAT(learned.rules, SizeIs(2));
  EXPECT_THAT(learned.rules[0].users, ElementsAre(1, 2));
  EXPECT_THAT(learned.rules[0].methods, ElementsAre("/a.B/A", "/a.B/B"));
  EXPECT_EQ(learned.rules[0].calls, 4U);
  EXPECT_THAT(learned.rules[1].users, ElementsAre(3));
  EXPECT_THAT(learned.rules[1].methods, ElementsAre("/a.B/C"));
}

TEST(LearnTest, ListenersWithTheSameCallsShareARule) {
  const Learned learned = LearnOf({{.listener = "one", .uid = 1},
                                   {.listener = "two", .uid = 1},
                                   {.listener = "two", .uid = 2, .method = "Other"}});
  ASSERT_THAT(learned.rules, SizeIs(2));
  EXPECT_THAT(learned.rules[0].listeners, ElementsAre("one", "two"));
  EXPECT_THAT(learned.rules[0].users, ElementsAre(1));
  EXPECT_THAT(learned.rules[1].listeners, ElementsAre("two"));
}

TEST(LearnTest, StreamsGetRulesOfTheirOwn) {
  const Learned learned = LearnOf({{.method = "Unary"},
                                   {.method = "Stream", .streams = true},
                                   {.method = "Both"},
                                   {.method = "Both", .streams = true}});
  ASSERT_THAT(learned.rules, SizeIs(2));
  EXPECT_FALSE(learned.rules[0].streams);
  EXPECT_THAT(learned.rules[0].methods, ElementsAre("/a.B/Unary"));
  EXPECT_TRUE(learned.rules[1].streams);
  EXPECT_THAT(learned.rules[1].methods, ElementsAre("/a.B/Both", "/a.B/Stream"));
  EXPECT_EQ(learned.rules[1].calls, 3U);
}

TEST(LearnTest, AMethodOfTwoBackendsGetsTheOneWithMostAllowedCalls) {
  SeenCalls calls;
  See({.uid = 7, .backend = "new"}, &calls, 3);
  See({.uid = 7, .backend = "old"}, &calls, 2);
  calls[{.listener = "shims",
         .uid = 7,
         .service = "a.B",
         .method = "Do",
         .backend = "on trial",
         .streams = true}]
      .asked = 100;
  const Learned learned = Learn(calls);
  ASSERT_THAT(learned.rules, SizeIs(1));
  EXPECT_EQ(learned.rules[0].backend, "new");
  EXPECT_FALSE(learned.rules[0].streams);
  EXPECT_THAT(learned.conflicts,
              ElementsAre("uid 7 called /a.B/Do on listener \"shims\" at several backends: "
                          "\"new\" (3 calls) \"old\" (2 calls) \"on trial\" (100 calls); the "
                          "rules use \"new\""));
}

// The audit may come from another machine, so only names in the configuration are reliable.
TEST(LearnTest, UsersThatTheConfigurationNamesKeepTheirNames) {
  std::vector<LearnedRule> rules = {{.backend = "shim",
                                     .streams = false,
                                     .listeners = {"shims"},
                                     .users = {0, 990},
                                     .methods = {"/a.B/Do"},
                                     .calls = 1}};
  RulePrinting printing;
  printing.user_name = [](uid_t uid) { return uid == 0 ? "root" : "other"; };
  printing.written_names = {{990, "prometheus"}};
  EXPECT_THAT(PrintRules(rules, printing),
              HasSubstr("users = [0, \"prometheus\"]  # root, other\n"));
  rules[0].users = {990};
  EXPECT_THAT(PrintRules(rules, printing), HasSubstr("users = [\"prometheus\"]\n"));
}

TEST(LearnTest, PrintsTomlThatCanBeReviewed) {
  const std::vector<LearnedRule> rules = {{.backend = "the \"shim\"",
                                           .streams = false,
                                           .listeners = {"shims", "b\n"},
                                           .users = {0, 990},
                                           .methods = {"/a.B/Do", "/a.B/Go"},
                                           .calls = 12},
                                          {.backend = "shim",
                                           .streams = true,
                                           .listeners = {"shims"},
                                           .users = {4242},
                                           .methods = {"/a.B/Talk"},
                                           .calls = 1}};
  const auto name = [](uid_t uid) {
    return uid == 0 ? std::string("root") : uid == 990 ? "prome\n[x]" : "";
  };
  EXPECT_EQ(PrintRules(rules, {.user_name = name, .taken_names = {"learned 1", "learned 3"}}),
            R"(
# 12 calls
[[rule]]
name = "learned 2"
listeners = ["shims", "b\n"]
users = [0, 990]  # root, prome\x0a[x]
methods = [
  "/a.B/Do",
  "/a.B/Go",
]
action = "allow"
backend = "the \"shim\""

# 1 call
[[rule]]
name = "learned 4"
listeners = ["shims"]
users = [4242]
methods = [
  "/a.B/Talk",
]
action = "allow"
backend = "shim"
streams = true  # remove if only the backend streams
)");
}

// A reviewer must notice the rules that allow calls that were denied.
TEST(LearnTest, DeniedCallsGetMarkedRulesOfTheirOwn) {
  SeenCalls calls;
  See({.uid = 1, .method = "Allowed"}, &calls, 2);
  const auto deny = [&calls](const std::string& method, const std::set<std::string>& rules) {
    SeenCount& count = calls[{.listener = "shims",
                              .uid = 1,
                              .service = "a.B",
                              .method = method,
                              .backend = "shim",
                              .streams = false}];
    ++count.denied;
    count.denied_by = rules;
  };
  deny("NoRule", {});
  deny("Refused", {"never", "a\xC2\x9B"});
  deny("Allowed", {"once"});  // was denied earlier and is allowed now
  const Learned learned = Learn(calls);
  ASSERT_THAT(learned.rules, SizeIs(3));
  EXPECT_FALSE(learned.rules[0].denied);
  EXPECT_THAT(learned.rules[0].methods, ElementsAre("/a.B/Allowed"));
  EXPECT_TRUE(learned.rules[1].denied);
  EXPECT_THAT(learned.rules[1].methods, ElementsAre("/a.B/NoRule"));
  EXPECT_TRUE(learned.rules[2].denied);
  EXPECT_THAT(learned.rules[2].methods, ElementsAre("/a.B/Refused"));
  const std::string text = PrintRules(learned.rules, {});
  EXPECT_THAT(text, testing::HasSubstr("\n# 3 calls\n[[rule]]\n"));
  EXPECT_THAT(text,
              testing::HasSubstr("\n# 1 call that was DENIED because no rule matched\n[[rule]]\n"));
  EXPECT_THAT(text, testing::HasSubstr("\n# 1 call that was DENIED by rule \"a\\u009b\", rule "
                                       "\"never\"\n[[rule]]\n"));
}

// Other programs may have written to the audit, so its names can contain anything.
TEST(LearnTest, PrintsNoControlCharacters) {
  const std::string harm = std::string("\xC2\x9B") + "\xE2\x80\xAE" + "\xE2\x81\xA6";
  const std::vector<LearnedRule> rules = {{.backend = "b" + harm,
                                           .streams = false,
                                           .listeners = {"l" + harm},
                                           .users = {1},
                                           .methods = {"/a.B/Do"},
                                           .calls = 1}};
  const std::string text = PrintRules(rules, {});
  EXPECT_THAT(text, testing::HasSubstr("listeners = [\"l\\u009b\\u202e\\u2066\"]"));
  EXPECT_THAT(text, testing::HasSubstr("backend = \"b\\u009b\\u202e\\u2066\""));
}

TEST(CoverTest, BoxesMayShareWhatTheyHold) {
  // Two rules are enough for three users with three sets of methods.
  const std::vector<Box> boxes = Cover({{0, 1}, {1, 2}, {0, 1, 2}});
  EXPECT_THAT(boxes, SizeIs(2));
}

TEST(CoverTest, FewMethodsOfManyUsersAreARuleEach) {
  std::vector<std::set<size_t>> columns_of;
  for (size_t row = 1; row < 8; ++row) {
    columns_of.emplace_back();
    for (size_t column = 0; column < 3; ++column) {
      if ((row >> column & 1) != 0) columns_of.back().insert(column);
    }
  }
  EXPECT_THAT(Cover(columns_of), SizeIs(3));
}

// The rules refer to these listeners and backends. Surroundings() declares them.
constexpr const char* kListeners[] = {"one", "t\"wo", "\xe2\x82\xac"};
constexpr const char* kBackends[] = {"back", "an\\other"};
constexpr uid_t kUsers[] = {0, 1, 1000, 65534, 4294967294};
constexpr const char* kMethods[] = {"/a.B/Do", "/a.B/Go", "/c/Do", "/c.D_1/X", "/a.B/DoGo"};

class NoNames final : public NameResolver {
 public:
  std::optional<uid_t> User(const std::string&) override { return std::nullopt; }
  std::optional<gid_t> Group(const std::string&) override { return std::nullopt; }
};

std::string Surroundings() {
  std::string text;
  size_t number = 0;
  for (const char* listener : kListeners) {
    text += "[[listener]]\nname = " + Quote(listener) + "\naddress = \"unix:///run/l" +
            std::to_string(++number) + "\"\n";
  }
  for (const char* backend : kBackends) {
    text += "[[backend]]\nname = " + Quote(backend) + "\naddress = \"unix:///run/b" +
            std::to_string(++number) + "\"\n";
  }
  return text;
}

// Truth maps listener, user and method to the backend that was called and whether it streamed.
using Truth = std::map<std::tuple<size_t, uid_t, std::string>, std::pair<std::string, bool>>;

void ExpectExactly(const Truth& truth, const Snapshot& snapshot) {
  for (size_t listener = 0; listener < std::size(kListeners); ++listener) {
    for (const uid_t uid : kUsers) {
      for (const char* method : kMethods) {
        const Explanation found =
            Explain(snapshot, {.listener = listener,
                               .identity = {.uid = uid, .gid = 0, .groups = {}},
                               .method = *ParseMethodName(method),
                               .metadata = {}});
        const auto expected = truth.find({listener, uid, method});
        ASSERT_EQ(found.allowed, expected != truth.end()) << found.reason;
        if (!found.allowed) continue;
        const RuleConfig& rule = snapshot.config.rules[*found.rule];
        ASSERT_EQ(snapshot.config.backends[rule.backend].name, expected->second.first);
        ASSERT_EQ(rule.streams, expected->second.second) << method;
      }
    }
  }
}

TEST(LearnPropertyTest, ThePrintedRulesAllowWhatWasSeenAndNothingElse) {
  constexpr uint32_t kSeed = 20240229;
  std::mt19937 random(kSeed);  // NOLINT(cert-msc51-cpp,cert-msc32-c): so that it can be repeated
  const auto below = [&random](size_t limit) { return static_cast<size_t>(random() % limit); };
  NoNames names;
  size_t rules = 0;
  size_t pairs = 0;
  for (int round = 0; round < 200; ++round) {
    SeenCalls calls;
    Truth truth;
    for (size_t i = below(60); i > 0; --i) {
      const size_t listener = below(std::size(kListeners));
      const uid_t uid = kUsers[below(std::size(kUsers))];
      const std::string method = kMethods[below(std::size(kMethods))];
      const bool streams = below(4) == 0;
      const auto [place, is_new] = truth.try_emplace(
          {listener, uid, method}, kBackends[below(std::size(kBackends))], streams);
      place->second.second |= streams;
      const MethodName name = *ParseMethodName(method);
      ++calls[{.listener = kListeners[listener],
               .uid = uid,
               .service = std::string(name.service),
               .method = std::string(name.method),
               .backend = place->second.first,
               .streams = streams}]
            .allowed;
    }
    const Learned learned = Learn(calls);
    EXPECT_THAT(learned.conflicts, IsEmpty());
    LoadedConfig loaded = ParseConfig(
        {{.name = "c.toml", .text = Surroundings() + PrintRules(learned.rules, {})}}, names);
    for (const ConfigError& error : loaded.errors) ADD_FAILURE() << error.ToString();
    ASSERT_TRUE(loaded.config);
    const Snapshot snapshot(*std::move(loaded.config), {.uid = 65534, .gid = 65534});
    ExpectExactly(truth, snapshot);
    rules += learned.rules.size();
    pairs += truth.size();
  }
  // The audits must differ, and the rules must be fewer than the calls.
  EXPECT_GT(pairs, 3000U);
  EXPECT_LT(rules, pairs);
}

}  // namespace
}  // namespace proxyd::ctl
