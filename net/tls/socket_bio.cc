#include "net/tls/socket_bio.h"

#include <errno.h>

#include "common/limits.h"

namespace bellwire::net {
namespace {

TlsConnectionState* ConnectionOf(BIO* bio) {
  return static_cast<TlsConnectionState*>(BIO_get_data(bio));
}

int Write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  TlsConnectionState* const connection = ConnectionOf(bio);
  const ssize_t n =
      connection->socket->Write(data, static_cast<size_t>(size), connection->more_follows);
  if (n < 0 && errno == EAGAIN) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int Read(BIO* bio, char* buffer, int size) {
  BIO_clear_retry_flags(bio);
  BIO_clear_flags(bio, BIO_FLAGS_IN_EOF);
  TlsConnectionState* const connection = ConnectionOf(bio);
  if (connection->excess != nullptr) return -1;
  const ssize_t n = connection->socket->Read(buffer, static_cast<size_t>(size));
  if (n > 0 && !connection->open) {
    connection->handshake_bytes += static_cast<uint32_t>(n);
    if (connection->handshake_bytes > kMaxHandshakeBytes) {
      connection->excess = "the TLS handshake is too long";
      return -1;
    }
  }
  if (n < 0 && errno == EAGAIN) BIO_set_retry_read(bio);
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(n);
}

long Control(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
      return 0;
  }
}

const BIO_METHOD* Method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bellwire socket");
    BIO_meth_set_write(m, Write);
    BIO_meth_set_read(m, Read);
    BIO_meth_set_ctrl(m, Control);
    return m;
  }();
  return method;
}

}  // namespace

BIO* NewSocketBio(TlsConnectionState* connection) {
  BIO* const bio = BIO_new(Method());
  BIO_set_data(bio, connection);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace bellwire::net
