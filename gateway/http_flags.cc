#include "gateway/http_flags.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/public_urls.h"
#include "common/status_macros.h"
#include "net/peers/cidr.h"
#include "ops/main_support.h"
#include "ops/overview/watch.h"

namespace bellwire::gateway {

void AddHttpFlags(CLI::App* app, HttpFlags* flags) {
  app->add_option(
         "--public_url", flags->public_urls,
         "Where the world reaches this server, such as https://push.example.com: names the "
         "endpoints of subscriptions. May be given several times: the first one names "
         "them, and senders may sign for any")
      ->type_name("URL");
  CLI::Option* const listen =
      app->add_option("--https_listen", flags->https_listen,
                      "Where the world connects (HTTP/1.1 and HTTP/2 over TLS), HOST:PORT, such as "
                      "[::]:443: every door but the admin API")
          ->type_name("HOST:PORT");
  CLI::Option* const cert =
      app->add_option("--https_cert", flags->https_cert,
                      "Certificate of --https_listen with its intermediates, such as certbot's "
                      "fullchain.pem; read again at SIGHUP [the provider port's]")
          ->type_name("FILE");
  CLI::Option* const key =
      app->add_option("--https_key", flags->https_key, "Its private key, such as privkey.pem")
          ->type_name("FILE");
  cert->needs(key);
  cert->needs(listen);
  key->needs(cert);
  app->add_option("--http_listen", flags->http_listen,
                  "For a proxy on this machine, in clear text: HOST:PORT of a loopback address, or "
                  "unix:PATH")
      ->type_name("ADDRESS");
  app->add_option("--console_listen", flags->console_listen,
                  "The web page for administrators: HOST:PORT over TLS as --https_listen, or in "
                  "clear text a loopback address or unix:PATH")
      ->type_name("ADDRESS");
  app->add_option("--console_fleet", flags->console_fleet,
                  "What the console's page of the fleet shows beside this process: where the other "
                  "programs show their metrics (--metrics_listen)")
      ->type_name("ADDRESS,...")
      ->delimiter(',');
  app->add_option("--admin_listen", flags->admin_listen,
                  "For administrators alone, such as 127.0.0.1:7446: the provider port takes none "
                  "then [the provider port]")
      ->type_name("HOST:PORT");
  app->add_option("--trusted_proxies", flags->trusted_proxies,
                  "Proxies that are believed when they name their client (Forwarded, "
                  "X-Forwarded-For), such as 127.0.0.1,10.0.0.0/8")
      ->type_name("CIDR,...")
      ->delimiter(',');
  app->add_option("--proxy_protocol_from", flags->proxy_protocol_from,
                  "Load balancers that begin each connection to a port with TLS by a header of the "
                  "PROXY protocol, version 1 or 2")
      ->type_name("CIDR,...")
      ->delimiter(',');
  app->add_option(
         "--doors_off", flags->doors_off,
         absl::StrCat("Doors that stay shut, of ", absl::StrJoin(GatewayServer::KnownDoors(), ", "),
                      "; grpc is always open at the provider port"))
      ->type_name("DOOR,...")
      ->delimiter(',');
  app->add_option("--drain_notice_seconds", flags->drain_notice_seconds,
                  "How long a stop only says so (/readyz is 503, gRPC's health NOT_SERVING) and "
                  "serves as before, so that load balancers stop choosing this server before it "
                  "refuses connections")
      ->type_name("N")
      ->check(CLI::Range(0, 3600).description(""))
      ->capture_default_str();
}

absl::Status ApplyHttpFlags(const HttpFlags& flags, GatewayServer::Options* options) {
  BELLWIRE_ASSIGN_OR_RETURN(options->public_urls, PublicUrls::Parse(flags.public_urls));
  BELLWIRE_ASSIGN_OR_RETURN(options->trusted_proxies, net::CidrList::Parse(flags.trusted_proxies));
  BELLWIRE_ASSIGN_OR_RETURN(options->proxy_protocol_from,
                            net::CidrList::Parse(flags.proxy_protocol_from));
  options->https_listen = flags.https_listen;
  options->https_certificate_path = flags.https_cert;
  options->https_key_path = flags.https_key;
  options->http_listen = flags.http_listen;
  options->console_listen = flags.console_listen;
  if (flags.console_fleet.size() > metrics::kMaxWatchedPrograms) {
    return MakeError(absl::StatusCode::kInvalidArgument, "BAD_ADDRESS",
                     absl::StrCat("--console_fleet takes at most ", metrics::kMaxWatchedPrograms,
                                  " addresses"));
  }
  options->console_fleet = flags.console_fleet;
  options->admin_listen = flags.admin_listen;
  options->doors_off = flags.doors_off;
  options->drain_notice = absl::Seconds(flags.drain_notice_seconds);
  return absl::OkStatus();
}

void ReloadHttps(const GatewayServer::Options& options, GatewayServer* server) {
  if (options.https_listen.empty() && options.console_listen.empty()) return;
  const std::string& file = options.https_certificate_path.empty() ? options.certificate_path
                                                                   : options.https_certificate_path;
  LogReload(absl::StrCat(file, " for the https port"), server->ReloadHttpsCertificate());
}

std::vector<std::pair<std::string, std::string>> HttpAddresses(const GatewayServer& server) {
  std::vector<std::pair<std::string, std::string>> addresses;
  if (!server.https_address().empty()) {
    addresses.emplace_back("https_address", server.https_address());
  }
  if (!server.http_address().empty()) {
    addresses.emplace_back("http_address", server.http_address());
  }
  if (!server.console_address().empty()) {
    addresses.emplace_back("console_address", server.console_address());
  }
  if (!server.admin_address().empty()) {
    addresses.emplace_back("admin_address", server.admin_address());
  }
  return addresses;
}

}  // namespace bellwire::gateway
