// SPDX-License-Identifier: Apache-2.0
//
// Checks that man/ttrpc.1 (TTRPC_MAN_PAGE) and --help name the same options and exit statuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "options.h"
#include "status_report.h"
#include "support/all_matches.h"

namespace ttrpc::tool {
namespace {

using ::test::AllMatches;
using ::testing::HasSubstr;

std::string ManPage() {
  std::ostringstream text;
  text << std::ifstream(TTRPC_MAN_PAGE).rdbuf();
  return text.str();
}

std::string HelpOf(std::vector<const char*> words) {
  words.insert(words.begin(), "ttrpc");
  words.push_back("--help");
  Options options;
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(ParseCommandLine(static_cast<int>(words.size()), words.data(), &options), 0);
  return ::testing::internal::GetCapturedStdout();
}

std::set<std::string> OptionsIn(const std::string& help) {
  std::set<std::string> options;
  // An option appears at the start of a line, in one or two forms.
  for (const std::string& forms : AllMatches(help, "(?:^|\n) +((?:-[A-Za-z],)?--?[A-Za-z-]+)")) {
    options.merge(AllMatches(forms, "(--?[A-Za-z-]+)"));
  }
  return options;
}

TEST(ManPageTest, HasEachOptionThatThereIsAndNoOther) {
  std::set<std::string> offered;
  for (const std::vector<const char*>& words :
       std::vector<std::vector<const char*>>{{}, {"call"}, {"list"}, {"describe"}}) {
    const std::set<std::string> options = OptionsIn(HelpOf(words));
    EXPECT_TRUE(options.contains("--help"));
    offered.insert(options.begin(), options.end());
  }
  EXPECT_GT(offered.size(), 18U);

  std::set<std::string> documented;
  for (const std::string& item : AllMatches(ManPage(), "\n\\.It (Fl .*)")) {
    for (const std::string& name : AllMatches(item, "Fl ([A-Za-z-]+)")) {
      documented.insert("-" + name);
    }
  }
  EXPECT_EQ(documented, offered);
}

TEST(ManPageTest, SynopsisOfCallHasEachOfItsOptions) {
  const std::string page = ManPage();
  const std::string synopsis = page.substr(0, page.find(".Cm list"));
  for (const std::string& option : OptionsIn(HelpOf({"call"}))) {
    if (option == "--help" || option == "-h" || option == "--data" || option == "--import-path") {
      continue;
    }
    EXPECT_THAT(synopsis, HasSubstr("Fl " + option.substr(1))) << option;
  }
}

TEST(ManPageTest, HasEachExitStatus) {
  const std::string page = ManPage();
  for (int code = 1; code <= 16; ++code) {
    const auto status = static_cast<StatusCode>(code);
    EXPECT_THAT(page, ::testing::ContainsRegex(std::to_string(ExitStatus(status)) + "[ \n]" +
                                               std::string(StatusCodeName(status))));
  }
  for (const char* status : {"0", "64", "65", "69", "74"}) {
    EXPECT_THAT(page, HasSubstr("\n.It " + std::string(status) + "\n"));
  }
}

}  // namespace
}  // namespace ttrpc::tool
