// SPDX-License-Identifier: Apache-2.0
//
// Generates the text of `.ttrpc.h` and `.ttrpc.cc` from the descriptor of a .proto file. Pure; any
// thread.
//
// The code contains three things for each service: an abstract class with the service's name, which
// a server implements; a client that implements it over a connection; and a function that registers
// an implementation with a server.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

#include "options.h"

namespace ttrpc::compiler {

// Returns "dir/foo.ttrpc" for "dir/foo.proto".
std::string OutputBase(const google::protobuf::FileDescriptor& file);

// The file must have services, and names that CheckFiles() does not complain about.
std::string HeaderText(const google::protobuf::FileDescriptor& file, const Options& options);
std::string SourceText(const google::protobuf::FileDescriptor& file, const Options& options);

}  // namespace ttrpc::compiler
