// SPDX-License-Identifier: Apache-2.0
//
// ConfigReader: reads the configuration once more while the daemon runs, on a thread of its own,
// since files and the user database may keep it waiting. On the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "config/load.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class ConfigReader {
 public:
  using DoneFunction = std::function<void(LoadedConfig)>;

  // `base` must outlive it. `done` is called by the loop, once for each reading that was begun.
  // RESOURCE_EXHAUSTED and the like: no descriptors, no memory.
  static ttrpc::Result<std::unique_ptr<ConfigReader>> Create(event_base* base, std::string path,
                                                             DoneFunction done);
  // What is being read is left to itself.
  ~ConfigReader();
  ConfigReader(const ConfigReader&) = delete;
  ConfigReader& operator=(const ConfigReader&) = delete;

  // What is asked for while it reads is read after: whoever changed a file and then asked gets the
  // change. However often it was asked for, once.
  void Read();

 private:
  ConfigReader(std::string path, DoneFunction done);
  LoadedConfig Failed(int error_number) const;
  void Start();
  void Receive();

  const std::string path_;
  const DoneFunction done_;
  // Pointers to LoadedConfig, each of whoever reads it.
  ttrpc::UniqueFd results_;
  ttrpc::UniqueFd results_in_;
  ttrpc::EventPtr event_;
  bool reading_ = false;
  bool again_ = false;
};

}  // namespace proxyd
