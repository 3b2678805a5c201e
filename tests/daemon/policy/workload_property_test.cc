// SPDX-License-Identifier: Apache-2.0
//
// Compares the policy with a simple model on random rules with conditions on workloads. The model
// follows the definition of the three results, and shares no code with the policy.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/policy.h"
#include "support/policy_builder.h"

namespace proxyd {
namespace {

using namespace test;  // NOLINT: the words of these tests

constexpr uint32_t kIds[] = {1, 2, 3};
constexpr std::string_view kServices[] = {"a.A", "*"};
constexpr std::string_view kMethods[] = {"Get", "Set", "*"};
constexpr std::string_view kKeys[] = {"k"};
constexpr std::string_view kValues[] = {"1"};
constexpr std::string_view kNames[] = {
    "a", "b", "*", "a*", "*b", "{uid}", "{uid}-*", "{user}", "{gid}*", "*-{user}", "{user}-b"};
constexpr std::string_view kAnnotationKeys[] = {"x", "y"};
constexpr std::string_view kSent[] = {"a", "b", "ab", "1", "2-b", "1-dev", "dev", "dev-b", ""};
constexpr std::string_view kUsers[] = {"", "dev", "*"};

const RuleWords kWords = {.ids = kIds,
                          .services = kServices,
                          .methods = kMethods,
                          .keys = kKeys,
                          .values = kValues,
                          .names = kNames,
                          .annotations = kAnnotationKeys};
constexpr RuleOdds kOdds = {.allow = 50,
                            .every_listener = 50,
                            .listeners = 2,
                            .users = 30,
                            .groups = 0,
                            .any_id = 50,
                            .another_method = 50,
                            .metadata = 5,
                            .enforce = 80,
                            .workload = 25};

enum class Answer { kHolds, kFails, kUnknown };

struct Asker {
  uid_t uid;
  gid_t gid;
  std::string user;
};

// Matches one character of a pattern after another. A value of a placeholder is text.
bool ModelMatches(std::string_view pattern, std::string_view name, const Asker& asker) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*') {
    return ModelMatches(pattern.substr(1), name, asker) ||
           (!name.empty() && name[0] != '/' && ModelMatches(pattern, name.substr(1), asker));
  }
  std::string wanted(1, pattern[0]);
  size_t taken = 1;
  if (pattern[0] == '{') {
    taken = pattern.find('}') + 1;
    const std::string_view placeholder = pattern.substr(0, taken);
    wanted = placeholder == "{uid}"   ? std::to_string(asker.uid)
             : placeholder == "{gid}" ? std::to_string(asker.gid)
                                      : asker.user;
  }
  return name.starts_with(wanted) &&
         ModelMatches(pattern.substr(taken), name.substr(wanted.size()), asker);
}

Answer ModelAsk(const NamePattern& pattern, std::string_view name, const Asker& asker) {
  if (asker.user.empty() && pattern.text().find("{user}") != std::string::npos)
    return Answer::kUnknown;
  return ModelMatches(pattern.text(), name, asker) ? Answer::kHolds : Answer::kFails;
}

std::vector<Answer> ModelAnswers(const RuleConfig& rule, const WorkloadView& workload,
                                 const Asker& asker) {
  std::vector<Answer> answers;
  const auto any = [&](const std::vector<NamePattern>& patterns, std::string_view name) {
    if (patterns.empty()) return;
    bool holds = false;
    bool unknown = false;
    for (const NamePattern& pattern : patterns) {
      const Answer answer = ModelAsk(pattern, name, asker);
      holds |= answer == Answer::kHolds;
      unknown |= answer == Answer::kUnknown;
    }
    answers.push_back(holds ? Answer::kHolds : unknown ? Answer::kUnknown : Answer::kFails);
  };
  any(rule.namespaces, workload.name_space);
  any(rule.ids, workload.id);
  for (const auto& [key, pattern] : rule.annotations) {
    const bool there = workload.annotations != nullptr && workload.annotations->count(key) > 0;
    answers.push_back(there ? ModelAsk(pattern, workload.annotations->at(key), asker)
                            : Answer::kUnknown);
  }
  return answers;
}

bool ModelFits(const RuleConfig& rule, const WorkloadView* workload, const Asker& asker) {
  const bool allow = rule.action == RuleConfig::Action::kAllow;
  if (!rule.HasWorkloadConditions()) return true;
  if (workload == nullptr) return !allow;
  const std::vector<Answer> answers = ModelAnswers(rule, *workload, asker);
  if (allow)
    return std::count(answers.begin(), answers.end(), Answer::kHolds) ==
           static_cast<ptrdiff_t>(answers.size());
  return std::count(answers.begin(), answers.end(), Answer::kFails) == 0;
}

