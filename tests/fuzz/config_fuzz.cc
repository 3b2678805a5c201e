// SPDX-License-Identifier: Apache-2.0
//
// A configuration is parsed, or has errors with positions. The printed form of a parsed one parses
// to the same. The input is files with a NUL byte between them.
#include <map>
#include <string>
#include <vector>

#include "config/load.h"
#include "fuzz.h"
#include "policy/lint.h"

namespace {

class Names final : public proxyd::NameResolver {
 public:
  std::optional<uid_t> User(const std::string& name) override { return Id(name); }
  std::optional<gid_t> Group(const std::string& name) override { return Id(name); }

 private:
  static std::optional<uint32_t> Id(const std::string& name) {
    if (name == "root") return 0;
    if (name == "nobody") return 65534;
    return std::nullopt;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Script script(data, size);
  std::vector<proxyd::ConfigFile> files;
  do {
    files.push_back({"f" + std::to_string(files.size()), std::string(script.Until('\0'))});
  } while (!script.done());
  Names names;
  const proxyd::LoadedConfig loaded = proxyd::ParseConfig(files, names);
  FUZZ_CHECK(loaded.config.has_value() == loaded.errors.empty());
  for (const proxyd::ConfigError& error : loaded.errors) {
    const std::string line = error.ToString();
    FUZZ_CHECK(line.starts_with("f"));
    FUZZ_CHECK(line.find('\n') == std::string::npos);
  }
  if (!loaded.config) return 0;
  for (const proxyd::ConfigError& warning :
       proxyd::Lint(*loaded.config, {.uid = 65534, .gid = 65534})) {
    FUZZ_CHECK(!warning.ToString().empty());
  }
  const std::string printed = proxyd::PrintConfig(*loaded.config);
  const proxyd::LoadedConfig again = proxyd::ParseConfig({{"f", printed}}, names);
  for (const proxyd::ConfigError& error : again.errors) {
    std::fprintf(stderr, "%s\n", error.ToString().c_str());
  }
  FUZZ_CHECK(again.config.has_value());
  FUZZ_CHECK(proxyd::PrintConfig(*again.config) == printed);
  return 0;
}
