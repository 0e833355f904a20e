#include "cli/web_push/web_push_sender.h"

#include <future>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/ssl/context.hpp"
#include "boost/asio/ssl/stream.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/http/read.hpp"
#include "boost/beast/http/string_body.hpp"
#include "boost/beast/http/write.hpp"
#include "common/clock.h"
#include "common/testing/temp_dir.h"
#include "crypto/certificates.h"
#include "crypto/file_util.h"
#include "crypto/p256.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Request = http::request<http::string_body>;

class WebPushSenderTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::Time now = RealClock()->WallNow();
    const Validity validity = {now - absl::Hours(1), now + absl::Hours(1)};
    const auto ca = MakeCertificateAuthority("test", validity);
    ASSERT_TRUE(ca.ok()) << ca.status();
    const auto server = IssueCertificate(
        *ca,
        {.common_name = "test", .dns_names = {"localhost"}, .server = true, .validity = validity});
    ASSERT_TRUE(server.ok()) << server.status();
    ASSERT_TRUE(CreateFileAtomically(Path("ca"), ca->certificate_pem, FileAccess::kPublic).ok());
    error_code error;
    tls_.use_certificate(asio::buffer(server->certificate_pem), asio::ssl::context::pem, error);
    ASSERT_FALSE(error) << error.message();
    tls_.use_private_key(asio::buffer(server->key_pem), asio::ssl::context::pem, error);
    ASSERT_FALSE(error) << error.message();
    reader_ = std::move(GenerateP256Key().value());
    sender_ = {.signer = {.private_key_pem = PrivateKeyPem(GenerateP256Key().value().get()),
                          .subject = "mailto:test@example.com"},
               .ca_file = Path("ca"),
               .clock = RealClock()};
    acceptor_.open(tcp::v4());
    acceptor_.bind({asio::ip::address_v4::loopback(), 0});
    acceptor_.listen();
    port_ = acceptor_.local_endpoint().port();
  }

  std::string Path(const std::string& name) const { return dir_.path(name); }

  PageSubscription Subscription(const std::string& host = "localhost") const {
    return {.origin = "https://" + host + ":" + std::to_string(port_),
            .host = host,
            .port = std::to_string(port_),
            .target = "/wpush/ab12",
            .recipient = {.public_key = PointOf(reader_.get()), .auth_secret = kAuth}};
  }

  // A push service that takes one request, and answers `response`. What it was sent; no target: TLS
  // did not come about.
  std::future<Request> Serve(http::response<http::string_body> response) {
    return std::async(std::launch::async, [this, response = std::move(response)]() mutable {
      asio::ssl::stream<tcp::socket> stream(io_, tls_);
      error_code error;
      acceptor_.accept(stream.next_layer(), error);
      if (!error) stream.handshake(asio::ssl::stream_base::server, error);
      Request request;
      boost::beast::flat_buffer buffer;
      if (!error) http::read(stream, buffer, request, error);
      response.prepare_payload();
      if (!error) http::write(stream, response, error);
      return error ? Request() : request;
    });
  }

  static constexpr char kAuth[] = "0123456789abcdef";
  TempDir dir_;
  asio::io_context io_;
  asio::ssl::context tls_{asio::ssl::context::tls_server};
  tcp::acceptor acceptor_{io_};
  uint16_t port_ = 0;
  EvpPkeyPtr reader_;
  WebPushSender sender_;
};

TEST_F(WebPushSenderTest, SendsWhatOnlyThePageCanRead) {
  auto served = Serve({http::status::created, 11});
  const absl::Status sent = SendWebPush(sender_, Subscription(), "You have mail");
  EXPECT_TRUE(sent.ok()) << sent;
  const Request request = served.get();
  EXPECT_EQ(request.method(), http::verb::post);
  EXPECT_EQ(request.target(), "/wpush/ab12");
  EXPECT_EQ(request[http::field::host], "localhost:" + std::to_string(port_));
  EXPECT_EQ(request[http::field::content_encoding], "aes128gcm");
  EXPECT_EQ(request["TTL"], "60");
  EXPECT_TRUE(absl::StartsWith(std::string(request[http::field::authorization]), "vapid t="));
  const auto text = DecryptAes128gcm(reader_.get(), kAuth, request.body());
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "You have mail");
}

TEST_F(WebPushSenderTest, SaysWhatTheServiceAnswers) {
  http::response<http::string_body> gone(http::status::gone, 11);
  gone.body() = "the subscription has ended\x1b[2J";
  auto served = Serve(gone);
  const absl::Status sent = SendWebPush(sender_, Subscription(), "text");
  EXPECT_TRUE(absl::IsFailedPrecondition(sent)) << sent;
  EXPECT_TRUE(absl::StrContains(sent.message(), "410: the subscription has ended\\x1b")) << sent;
  served.get();
}

TEST_F(WebPushSenderTest, TrustsNobodyElse) {
  const auto stranger = MakeCertificateAuthority(
      "stranger",
      {RealClock()->WallNow() - absl::Hours(1), RealClock()->WallNow() + absl::Hours(1)});
  ASSERT_TRUE(
      CreateFileAtomically(Path("other"), stranger->certificate_pem, FileAccess::kPublic).ok());
  sender_.ca_file = Path("other");
  auto served = Serve({http::status::created, 11});
  const absl::Status sent = SendWebPush(sender_, Subscription(), "text");
  EXPECT_TRUE(absl::IsUnavailable(sent)) << sent;
  EXPECT_TRUE(absl::StrContains(sent.message(), "no certificate that is trusted")) << sent;
  EXPECT_EQ(served.get().target(), "");
}

TEST_F(WebPushSenderTest, ChecksTheName) {
  auto served = Serve({http::status::created, 11});
  const absl::Status sent = SendWebPush(sender_, Subscription("127.0.0.1"), "text");
  EXPECT_TRUE(absl::IsUnavailable(sent)) << sent;
  EXPECT_EQ(served.get().target(), "");
}

TEST_F(WebPushSenderTest, SaysWhatIsWrongHere) {
  acceptor_.close();
  const absl::Status nobody = SendWebPush(sender_, Subscription(), "text");
  EXPECT_TRUE(absl::IsUnavailable(nobody)) << nobody;
  EXPECT_TRUE(absl::StrContains(nobody.message(), "can't be connected to")) << nobody;
  sender_.ca_file = Path("missing");
  const absl::Status no_file = SendWebPush(sender_, Subscription(), "text");
  EXPECT_TRUE(absl::IsInvalidArgument(no_file)) << no_file;
  EXPECT_TRUE(absl::StrContains(no_file.message(), Path("missing"))) << no_file;
}

}  // namespace
}  // namespace bellwire::cli
