#include "cli/web_push/push_site.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <thread>

#include "boost/asio/executor_work_guard.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/http/read.hpp"
#include "boost/beast/http/write.hpp"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

class PushSiteTest : public testing::Test {
 protected:
  void Start(uid_t uid) {
    auto site = PushSite::Start(&io_, uid, [this](const std::string& host) {
      host_ = host;
      return std::make_unique<PushPage>(
          host, "KEY",
          PushPage::Events{.on_opened = [] {},
                           .on_subscription = [](const std::string&) { return absl::OkStatus(); },
                           .on_shown = [](const std::string&) {},
                           .on_failed = [](const std::string&) {}});
    });
    ASSERT_TRUE(site.ok()) << site.status();
    site_ = *std::move(site);
    thread_ = std::thread([this] { io_.run(); });
  }
  void TearDown() override {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  // Blocking, on a connection of its own. *error says how it ended.
  PushPage::Response Ask(const PushPage::Request& request, error_code* error) {
    asio::io_context io;
    tcp::socket socket(io);
    PushPage::Response response;
    const std::string port = host_.substr(host_.rfind(':') + 1);
    socket.connect({asio::ip::address_v4::loopback(), static_cast<uint16_t>(std::stoi(port))},
                   *error);
    if (!*error) http::write(socket, request, *error);
    boost::beast::flat_buffer buffer;
    if (!*error) http::read(socket, buffer, response, *error);
    return response;
  }
  PushPage::Request Get(const std::string& target) {
    PushPage::Request request(http::verb::get, target, 11);
    request.set(http::field::host, host_);
    return request;
  }

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  std::string host_;
  std::unique_ptr<PushSite> site_;
  std::thread thread_;
};

TEST_F(PushSiteTest, ServesThePage) {
  Start(getuid());
  EXPECT_EQ(site_->url(), "http://" + host_ + "/");
  error_code error;
  for (size_t i = 0; i < 2 * kMaxPageConnections; ++i) {
    const auto page = Ask(Get("/"), &error);
    ASSERT_FALSE(error) << error.message();
    EXPECT_EQ(page.result(), http::status::ok);
  }
}

TEST_F(PushSiteTest, AnswersNobodyElse) {
  Start(getuid() + 1);
  error_code error;
  Ask(Get("/"), &error);
  EXPECT_TRUE(error) << "the connection is another user's";
}

TEST_F(PushSiteTest, TakesNoMoreThanItsBound) {
  Start(getuid());
  error_code error;
  PushPage::Request request = Get("/" + std::string(2 * kMaxPageRequestBytes, 'a'));
  Ask(request, &error);
  EXPECT_TRUE(error);
  request = Get("/shown");
  request.method(http::verb::post);
  request.set(http::field::origin, "http://" + host_);
  request.body() = std::string(2 * kMaxPageRequestBytes, 'a');
  request.prepare_payload();
  Ask(request, &error);
  EXPECT_TRUE(error);
}

}  // namespace
}  // namespace bellwire::cli
