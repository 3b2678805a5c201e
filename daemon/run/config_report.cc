// SPDX-License-Identifier: Apache-2.0
#include "run/config_report.h"

#include <cstdio>

#include "policy/lint.h"
#include "run/places.h"
#include "run/process_resources.h"
#include "run/service_unit.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

namespace {

void Print(const std::vector<ConfigError>& findings) {
  for (const ConfigError& finding : findings)
    std::fprintf(stderr, "%s\n", finding.ToString().c_str());
}

// The unit sets the daemon's limit. The limit of this process, often a shell's, says little.
std::vector<ConfigError> CheckDescriptorsOfService(const Config& config) {
  const auto unit = FindServiceUnit(UnitDirectories());
  if (unit && unit->most_descriptors) return CheckDescriptors(config, *unit->most_descriptors);
  return CheckDescriptors(config, MostDescriptors(), DescriptorLimit::kOfThisProcessOnly);
}

}  // namespace

void ReportErrors(const std::vector<ConfigError>& errors) { Print(errors); }

int ReportPaths(const Config& config, PathsFor purpose) {
  const PathErrors paths = CheckPaths(config, purpose);
  ReportErrors(paths.errors);
  if (!paths.drop_in.empty()) std::fprintf(stderr, "%s\n", paths.drop_in.c_str());
  return ExitStatusOf(paths.errors);
}

int ReportChecks(const Config& config) {
  Print(Lint(config, {.uid = ttrpc::OverflowUid(), .gid = ttrpc::OverflowGid()}));
  Print(LintPlaces(config));
  Print(CheckDescriptorsOfService(config));
  return ReportPaths(config, PathsFor::kCheck);
}

}  // namespace proxyd
