#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_EXCHANGE_ACCOUNT_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_EXCHANGE_ACCOUNT_H_

#include <cstddef>
#include <optional>
#include <string>

#include "gateway/doors/http/fair_shares.h"
#include "gateway/doors/http/header_list.h"
#include "gateway/doors/http/memory_account.h"
#include "net/peers/cidr.h"

namespace bellwire::http {

// What is needed to believe a proxy that names its clients.
struct TrustedProxy {
  // Its fellows: a name that one of them added is passed over too.
  const net::CidrList* proxies = nullptr;
  // Where its clients have their shares.
  FairShares* memory = nullptr;
};

// Whom one exchange counts for, and the memory that it holds. It begins as the connection's; behind
// a proxy it becomes its client's. Single-threaded.
class ExchangeAccount {
 public:
  // `connection`, and what `proxy` points to, outlive it.
  ExchangeAccount(MemoryAccount* connection, const std::string& peer, const TrustedProxy* proxy)
      : connection_(connection), peer_(peer), proxy_(proxy) {}
  // Gives everything back.
  ~ExchangeAccount();
  ExchangeAccount(const ExchangeAccount&) = delete;
  ExchangeAccount& operator=(const ExchangeAccount&) = delete;

  // The head is there: believes what a trusted proxy says of its client.
  void Identify(const HeaderList& headers);
  // "address:port" of the connection's peer, or the address that the proxy gave.
  const std::string& peer() const { return client_.empty() ? peer_ : client_; }

  // False: the peer has its share already.
  bool Add(size_t bytes);
  void AddAnyway(size_t bytes);
  // REQUIRES: added.
  void Remove(size_t bytes);
  size_t charged() const { return of_connection_ + of_client_; }

 private:
  MemoryAccount* const connection_;
  const std::string& peer_;
  const TrustedProxy* const proxy_;
  std::string client_;
  // Of the proxy's client.
  std::optional<MemoryAccount> own_;
  size_t of_connection_ = 0;
  size_t of_client_ = 0;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_EXCHANGE_ACCOUNT_H_
