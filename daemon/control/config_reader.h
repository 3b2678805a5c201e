// SPDX-License-Identifier: Apache-2.0
//
// ConfigReader: reads the configuration once more while the daemon runs, on a thread of its own,
// since files and the user database may keep it waiting. On the loop's thread.
#pragma once

#include <functional>
#include <string>

#include "config/load.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class ConfigReader {
 public:
  using DoneFunction = std::function<void(LoadedConfig)>;

  // `base` must outlive it. `done` is called by the loop, once for each reading that was begun.
  ConfigReader(event_base* base, std::string path, DoneFunction done);
  // What is being read is left to itself.
  ~ConfigReader();
  ConfigReader(const ConfigReader&) = delete;
  ConfigReader& operator=(const ConfigReader&) = delete;

  // What is asked for while it reads is read after: whoever changed a file and then asked gets the
  // change. However often it was asked for, once.
  void Read();

 private:
  void Start();
  void Receive();
  void End(LoadedConfig loaded);

  event_base* base_;
  const std::string path_;
  const DoneFunction done_;
  // While it reads: a pipe through which the thread gives away what it has made.
  ttrpc::UniqueFd result_;
  ttrpc::EventPtr event_;
  bool again_ = false;
};

}  // namespace proxyd
