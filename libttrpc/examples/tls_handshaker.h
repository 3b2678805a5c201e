// SPDX-License-Identifier: Apache-2.0
//
// ttrpc over TLS, for either side: a handshaker that puts another transport in the socket's place.
// The library is given one end of a socketpair; the other end and the socket are two bufferevents,
// one of them speaking TLS, and what comes out of one goes into the other. On the loop's thread.
//
// Both sides show a certificate, and take only one that the given authority has signed. A pump
// lives until the connection has ended on either side and what that side sent is delivered, or
// until its handshaker is destroyed: so a server that ends should run its loop on after Shutdown()
// until idle().
#pragma once

#include <ttrpc/handshaker.h>

#include <memory>
#include <string>
#include <utility>

struct ssl_ctx_st;

namespace example {

struct TlsOptions {
  TlsOptions() {}
  // PEM files.
  std::string certificate;
  std::string key;
  std::string authority;
  bool client = false;
  // What the server's certificate must be made out for; a client's only, which must give it.
  std::string server_name;
};

// What handlers see of the connection: Context::session().
class TlsSession final : public ttrpc::HandshakeSession {
 public:
  explicit TlsSession(std::string peer) : peer_(std::move(peer)) {}
  // The common name in the other side's certificate.
  const std::string& peer() const { return peer_; }

 private:
  std::string peer_;
};

class TlsHandshaker final : public ttrpc::Handshaker {
 public:
  // INVALID_ARGUMENT: what is wrong with the files.
  static ttrpc::Result<std::unique_ptr<TlsHandshaker>> Create(const TlsOptions& options);
  ~TlsHandshaker() override;

  ttrpc::Task<ttrpc::Result<ttrpc::Handshaken>> Handshake(ttrpc::IoLoop& loop,
                                                          ttrpc::UniqueFd socket) override;
  // No connection of it has bytes to deliver.
  bool idle() const;

 private:
  class Pumps;

  TlsHandshaker(ssl_ctx_st* context, const TlsOptions& options);

  struct ContextDeleter {
    void operator()(ssl_ctx_st* context) const;
  };

  std::unique_ptr<ssl_ctx_st, ContextDeleter> context_;
  bool client_;
  std::string server_name_;
  std::unique_ptr<Pumps> pumps_;
};

}  // namespace example
