// openssl_loop: TLS 1.3 on one epoll loop and nothing else, the reference of bench/README.md: what
// a connection costs in OpenSSL alone, and how many handshakes a second there are to be had. Echoes
// what it gets.
//
//   openssl_loop DATA_DIR      with server.pem and server.key of `bellwire init`; prints {"port":N}

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

struct Connection {
  int fd;
  SSL* ssl;
};

int SelectAnyAlpn(SSL*, const unsigned char** out, unsigned char* out_size,
                  const unsigned char* offered, unsigned, void*) {
  *out = offered + 1;
  *out_size = offered[0];
  return SSL_TLSEXT_ERR_OK;
}

SSL_CTX* NewContext(const std::string& data_dir) {
  SSL_CTX* const ctx = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 1);
  SSL_CTX_set_alpn_select_cb(ctx, SelectAnyAlpn, nullptr);
  if (SSL_CTX_use_certificate_chain_file(ctx, (data_dir + "/server.pem").c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(ctx, (data_dir + "/server.key").c_str(), SSL_FILETYPE_PEM) != 1) {
    std::fprintf(stderr, "openssl_loop: no certificate in %s\n", data_dir.c_str());
    return nullptr;
  }
  return ctx;
}

// Whether the connection goes on.
bool Serve(Connection* connection) {
  char buffer[4096];
  if (!SSL_is_init_finished(connection->ssl)) {
    const int code = SSL_do_handshake(connection->ssl);
    if (code != 1) {
      const int error = SSL_get_error(connection->ssl, code);
      return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    }
  }
  for (;;) {
    const int n = SSL_read(connection->ssl, buffer, sizeof(buffer));
    if (n > 0) {
      SSL_write(connection->ssl, buffer, n);
      continue;
    }
    const int error = SSL_get_error(connection->ssl, n);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: openssl_loop DATA_DIR\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  SSL_CTX* const ctx = NewContext(argv[1]);
  if (ctx == nullptr) return 1;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));  // Accepted ones inherit it.
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener, 4096) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("openssl_loop");
    return 1;
  }
  std::printf("{\"port\":%d}\n", ntohs(address.sin_port));
  std::fflush(stdout);

  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event = {.events = EPOLLIN, .data = {.ptr = nullptr}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    epoll_event events[64];
    const int n = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < n; ++i) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      if (connection == nullptr) {
        for (int k = 0; k < 16; ++k) {
          const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
          if (fd < 0) break;
          connection = new Connection{.fd = fd, .ssl = SSL_new(ctx)};
          SSL_set_fd(connection->ssl, fd);
          SSL_set_accept_state(connection->ssl);
          event = {.events = EPOLLIN, .data = {.ptr = connection}};
          epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        }
      } else if (!Serve(connection)) {
        SSL_free(connection->ssl);
        close(connection->fd);
        delete connection;
      }
    }
  }
}
