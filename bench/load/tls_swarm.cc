#include "bench/load/tls_swarm.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "net/tls/socket_bio.h"

namespace bellwire::bench {
namespace {

// Ephemeral ports are per source address: members of one such block share one.
constexpr size_t kMembersPerAddress = 20'000;

const char* OpenSslError() {
  const char* text = ERR_reason_error_string(ERR_peek_error());
  return text != nullptr ? text : "the connection was closed";
}

}  // namespace

TlsSwarm::TlsSwarm(net::EpollLoop* loop, SwarmProtocol* protocol, Options options)
    : loop_(loop),
      protocol_(protocol),
      options_(std::move(options)),
      ctx_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX_set_min_proto_version(ctx_, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(ctx_, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set1_groups_list(ctx_, "X25519");
  SSL_CTX_set_verify(ctx_, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_mode(ctx_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                             SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(ctx_, 1);  // As agents do: a record is one read.
  SSL_CTX_set_session_cache_mode(ctx_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(ctx_, OnNewSession);
  SSL_CTX_set_app_data(ctx_, this);
}

TlsSwarm::~TlsSwarm() {
  for (size_t i = 0; i < members_.size(); ++i) {
    Close(i);
    SSL_SESSION_free(members_[i].session);
  }
  SSL_CTX_free(ctx_);
}

void TlsSwarm::Resize(size_t members) {
  while (members_.size() < members) {
    const size_t index = members_.size();
    members_.emplace_back();
    members_.back().server = static_cast<uint32_t>(index);
  }
}

void TlsSwarm::Connect(size_t member) {
  Member& m = members_[member];
  if (m.state != State::kIdle) return;
  m.state = State::kQueued;
  queue_.push_back(member);
  StartNext();
}

void TlsSwarm::Abort(size_t member) {
  const State before = members_[member].state;
  if (before == State::kIdle || before == State::kQueued) return;
  Close(member);
  protocol_->OnClosed(member);
  StartNext();
}

void TlsSwarm::GiveUpOnAttemptsBefore(MonotonicTime then) {
  while (!attempts_.empty() && attempts_.front().first < then) {
    const auto [started, member] = attempts_.front();
    attempts_.pop_front();
    const Member& m = members_[member];
    const bool under_way = m.state == State::kHandshake || m.state == State::kLogin;
    if (under_way && m.started == started) Fail(member, "no login in time");
  }
}

void TlsSwarm::StartNext() {
  if (starting_) return;  // Failing at once must not recurse.
  starting_ = true;
  while (!queue_.empty() && connecting_ < options_.at_once) {
    const size_t member = queue_.front();
    queue_.pop_front();
    if (const absl::Status opened = Open(member); !opened.ok()) Fail(member, opened.message());
  }
  starting_ = false;
}

absl::Status TlsSwarm::Open(size_t member) {
  Member& m = members_[member];
  ++connecting_;
  m.state = State::kHandshake;
  m.started = loop_->clock().Monotonic();
  attempts_.emplace_back(m.started, member);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "socket");
  m.connection = std::make_unique<Connection>(fd);
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
  const linger reset = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  sockaddr_in source = {};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr =
      htonl(INADDR_LOOPBACK + 1 + static_cast<uint32_t>(member / kMembersPerAddress));
  if (bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof(source)) != 0) {
    return absl::ErrnoToStatus(errno, "bind");
  }
  const sockaddr_in& server = servers_[m.server % servers_.size()];
  if (connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof(server)) != 0 &&
      errno != EINPROGRESS) {
    return absl::ErrnoToStatus(errno, "connect");
  }
  m.ssl = SSL_new(ctx_);
  BIO* const bio = net::NewSocketBio(&m.connection->tls);
  SSL_set_bio(m.ssl, bio, bio);
  SSL_set_app_data(m.ssl, reinterpret_cast<void*>(member));
  if (!options_.alpn.empty()) {
    const std::string list =
        absl::StrCat(std::string(1, static_cast<char>(options_.alpn.size())), options_.alpn);
    SSL_set_alpn_protos(m.ssl, reinterpret_cast<const unsigned char*>(list.data()),
                        static_cast<unsigned>(list.size()));
  }
  if (options_.resume && m.session != nullptr) {
    SSL_SESSION* const session = SSL_SESSION_dup(m.session);  // As agents do: a failure spoils it.
    SSL_set_session(m.ssl, session);
    SSL_SESSION_free(session);
  }
  SSL_set_connect_state(m.ssl);
  m.watch = std::make_unique<net::FdWatch>(
      loop_, [this, member](uint32_t events) { OnReady(member, events); });
  return m.watch->Start(fd);
}

int TlsSwarm::OnNewSession(SSL* ssl, SSL_SESSION* session) {
  auto* const swarm = static_cast<TlsSwarm*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const size_t member = reinterpret_cast<size_t>(SSL_get_app_data(ssl));
  Member& m = swarm->members_[member];
  SSL_SESSION_free(m.session);
  m.session = SSL_SESSION_dup(session);  // The end of the connection may spoil its own.
  swarm->protocol_->OnTicket(swarm, member);
  return 0;  // "We keep no reference."
}

void TlsSwarm::OnReady(size_t member, uint32_t events) {
  Member& m = members_[member];
  m.connection->socket.OnEvents(events);
  if (m.state == State::kHandshake) Handshake(member);
  if (m.state == State::kHandshake) return;
  if (!m.unsent.empty()) Flush(member);
  Read(member);
}

void TlsSwarm::Handshake(size_t member) {
  Member& m = members_[member];
  m.connection->tls.more_follows = protocol_->speaks_first() && SSL_in_before(m.ssl) == 0;
  ERR_clear_error();
  const int code = SSL_do_handshake(m.ssl);
  m.connection->tls.more_follows = false;
  if (code == 1) {
    // From here on what is read doesn't count as handshake, which is bounded.
    m.connection->tls.open = true;
    m.state = State::kLogin;
    return protocol_->OnOpen(this, member);
  }
  const int error = SSL_get_error(m.ssl, code);
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) Fail(member, OpenSslError());
}

void TlsSwarm::Read(size_t member) {
  Member& m = members_[member];
  char buffer[16 * 1024];
  while (m.ssl != nullptr) {
    ERR_clear_error();
    const int n = SSL_read(m.ssl, buffer, sizeof(buffer));
    if (n > 0) {
      protocol_->OnData(this, member, absl::string_view(buffer, static_cast<size_t>(n)));
      continue;
    }
    const int error = SSL_get_error(m.ssl, n);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
    return Fail(member, OpenSslError());
  }
}

void TlsSwarm::Write(size_t member, absl::string_view data) {
  Member& m = members_[member];
  if (m.ssl == nullptr) return;
  if (m.unsent.empty()) data.remove_prefix(WriteSome(member, data));
  m.unsent.append(data.data(), data.size());
}

void TlsSwarm::Flush(size_t member) {
  Member& m = members_[member];
  m.unsent.erase(0, WriteSome(member, m.unsent));
}

size_t TlsSwarm::WriteSome(size_t member, absl::string_view data) {
  size_t written = 0;
  while (written < data.size()) {
    ERR_clear_error();
    const int n = SSL_write(members_[member].ssl, data.data() + written,
                            static_cast<int>(data.size() - written));
    if (n <= 0) break;  // Blocked until the next edge, or an end that the next read finds.
    written += static_cast<size_t>(n);
  }
  return written;
}

void TlsSwarm::Ready(size_t member) {
  Member& m = members_[member];
  if (m.state != State::kLogin) return;
  m.state = State::kReady;
  --connecting_;
  ++ready_count_;
  ++logins_;
  if (SSL_session_reused(m.ssl)) ++resumptions_;
  login_latency_.Add(loop_->clock().Monotonic() - m.started);
  StartNext();
}

void TlsSwarm::Fail(size_t member, absl::string_view why) {
  ++losses_;
  last_error_ = std::string(why);
  Close(member);
  protocol_->OnClosed(member);
  if (on_lost_) on_lost_(member);
  StartNext();
}

void TlsSwarm::Close(size_t member) {
  Member& m = members_[member];
  if (m.state == State::kHandshake || m.state == State::kLogin) --connecting_;
  if (m.state == State::kReady) --ready_count_;
  if (m.state != State::kQueued) m.state = State::kIdle;
  if (m.watch != nullptr) {
    m.watch->Stop();
    loop_->DeleteLater(std::move(m.watch));  // It may be calling us.
  }
  if (m.ssl != nullptr) {
    // Else OpenSSL spoils the session for the next connection.
    SSL_set_shutdown(m.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(m.ssl);
    m.ssl = nullptr;
  }
  m.connection.reset();
  m.unsent.clear();
}

std::string TlsSwarm::Exporter(size_t member) const {
  std::string out(32, '\0');
  constexpr absl::string_view kLabel = "EXPORTER-Channel-Binding";
  SSL_export_keying_material(members_[member].ssl, reinterpret_cast<unsigned char*>(out.data()),
                             out.size(), kLabel.data(), kLabel.size(), nullptr, 0, 0);
  return out;
}

bool TlsSwarm::resumed(size_t member) const {
  return SSL_session_reused(members_[member].ssl) == 1;
}

void TlsSwarm::ResetCounts() {
  logins_ = 0;
  resumptions_ = 0;
  losses_ = 0;
  last_error_.clear();
  login_latency_ = Histogram();
}

uint64_t TlsSwarm::wire_bytes_sent() const {
  uint64_t sum = 0;
  for (const Member& m : members_) {
    if (m.ssl != nullptr) sum += BIO_number_written(SSL_get_wbio(m.ssl));
  }
  return sum;
}

uint64_t TlsSwarm::wire_bytes_received() const {
  uint64_t sum = 0;
  for (const Member& m : members_) {
    if (m.ssl != nullptr) sum += BIO_number_read(SSL_get_rbio(m.ssl));
  }
  return sum;
}

}  // namespace bellwire::bench
