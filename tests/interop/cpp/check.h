// SPDX-License-Identifier: Apache-2.0
//
// Declarations that the checks of the C++ peer share. A check connects on its own and returns its
// outcome in a word or a few. It throws an exception for a plain failure.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "echo.ttrpc.h"
#include "ttrpc/client.h"
#include "ttrpc/event_loop.h"

namespace interop {

namespace pb = ::interop::v1;

inline constexpr size_t kMessageMax = 4U << 20;

// A connection and its loop.
struct Connected {
  explicit Connected(const std::string& address);
  ttrpc::EventLoop loop;
  std::unique_ptr<ttrpc::Client> client;
};

struct Check {
  Check(std::string n, std::string w, std::function<std::string(const std::string&)> r)
      : name(std::move(n)), want(std::move(w)), run(std::move(r)) {}
  std::string name;
  std::string want;  // outcome that a client sees through the proxy
  std::function<std::string(const std::string& address)> run;
};

using ClientCheck = std::string (*)(Connected&);

// Makes a check that needs one connection.
Check With(std::string name, std::string want, std::function<std::string(Connected&)> run);

std::vector<Check> UnaryChecks();
std::vector<Check> StreamChecks();
// These checks kill the server, so each needs one of its own, without a proxy.
std::vector<Check> KilledChecks();

std::string Pattern(size_t n, unsigned seed);
// Returns the payload of a call of Echo whose request envelope has exactly this many bytes.
size_t PayloadFor(size_t envelope);
// Names the end of a call: `ok`, the code of a status, or `closed` for a lost connection.
std::string Code(const ttrpc::Status& status);
std::string CodeAndText(const ttrpc::Status& status);
// Adds to an outcome whether the connection still carries a call.
std::string Open(std::string outcome, Connected& connected);

// These send what the library would not send: oversized-raw and deadline-wire.
std::string OversizedRaw(const std::string& address);
std::string DeadlineWire(const std::string& address);

void Serve(const std::string& address);

[[noreturn]] inline void Wrong(const std::string& what) { throw std::runtime_error(what); }

}  // namespace interop
