// SPDX-License-Identifier: Apache-2.0
//
// The files of a bundle: no document has an address that another reading of it lacks, errors are
// one line for a log, and what is parsed is bounded by the input. The input is the file.
#include <algorithm>
#include <set>
#include <string>

#include "discovery/bundle_json.h"
#include "discovery/found_text.h"
#include "fuzz.h"
#include "text/escape.h"

namespace {

void CheckError(const ttrpc::Status& error) {
  FUZZ_CHECK(!error.message().empty());
  FUZZ_CHECK(text::Printable(error.message()) == error.message());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);

  const auto bootstrap = proxyd::ParseBootstrap(file);
  if (bootstrap) {
    FUZZ_CHECK(!bootstrap->empty() && bootstrap->size() <= size);
    FUZZ_CHECK(proxyd::ParseBootstrap(std::string(file) + "\n"));
    // A whole object with something after it is no object.
    FUZZ_CHECK(!proxyd::ParseBootstrap(std::string(file) + "{}"));
  } else {
    CheckError(bootstrap.error());
  }

  const std::set<std::string> wanted = {"a", "io.kubernetes.cri.sandbox-name"};
  const auto annotations = proxyd::ParseAnnotations(file, wanted);
  if (annotations) {
    size_t bytes = 0;
    for (const auto& [key, value] : *annotations) {
      FUZZ_CHECK(wanted.contains(key));
      bytes += value.size();
    }
    FUZZ_CHECK(bytes <= size);
    FUZZ_CHECK(proxyd::ParseAnnotations(file, {})->empty());
  } else {
    CheckError(annotations.error());
  }

  const auto address = proxyd::ParseFoundAddress(file);
  if (address) {
    const auto again = proxyd::ParseFoundAddress(address->ToString());
    FUZZ_CHECK(again && *again == *address);
  }
  const bool is_name = proxyd::ProblemOfName(file).empty();
  FUZZ_CHECK(!is_name || (!file.empty() && file.find_first_of("/\\\n\r\t") == file.npos));
  return 0;
}
