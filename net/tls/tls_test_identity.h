#ifndef BELLWIRE_NET_TLS_TLS_TEST_IDENTITY_H_
#define BELLWIRE_NET_TLS_TLS_TEST_IDENTITY_H_

#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "net/tls/tls_context.h"

namespace bellwire::net {

// For tests: a CA made on the spot, and a server's certificate by it.
struct TlsTestIdentity {
  // Valid from yesterday until tomorrow.
  static TlsTestIdentity Make(const std::vector<std::string>& dns_names = {"localhost"},
                              const std::vector<std::string>& ip_addresses = {"127.0.0.1"});

  std::shared_ptr<TlsServerContext> ServerContext(const Clock* clock = RealClock()) const;
  std::shared_ptr<TlsClientContext> ClientContext() const;
  // SHA-256 of the server's SubjectPublicKeyInfo.
  std::string Pin() const;

  std::string ca_pem;
  std::string certificate_pem;
  std::string private_key_pem;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_TLS_TEST_IDENTITY_H_
