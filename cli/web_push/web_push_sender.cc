#include "cli/web_push/web_push_sender.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "boost/asio/connect.hpp"
#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/ssl/context.hpp"
#include "boost/asio/ssl/host_name_verification.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/core/tcp_stream.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/read.hpp"
#include "boost/beast/http/string_body.hpp"
#include "boost/beast/http/write.hpp"
#include "boost/beast/ssl/ssl_stream.hpp"
#include "common/printable.h"
#include "common/status_macros.h"
#include "crypto/encryption/aes128gcm.h"

namespace bellwire::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

// One request on a connection of its own, on the thread that runs `io`.
class Exchange {
 public:
  Exchange(asio::io_context* io, asio::ssl::context* tls, const PageSubscription& to,
           http::request<http::string_body> request)
      : to_(to), request_(std::move(request)), resolver_(*io), stream_(*io, *tls) {
    parser_.body_limit(kMaxWebPushAnswerBytes);
  }

  void Start() {
    beast::get_lowest_layer(stream_).expires_after(absl::ToChronoMilliseconds(kWebPushTime));
    resolver_.async_resolve(to_.host, to_.port,
                            [this](error_code error, const tcp::resolver::results_type& found) {
                              if (error) return Fail("is not found", error);
                              Connect(found);
                            });
  }

  // REQUIRES: the loop has come to its end.
  absl::Status Result() const {
    if (!failure_.ok()) return failure_;
    if (!parser_.is_done()) return Unreachable("did not answer in time");
    const auto& answer = parser_.get();
    if (answer.result() == http::status::created) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        "the push service answers ", answer.result_int(), ": ", Printable(answer.body())));
  }

 private:
  void Connect(const tcp::resolver::results_type& found) {
    beast::get_lowest_layer(stream_).async_connect(found,
                                                   [this](error_code error, const tcp::endpoint&) {
                                                     if (error)
                                                       return Fail("can't be connected to", error);
                                                     Shake();
                                                   });
  }
  void Shake() {
    stream_.set_verify_mode(asio::ssl::verify_peer);
    stream_.set_verify_callback(asio::ssl::host_name_verification(to_.host));
    SSL_set_tlsext_host_name(stream_.native_handle(), to_.host.c_str());
    stream_.async_handshake(asio::ssl::stream_base::client, [this](error_code error) {
      if (error) return Fail("has no certificate that is trusted, or no TLS", error);
      Write();
    });
  }
  void Write() {
    http::async_write(stream_, request_, [this](error_code error, size_t) {
      if (error) return Fail("takes no request", error);
      Read();
    });
  }
  void Read() {
    http::async_read(stream_, buffer_, parser_, [this](error_code error, size_t) {
      if (error) return Fail("gives no answer", error);
      // Nobody waits for the end of TLS: this answer has said how long it is.
      beast::get_lowest_layer(stream_).close();
    });
  }

  void Fail(absl::string_view what, const error_code& error) {
    failure_ = Unreachable(absl::StrCat(what, ": ", error.message()));
    beast::get_lowest_layer(stream_).close();
  }
  absl::Status Unreachable(absl::string_view what) const {
    return absl::UnavailableError(absl::StrCat("the push service ", to_.origin, " ", what));
  }

  const PageSubscription& to_;
  const http::request<http::string_body> request_;
  tcp::resolver resolver_;
  beast::ssl_stream<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_{kMaxWebPushAnswerBytes};
  http::response_parser<http::string_body> parser_;
  absl::Status failure_;
};

}  // namespace

absl::Status SendWebPush(const WebPushSender& sender, const PageSubscription& to,
                         absl::string_view text) {
  BELLWIRE_ASSIGN_OR_RETURN(std::string body, EncryptAes128gcm(to.recipient, text));
  BELLWIRE_ASSIGN_OR_RETURN(const std::string authorization,
                            SignVapid(sender.signer, to.origin, sender.clock->WallNow()));
  http::request<http::string_body> request(http::verb::post, to.target, /*version=*/11);
  // The part behind "https://".
  request.set(http::field::host, to.origin.substr(8));
  request.set(http::field::authorization, authorization);
  request.set(http::field::content_encoding, "aes128gcm");
  request.set(http::field::content_type, "application/octet-stream");
  request.set("TTL", "60");
  request.set("Urgency", "high");
  request.set(http::field::connection, "close");
  request.body() = std::move(body);
  request.prepare_payload();

  asio::ssl::context tls(asio::ssl::context::tls_client);
  error_code error;
  if (sender.ca_file.empty()) {
    tls.set_default_verify_paths(error);
  } else {
    tls.load_verify_file(sender.ca_file, error);
  }
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat(
        "can't read certificates of ", sender.ca_file.empty() ? "this machine" : sender.ca_file,
        ": ", error.message()));
  }
  asio::io_context io;
  Exchange exchange(&io, &tls, to, std::move(request));
  exchange.Start();
  io.run_for(absl::ToChronoMilliseconds(kWebPushTime));
  return exchange.Result();
}

}  // namespace bellwire::cli
