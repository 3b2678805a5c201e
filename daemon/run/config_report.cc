// SPDX-License-Identifier: Apache-2.0
#include "run/config_report.h"

#include <cstdio>

#include "policy/lint.h"
#include "run/process_resources.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

namespace {

void Print(const std::vector<ConfigError>& messages, const char* prefix) {
  for (const ConfigError& message : messages)
    std::fprintf(stderr, "%s%s\n", prefix, message.ToString().c_str());
}

}  // namespace

void ReportErrors(const std::vector<ConfigError>& errors) { Print(errors, ""); }

int ReportPaths(const Config& config, PathsFor purpose) {
  const PathErrors paths = CheckPaths(config, purpose);
  ReportErrors(paths.errors);
  if (!paths.drop_in.empty()) std::fprintf(stderr, "%s\n", paths.drop_in.c_str());
  return ExitStatusOf(paths.errors);
}

int ReportChecks(const Config& config) {
  Print(Lint(config, {.uid = ttrpc::OverflowUid(), .gid = ttrpc::OverflowGid()}), "warning: ");
  Print(CheckDescriptors(config, MostDescriptors()), "warning: ");
  return ReportPaths(config, PathsFor::kCheck);
}

}  // namespace proxyd
