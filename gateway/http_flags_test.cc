#include "gateway/http_flags.h"

#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "common/error.h"
#include "gtest/gtest.h"
#include "ops/overview/watch.h"

namespace bellwire::gateway {
namespace {

// What the flags make of `options`; the reason of an error, or "usage".
std::string Parse(const std::string& line, GatewayServer::Options* options) {
  CLI::App app;
  HttpFlags flags;
  AddHttpFlags(&app, &flags);
  try {
    app.parse(line);
  } catch (const CLI::ParseError&) {
    return "usage";
  }
  return ErrorReason(ApplyHttpFlags(flags, options));
}

TEST(HttpFlags, FillTheOptions) {
  GatewayServer::Options options;
  EXPECT_EQ(Parse("--public_url https://new.example.com --public_url https://old.example.com "
                  "--https_listen [::]:443 --https_cert fullchain.pem --https_key privkey.pem "
                  "--http_listen unix:/run/http.sock --console_listen 127.0.0.1:7480 "
                  "--console_fleet gateway-2:9464,registry:9464 --admin_listen 127.0.0.1:7446 "
                  "--trusted_proxies 127.0.0.1,10.0.0.0/8 "
                  "--proxy_protocol_from 192.0.2.0/24 --doors_off grpc",
                  &options),
            "");
  EXPECT_EQ(options.public_urls.first(), "https://new.example.com");
  EXPECT_TRUE(options.public_urls.Contains("https://old.example.com"));
  EXPECT_EQ(options.https_listen, "[::]:443");
  EXPECT_EQ(options.https_certificate_path, "fullchain.pem");
  EXPECT_EQ(options.https_key_path, "privkey.pem");
  EXPECT_EQ(options.http_listen, "unix:/run/http.sock");
  EXPECT_EQ(options.console_listen, "127.0.0.1:7480");
  EXPECT_EQ(options.console_fleet,
            (std::vector<std::string>{"gateway-2:9464", "registry:9464"}));
  EXPECT_EQ(options.admin_listen, "127.0.0.1:7446");
  EXPECT_TRUE(options.trusted_proxies.Contains(*net::NumericAddress("10.1.2.3", 1)));
  EXPECT_TRUE(options.proxy_protocol_from.Contains(*net::NumericAddress("192.0.2.9", 1)));
  ASSERT_EQ(options.doors_off.size(), 1u);
  EXPECT_EQ(options.doors_off[0], "grpc");
}

TEST(HttpFlags, NothingIsOpenWithoutThem) {
  GatewayServer::Options options;
  EXPECT_EQ(Parse("", &options), "");
  EXPECT_TRUE(options.public_urls.empty());
  EXPECT_TRUE(options.https_listen.empty());
  EXPECT_TRUE(options.http_listen.empty());
  EXPECT_TRUE(options.console_listen.empty());
  EXPECT_TRUE(options.trusted_proxies.empty());
}

TEST(HttpFlags, RefuseWhatMakesNoSense) {
  GatewayServer::Options options;
  EXPECT_EQ(Parse("--public_url push.example.com", &options), "BAD_PUBLIC_URL");
  EXPECT_EQ(Parse("--trusted_proxies 10.0.0.1/8", &options), "BAD_CIDR");
  EXPECT_EQ(Parse("--proxy_protocol_from balancer", &options), "BAD_CIDR");
  std::string fleet = "--console_fleet a:1";
  for (size_t i = 1; i < metrics::kMaxWatchedPrograms; ++i) fleet += ",a:1";
  EXPECT_EQ(Parse(fleet, &options), "");
  EXPECT_EQ(Parse(fleet + ",a:1", &options), "BAD_ADDRESS") << "one more than are looked at";
  const std::string listen = "--https_listen [::]:443 ";
  EXPECT_EQ(Parse(listen + "--https_cert fullchain.pem", &options), "usage") << "without its key";
  EXPECT_EQ(Parse(listen + "--https_key privkey.pem", &options), "usage");
  EXPECT_EQ(Parse("--https_cert fullchain.pem --https_key privkey.pem", &options), "usage")
      << "there is no port that would show it";
}

}  // namespace
}  // namespace bellwire::gateway
