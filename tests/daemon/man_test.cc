// SPDX-License-Identifier: Apache-2.0
//
// man/ttrpc-proxyd.8 has each warning and each error that the daemon may log, and each metric. The
// pages list each diagnostic once.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/all_matches.h"

namespace proxyd {
namespace {

using ::test::AllMatches;

std::string Read(const std::filesystem::path& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in.is_open()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

// Returns the text of the page as one line.
std::string Page() {
  std::string page = Read(std::string(SOURCE_FOLDER) + "/man/ttrpc-proxyd.8");
  page = std::regex_replace(page, std::regex(R"(\\\(dq)"), "\"");
  return std::regex_replace(page, std::regex("\n(\\.(It|Li|Bq|Pq|Dv|Cm) )?"), " ");
}

std::set<std::string> InSources(const std::string& pattern) {
  std::set<std::string> found;
  size_t files = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(std::string(SOURCE_FOLDER) + "/daemon")) {
    if (entry.path().extension() != ".cc") continue;
    ++files;
    found.merge(AllMatches(Read(entry.path()), pattern));
  }
  EXPECT_GT(files, 50U);
  return found;
}

// Returns the longest part of a message without placeholders.
std::string LongestWords(const std::string& format) {
  std::string longest;
  for (const std::string& part : AllMatches("}" + format + "{", "\\}([^{}]+)\\{")) {
    if (part.size() > longest.size()) longest = part;
  }
  return std::regex_replace(longest, std::regex(R"(\\")"), "\"");
}

TEST(ConfigManPage, HasEachKeyAndReasonOfAnAuditLine) {
  const std::string folder = std::string(SOURCE_FOLDER);
  const std::string page = Read(folder + "/man/ttrpc-proxy.toml.5");
  std::set<std::string> words = AllMatches(Read(folder + "/daemon/observe/audit_record.h"),
                                           R"re((?:text|number|Number|Flag)\("([a-z_]+)")re");
  EXPECT_GT(words.size(), 20U);
  words.merge(
      AllMatches(Read(folder + "/daemon/observe/audit_record.cc"), R"re(return "([a-z_]+)";)re"));
  EXPECT_GT(words.size(), 40U);
  for (const std::string& word : words) {
    if (word == "unknown") continue;
    EXPECT_TRUE(std::regex_search(page, std::regex("\\.(It )?Li ([a-z_]+ , )*" + word + "\\b")))
        << word;
  }
}

TEST(DaemonManPage, HasEachWarningAndErrorOfTheLog) {
  const std::string page = Page();
  const auto formats = InSources("spdlog::(?:warn|error)\\(\\s*\"((?:[^\"\\\\]|\\\\.)*)\"");
  EXPECT_GT(formats.size(), 15U);
  for (const std::string& format : formats) {
    const std::string words = LongestWords(format);
    // "{}" and "{}: {}" log a status or an error of the configuration, which have texts of their
    // own.
    if (words.size() <= 2) continue;
    EXPECT_NE(page.find(words), std::string::npos) << format;
  }
}

// Returns the items of the page's section DIAGNOSTICS as they are written.
std::vector<std::string> DiagnosticsOf(const std::string& page) {
  std::vector<std::string> items;
  const size_t begin = page.find("\n.Sh DIAGNOSTICS\n");
  if (begin == std::string::npos) return items;
  std::istringstream in(page.substr(begin, page.find("\n.Sh ", begin + 1) - begin));
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(".It ")) items.push_back(line);
  }
  return items;
}

TEST(ManPages, ListEachDiagnosticOnce) {
  std::set<std::string> listed;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(SOURCE_FOLDER) + "/man")) {
    for (const std::string& item : DiagnosticsOf(Read(entry.path())))
      EXPECT_TRUE(listed.insert(item).second) << entry.path() << ": " << item;
  }
  EXPECT_GT(listed.size(), 50U);
}

TEST(DaemonManPage, HasEachMetric) {
  const std::string page = Page();
  const auto names = InSources("\"ttrpc_proxy_([a-z_]+)\"");
  EXPECT_GT(names.size(), 15U);
  for (const std::string& name : names) {
    EXPECT_TRUE(std::regex_search(page, std::regex("\\b" + name + "\\b"))) << name;
  }
}

}  // namespace
}  // namespace proxyd
