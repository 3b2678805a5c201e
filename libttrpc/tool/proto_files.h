// SPDX-License-Identifier: Apache-2.0
//
// The two ways to a Schema.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "schema.h"

namespace ttrpc::tool {

// See Schema::Load().
std::unique_ptr<Schema> LoadProtoFiles(const SchemaSources& sources,
                                       std::vector<std::string>* errors);
std::unique_ptr<Schema> LoadDescriptorSets(const std::vector<std::string>& paths,
                                           std::vector<std::string>* errors);

}  // namespace ttrpc::tool
