// SPDX-License-Identifier: Apache-2.0
//
// The peer of our own library. It has the same command line, service and checks as the Go and Rust
// peers.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "check.h"

namespace interop {
namespace {

struct Options {
  std::string socket;
  std::string suite = "all";
  std::map<std::string, std::string> expect;
};

[[noreturn]] void Usage() {
  std::fputs(
      "usage: peer server|client|list --socket unix:///abs/path [--suite SUITE] "
      "[--expect CHECK=OUTCOME]...\n",
      stderr);
  std::exit(64);
}

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 2; i < argc; i += 2) {
    if (i + 1 == argc) Usage();
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--socket") {
      options.socket = value;
    } else if (name == "--suite") {
      options.suite = value;
    } else if (name == "--expect" && value.find('=') != value.npos) {
      options.expect[value.substr(0, value.find('='))] = value.substr(value.find('=') + 1);
    } else {
      Usage();
    }
  }
  return options;
}

std::vector<Check> Chosen(const std::string& suite) {
  std::vector<Check> chosen;
  const auto add = [&](std::vector<Check> checks, const std::string& part, bool in_all) {
    for (Check& check : checks) {
      if ((in_all && suite == "all") || suite == part || suite == check.name)
        chosen.push_back(std::move(check));
    }
  };
  add(UnaryChecks(), "unary", true);
  add(StreamChecks(), "streams", true);
  add(KilledChecks(), "killed", false);
  return chosen;
}

// `want` is `A|B` if either outcome is possible: upstream has races.
bool OneOf(const std::string& want, const std::string& got) {
  return ("|" + want + "|").find("|" + got + "|") != std::string::npos;
}

int RunSuite(const Options& options) {
  const std::vector<Check> checks = Chosen(options.suite);
  if (checks.empty()) {
    std::printf("no check is called %s\n", options.suite.c_str());
    return 64;
  }
  std::printf("plan %zu\n", checks.size());
  int status = 0;
  for (const Check& check : checks) {
    const auto expected = options.expect.find(check.name);
    const std::string& want = expected == options.expect.end() ? check.want : expected->second;
    std::string problem;
    try {
      const std::string got = check.run(options.socket);
      if (!OneOf(want, got))
        problem.append("\"").append(got).append("\", expected \"").append(want) += '"';
    } catch (const std::exception& exception) {
      problem = exception.what();
    }
    if (!problem.empty()) status = 1;
    std::printf("%s %s%s%s\n", problem.empty() ? "ok" : "FAIL", check.name.c_str(),
                problem.empty() ? "" : ": ", problem.c_str());
    std::fflush(stdout);
  }
  return status;
}

}  // namespace
}  // namespace interop

int main(int argc, char** argv) {
  if (argc < 2) interop::Usage();
  const interop::Options options = interop::Parse(argc, argv);
  const std::string command = argv[1];
  if (command == "server") {
    interop::Serve(options.socket);
  } else if (command == "client") {
    return interop::RunSuite(options);
  } else if (command == "list") {
    for (const interop::Check& check : interop::Chosen(options.suite))
      std::printf("%s\n", check.name.c_str());
  } else {
    interop::Usage();
  }
  return 0;
}
