// SPDX-License-Identifier: Apache-2.0
//
// The manual page and the completions of three shells name the same commands and options as --help.
// SOURCE_FOLDER is the directory of the sources.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
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

// Returns the options in the help of a command. Without a command these are the common options.
Words OptionsOf(const std::string& command) {
  return AllMatches(HelpOf(command), "\n +(?:-[A-Za-z],)?(--[a-z-]+)");
}

Words AllOptions() {
  Words all = OptionsOf("");
  for (const std::string& command : Commands()) all.merge(OptionsOf(command));
  return all;
}

TEST(CtlManPageTest, HelpListsCommandsAndOptions) {
  EXPECT_EQ(Commands().size(), 17U);
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

TEST(CtlManPageTest, EachCommandHasItsOptionsInItsSection) {
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
            (Words{"0", "1", "2", "64", "65", "74", "75", "78"}));
}

TEST(CtlManPageTest, ExamplesAreValidCommandLines) {
  const std::string page = ReadFile(kManPage);
  // A backslash, written as \e, continues a line.
  const std::string examples =
      std::regex_replace(page.substr(page.find("\n.Sh EXAMPLES")), std::regex("\\\\e\n +"), "");
  const Words commands =
      AllMatches(examples, "(?:\n|\n\\$ |&& )ttrpc-proxyctl ([^|>&\n]+)(?=[|>&\n])");
  EXPECT_EQ(commands.size(), 9U);
  for (const std::string& command : commands) {
    std::vector<std::string> words = {"ttrpc-proxyctl"};
    std::istringstream in(std::regex_replace(command, std::regex("'"), ""));
    for (std::string word; in >> word;) words.push_back(word);
    std::vector<const char*> argv;
    argv.reserve(words.size());
    for (const std::string& word : words) argv.push_back(word.c_str());
    Options options;
    EXPECT_EQ(ParseCommandLine(static_cast<int>(argv.size()), argv.data(), &options), std::nullopt)
        << command;
  }
}

// Returns the completions that bash offers for the last of `words`. `before` is shell code that
// runs first.
Words BashOffers(const std::string& words, const std::string& before = "") {
  const std::string script = before + "compopt() { :; }; source '" + std::string(kBash) +
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
  EXPECT_EQ(BashOffers("--address status re"), (Words{"reload"})) << "`status` is the address here";
}

// A script replaces ttrpc-proxyctl and prints names, some of them with blanks.
class CtlCompletedNamesTest : public testing::Test {
 protected:
  CtlCompletedNamesTest() {
    const std::string program = folder_ / "ttrpc-proxyctl";
    std::ofstream(program) << "#!/bin/sh\necho \"$@\" >>'" << log() << "'\n"
                           << "printf '%s\\n' \"$6 one\" \"$6 two\" 'it is'\n";
    EXPECT_EQ(::chmod(program.c_str(), 0755), 0);
    path_ = ::getenv("PATH");
    ::setenv("PATH", (folder_.path() + ":" + path_).c_str(), 1);
  }
  ~CtlCompletedNamesTest() override { ::setenv("PATH", path_.c_str(), 1); }

  std::string log() const { return folder_ / "log"; }

  const ::test::TempFolder folder_;
  std::string path_;
};

TEST_F(CtlCompletedNamesTest, BashAsksTheDaemon) {
  const std::string address = "COMP_LINE='ttrpc-proxyctl --address unix:///a.sock tap'; ";
  const std::vector<std::pair<std::string, std::string>> places = {
      {"tap --listener", "listeners"},   {"tap --rule", "rules"},
      {"tap --backend", "backends"},     {"explain --listener", "listeners"},
      {"close --listener", "listeners"}, {"learn --backend", "backends"},
      {"tap --listener =", "listeners"}, {"workloads --listener", "listeners"}};
  for (const auto& [words, kind] : places) {
    EXPECT_EQ(BashOffers(words + " ''", address),
              (Words{kind + "\\ one", kind + "\\ two", "it\\ is"}))
        << words;
    const std::string called = "--address unix:///a.sock --timeout 1s names " + kind;
    EXPECT_THAT(ReadFile(log()), testing::EndsWith(called + "\n"));
  }
}

TEST_F(CtlCompletedNamesTest, BashOffersNamesWithTheTypedPrefix) {
  const std::string address = "COMP_LINE='ttrpc-proxyctl --address=unix:///a.sock tap'; ";
  EXPECT_EQ(BashOffers("tap --rule rules", address), (Words{"rules\\ one", "rules\\ two"}));
  EXPECT_EQ(BashOffers("tap --rule 'rules\\ t'", address), (Words{"rules\\ two"}));
  EXPECT_EQ(BashOffers("tap --rule \\\"rules\\ t", address), (Words{"rules two"}))
      << "nothing is escaped within quotes";
  EXPECT_EQ(BashOffers("tap --rule x", address), (Words{}));
}

TEST(CtlCompletionsTest, ZshHasEachCommandAndOptionAndNoOther) {
  const std::string text = ReadFile(kZsh);
  EXPECT_EQ(AllMatches(text, "\n    '([a-z-]+):"), Commands());
  // The option ends before its description, its value, or the brace of its long and short form.
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
