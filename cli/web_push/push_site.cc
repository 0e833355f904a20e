#include "cli/web_push/push_site.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/core/tcp_stream.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/read.hpp"
#include "boost/beast/http/write.hpp"
#include "device-agent/companion/browser/socket_owner.h"

namespace bellwire::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

}  // namespace

// One request and its answer; lives as long as its reads and writes.
class PushSite::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<PushPage> page,
             std::shared_ptr<size_t> connections)
      : stream_(std::move(socket)), page_(std::move(page)), connections_(std::move(connections)) {
    ++*connections_;
    parser_.header_limit(kMaxPageRequestBytes);
    parser_.body_limit(kMaxPageRequestBytes);
  }
  ~Connection() { --*connections_; }

  void Start() {
    stream_.expires_after(absl::ToChronoMilliseconds(kPageRequestTime));
    http::async_read(stream_, buffer_, parser_,
                     [self = shared_from_this()](error_code error, size_t) {
                       if (!error) self->Answer();
                     });
  }

 private:
  void Answer() {
    response_ = page_->Answer(parser_.get());
    http::async_write(stream_, response_, [self = shared_from_this()](error_code, size_t) {
      error_code ignored;
      self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    });
  }

  beast::tcp_stream stream_;
  const std::shared_ptr<PushPage> page_;
  const std::shared_ptr<size_t> connections_;
  beast::flat_buffer buffer_{2 * kMaxPageRequestBytes};
  http::request_parser<http::string_body> parser_;
  PushPage::Response response_;
};

PushSite::PushSite(tcp::acceptor acceptor, uid_t uid) : acceptor_(std::move(acceptor)), uid_(uid) {}

PushSite::~PushSite() { *alive_ = false; }

absl::StatusOr<std::unique_ptr<PushSite>> PushSite::Start(
    asio::io_context* io, uid_t uid,
    const std::function<std::unique_ptr<PushPage>(const std::string& host)>& make_page) {
  tcp::acceptor acceptor(*io);
  error_code error;
  const tcp::endpoint loopback(asio::ip::address_v4::loopback(), /*port_num=*/0);
  acceptor.open(loopback.protocol(), error);
  if (!error) acceptor.bind(loopback, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  tcp::endpoint bound;
  if (!error) bound = acceptor.local_endpoint(error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("can't listen on a port of 127.0.0.1: ", error.message()));
  }
  std::unique_ptr<PushSite> site(new PushSite(std::move(acceptor), uid));
  const std::string host = absl::StrCat("localhost:", bound.port());
  site->url_ = absl::StrCat("http://", host, "/");
  site->page_ = make_page(host);
  site->Accept();
  return site;
}

void PushSite::Accept() {
  acceptor_.async_accept([this, alive = alive_](error_code error, tcp::socket socket) {
    // Without descriptors the page is not answered, and the command says so in time.
    if (!*alive || error) return;
    OnAccepted(std::move(socket));
    Accept();
  });
}

void PushSite::OnAccepted(tcp::socket socket) {
  const absl::StatusOr<uid_t> owner = companion::OwnerOfPeer(socket.native_handle());
  if (!owner.ok() || *owner != uid_ || *connections_ >= kMaxPageConnections) return;
  std::make_shared<Connection>(std::move(socket), page_, connections_)->Start();
}

}  // namespace bellwire::cli