// Whether the rest of the rule matches, as policy.h says. The ids of these tests are ordinary ones.
bool ModelMatchesCall(const RuleConfig& rule, size_t listener, const Asker& asker,
                      const ttrpc::RequestView& request) {
  if (!rule.every_listener &&
      std::count(rule.listeners.begin(), rule.listeners.end(), listener) == 0) {
    return false;
  }
  if (rule.users) {
    const IdSet& users = *rule.users;
    bool has = users.any || std::count(users.exact.begin(), users.exact.end(), asker.uid) > 0;
    for (const IdRange& range : users.ranges)
      has |= range.first <= asker.uid && asker.uid <= range.last;
    if (!has) return false;
  }
  if (!rule.metadata.empty()) return false;  // the requests have none
  if (rule.methods.empty()) return true;
  return std::any_of(rule.methods.begin(), rule.methods.end(), [&](const MethodPattern& pattern) {
    return (pattern.service == "*" || pattern.service == request.service) &&
           (pattern.method == "*" || pattern.method == request.method);
  });
}

struct ModelVerdict {
  bool allowed = false;
  std::optional<size_t> rule;
  std::vector<size_t> shadows;
  bool looked_at_workload = false;  // a rule up to the one that decided has conditions on it
};

ModelVerdict ModelDecide(const Config& config, size_t listener, const Asker& asker,
                         const ttrpc::RequestView& request, const WorkloadView* workload) {
  ModelVerdict verdict;
  for (size_t i = 0; i < config.rules.size(); ++i) {
    const RuleConfig& rule = config.rules[i];
    if (!ModelMatchesCall(rule, listener, asker, request)) continue;
    verdict.looked_at_workload |= rule.HasWorkloadConditions();
    if (!ModelFits(rule, workload, asker)) continue;
    if (!rule.enforce) {
      verdict.shadows.push_back(i);
      continue;
    }
    verdict.allowed = rule.action == RuleConfig::Action::kAllow;
    verdict.rule = i;
    break;
  }
  return verdict;
}

// A workload that owns what its view refers to.
struct SentWorkload {
  WorkloadView view = {};
  std::map<std::string, std::string> annotations = {};
};

void RandomWorkload(Random& random, SentWorkload* out) {
  out->annotations.clear();
  for (const std::string_view key : kAnnotationKeys) {
    if (Chance(random, 60)) out->annotations.emplace(key, Pick(random, kSent));
  }
  out->view = {.name_space = Pick(random, kSent),
               .id = Pick(random, kSent),
               .annotations = Chance(random, 80) ? &out->annotations : nullptr};
}

struct Counts {
  size_t allowed = 0;
  size_t denied = 0;
  size_t shadows = 0;
  size_t remembered = 0;
};

void Compare(const Config& config, Random& random, Counts* counts) {
  const Policy policy(config, kOverflow);
  const size_t listener = Below(random, 2);
  const Asker asker = {.uid = Pick(random, kIds),
                       .gid = Pick(random, kIds),
                       .user = std::string(Pick(random, kUsers))};
  Admission admission = policy.Admit(listener, Peer(asker.uid, asker.gid));
  if (!asker.user.empty() || Chance(random, 50)) admission.SetUser(asker.user);
  SentWorkload sent;
  for (int call = 0; call < 20; ++call) {
    RandomWorkload(random, &sent);
    const WorkloadView* workload = Chance(random, 90) ? &sent.view : nullptr;
    const std::string method = Chance(random, 50) ? "/a.A/Get" : "/b.B/Set";
    const ttrpc::RequestView request = Call(method);
    const ModelVerdict expected = ModelDecide(config, listener, asker, request, workload);
    GuardedValues values;
    ASSERT_TRUE(policy.CheckGuardedMetadata(admission, request.metadata, &values).ok());
    counts->remembered += admission.Recall(request) != nullptr ? 1 : 0;
    const Verdict verdict = policy.Decide(&admission, request, values, workload);
    ASSERT_EQ(verdict.allowed, expected.allowed);
    ASSERT_EQ(verdict.rule, expected.rule);
    ASSERT_EQ(verdict.shadows, expected.shadows);
    // A connection may be closed only if none of its calls could be allowed.
    ASSERT_TRUE(admission.admitted() || !expected.allowed);
    ASSERT_TRUE(!verdict.by_names_alone || !expected.looked_at_workload);
    ++(verdict.allowed ? counts->allowed : counts->denied);
    counts->shadows += verdict.shadows.size();
    if (!verdict.allowed) continue;
    bool reachable = false;
    policy.ForEachBackend(admission, [&](size_t backend) {
      reachable |= backend == config.rules[*verdict.rule].backend;
    });
    ASSERT_TRUE(reachable);
  }
}

TEST(WorkloadPropertyTest, ThePolicySaysWhatTheModelSays) {
  Random random(15);  // NOLINT(cert-msc51-cpp,cert-msc32-c): so that a failure can be repeated
  Counts counts;
  for (int round = 0; round < 4000; ++round) {
    std::vector<RuleConfig> rules;
    for (uint32_t n = Below(random, 10); n > 0; --n) {
      rules.push_back(RandomRule(random, kWords, kOdds));
      rules.back().backend = Below(random, 3);
    }
    SCOPED_TRACE(round);
    Compare(ConfigOf(std::move(rules)), random, &counts);
    if (HasFatalFailure()) return;
  }
  // Random policies with only one outcome would test nothing.
  EXPECT_GT(counts.allowed, 5000U);
  EXPECT_GT(counts.denied, 5000U);
  EXPECT_GT(counts.shadows, 3000U);
  EXPECT_GT(counts.remembered, 500U);
}

}  // namespace
}  // namespace proxyd
