// SPDX-License-Identifier: Apache-2.0
//
// What protoc-gen-cpp-ttrpc writes: from the descriptor of a file to the text of its `.ttrpc.h` and
// `.ttrpc.cc`. Pure; any thread.
//
// For each service: an abstract class with the service's name, which a server's programmer
// implements; a client that implements it over a connection; a function that registers an
// implementation with a server.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

namespace ttrpc::compiler {

struct Options {
  std::string prefix;  // put before the name of each class and after `Register`
};

// Reads the plugin's parameter, `key=value,…`. Empty, or what is wrong with it.
std::string ParseParameter(const std::string& parameter, Options* options);

// "dir/foo.proto" -> "dir/foo.ttrpc".
std::string OutputBase(const google::protobuf::FileDescriptor& file);

// Of a file that has services. Empty, or why no code can be made for it: two of its names would be
// the same in C++.
std::string CheckNames(const google::protobuf::FileDescriptor& file, const Options& options);
std::string HeaderText(const google::protobuf::FileDescriptor& file, const Options& options);
std::string SourceText(const google::protobuf::FileDescriptor& file, const Options& options);

}  // namespace ttrpc::compiler
