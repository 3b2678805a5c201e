// SPDX-License-Identifier: Apache-2.0
//
// The manual page and the completions of three shells name the same commands and options as --help.
// SOURCE_FOLDER is where they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <set>
#include <string>
#include <vector>

#include "ctl/options.h"
#include "support/all_matches.h"
#include "support/temp_folder.h"

namespace proxyd::ctl {
namespace {

using ::test::AllMatches;
using ::test::ReadFile;
using Words = std::set<std::string>;

constexpr char kManPage[] = SOURCE_FOLDER "/man/ttrpc-proxyctl.1";
constexpr char kBash[] = SOURCE_FOLDER "/config/completions/ttrpc-proxyctl.bash";
constexpr char kZsh[] = SOURCE_FOLDER "/config/completions/_ttrpc-proxyctl";
constexpr char kFish[] = SOURCE_FOLDER "/config/completions/ttrpc-proxyctl.fish";

std::string HelpOf(const std::string& command) {
  std::vector<const char*> words = {"ttrpc-proxyctl"};
  if (!command.empty()) words.push_back(command.c_str());
  words.push_back("--help");
  Options options;
  testing::internal::CaptureStdout();
  EXPECT_EQ(ParseCommandLine(static_cast<int>(words.size()), words.data(), &options), 0);
  return testing::internal::GetCapturedStdout();
}

Words Commands() {
  const std::string help = HelpOf("");
  const std::string list = help.substr(help.find("Subcommands:"));
  return AllMatches(list.substr(0, list.find("\n\n")), "\n  ([a-z-]+) ");
}

// `--help` and its like; of no command, those of every command and the version.
Words OptionsOf(const std::string& command) {
  return AllMatches(HelpOf(command), "\n +(?:-[A-Za-z],)?(--[a-z-]+)");
}

Words AllOptions() {
  Words all = OptionsOf("");
  for (const std::string& command : Commands()) all.merge(OptionsOf(command));
  return all;
}

TEST(CtlManPageTest, HelpNamesWhatThereIs) {
  EXPECT_EQ(Commands().size(), 14U);
  EXPECT_GT(AllOptions().size(), 20U);
}

TEST(CtlManPageTest, HasEachCommandAndNoOther) {
  const std::string page = ReadFile(kManPage);
  Words documented = AllMatches(page, "\n\\.It Cm ([a-z-]+)");
  documented.merge(AllMatches(page, "\n\\.Ss ([a-z-]+)"));
  EXPECT_EQ(documented, Commands());
}

TEST(CtlManPageTest, HasEachOptionAndNoOther) {
  Words documented;
  for (const std::string& item : AllMatches(ReadFile(kManPage), "\n\\.It (Fl .*)")) {
    for (const std::string& name : AllMatches(item, "Fl -([a-z-]+)"))
      documented.insert("--" + name);
  }
  EXPECT_EQ(documented, AllOptions());
}

TEST(CtlManPageTest, EachCommandsOptionsStandInItsSection) {
  const std::string page = ReadFile(kManPage);
  for (const std::string command : {"explain", "tap", "learn"}) {
    const std::string section = page.substr(page.find("\n.Ss " + command));
    Words documented;
    for (const std::string& name :
         AllMatches(section.substr(0, section.find("\n.S", 1)), "\n\\.It Fl -([a-z-]+)")) {
      documented.insert("--" + name);
    }
    documented.insert("--help");
    EXPECT_EQ(documented, OptionsOf(command));
  }
}

TEST(CtlManPageTest, HasEachExitStatus) {
  EXPECT_EQ(AllMatches(ReadFile(kManPage), "\n\\.It ([0-9]+)\n"),
            (Words{"0", "1", "64", "75", "78"}));
}

// What bash offers after these words.
Words BashOffers(const std::string& words) {
  const std::string script = "compopt() { :; }; source '" + std::string(kBash) +
                             "'; COMP_WORDS=(ttrpc-proxyctl " + words +
                             "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _ttrpc_proxyctl; "
                             "printf '%s\\n' \"${COMPREPLY[@]}\"";
  ::setenv("COMPLETION_SCRIPT", script.c_str(), 1);
  FILE* pipe = ::popen("bash -c \"$COMPLETION_SCRIPT\"", "r");  // NOLINT(cert-env33-c): our own
  std::string out;
  for (int c = 0; pipe != nullptr && (c = ::fgetc(pipe)) != EOF;) out += static_cast<char>(c);
  EXPECT_EQ(::pclose(pipe), 0);
  return AllMatches("\n" + out, "([^\n]+)");
}

TEST(CtlCompletionsTest, BashOffersEachCommandAndItsOptions) {
  EXPECT_EQ(BashOffers("''"), Commands());
  EXPECT_EQ(BashOffers("-"), OptionsOf(""));
  for (const std::string& command : Commands()) {
    Words options = OptionsOf(command);
    options.insert({"--address", "--timeout", "--json"});
    EXPECT_EQ(BashOffers(command + " -"), options) << command;
  }
  EXPECT_EQ(BashOffers("--address status re"), (Words{"reload"})) << "no command, but an address";
}

TEST(CtlCompletionsTest, ZshHasEachCommandAndOptionAndNoOther) {
  const std::string text = ReadFile(kZsh);
  EXPECT_EQ(AllMatches(text, "\n    '([a-z-]+):"), Commands());
  // Before its description, its value or the brace of its long and short form.
  EXPECT_EQ(AllMatches(text, "['{,)*](--[a-z-]+)(?=[\\[}=])"), AllOptions());
}

TEST(CtlCompletionsTest, FishHasEachCommandAndOptionAndNoOther) {
  const std::string text = ReadFile(kFish);
  EXPECT_EQ(AllMatches(text, "__fish_use_subcommand -a ([a-z-]+)"), Commands());
  Words options;
  for (const std::string& name : AllMatches(text, "\ncomplete [^\n]*-l ([a-z-]+)"))
    options.insert("--" + name);
  EXPECT_EQ(options, AllOptions());
}

}  // namespace
}  // namespace proxyd::ctl
