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

namespace ttrpc::compiler {

struct Options {
  std::string prefix;  // precedes the name of each class, and follows `Register`
};

// Parses the plugin's parameter, `key=value,…`. Returns what is wrong with it, or an empty string.
std::string ParseParameter(const std::string& parameter, Options* options);

// Returns "dir/foo.ttrpc" for "dir/foo.proto".
std::string OutputBase(const google::protobuf::FileDescriptor& file);

// Checks a file that has services. Returns why no code can be generated, because two of its names
// would be equal in C++, or an empty string.
std::string CheckNames(const google::protobuf::FileDescriptor& file, const Options& options);
std::string HeaderText(const google::protobuf::FileDescriptor& file, const Options& options);
std::string SourceText(const google::protobuf::FileDescriptor& file, const Options& options);

}  // namespace ttrpc::compiler
