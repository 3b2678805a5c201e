// SPDX-License-Identifier: Apache-2.0
//
// Runs the handler of a server's call, directly or through interceptors. Each task owns its call.
// Use it on the loop's thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server_call.h"
#include "ttrpc/server.h"
#include "ttrpc/service.h"
#include "ttrpc/task.h"

namespace ttrpc::server_chain {

// A method and the implementation that it is called on.
template <typename Handler>
struct Target {
  Target(Handler h, void* s) : handler(h), service(s) {}
  Handler handler;
  void* service;
};

// `request` is valid until the task first waits.
Task<void> Run(std::unique_ptr<ServerCall> call, Method::Unary handler, void* service,
               std::string_view request);
Task<void> Run(std::unique_ptr<ServerStream> stream, Method::Stream handler, void* service);

// `options` must outlive the task.
Task<void> RunIntercepted(const ServerOptions& options, std::unique_ptr<ServerCall> call,
                          Target<Method::Unary> target, std::string request);
Task<void> RunIntercepted(const ServerOptions& options, std::unique_ptr<ServerStream> stream,
                          Target<Method::Stream> target);

}  // namespace ttrpc::server_chain
