#include "gateway/http_flags.h"

#include "common/public_urls.h"
#include "common/status_macros.h"

namespace bellwire::gateway {

void AddHttpFlags(CLI::App* app, HttpFlags* flags) {
  app->add_option("--public_url", flags->public_urls,
                  "Where the world reaches this server, such as https://push.example.com: names the "
                  "endpoints of subscriptions. May be given several times: the first one names "
                  "them, and senders may sign for any")
      ->type_name("URL");
}

absl::Status ApplyHttpFlags(const HttpFlags& flags, GatewayServer::Options* options) {
  BELLWIRE_ASSIGN_OR_RETURN(options->public_urls, PublicUrls::Parse(flags.public_urls));
  return absl::OkStatus();
}

}  // namespace bellwire::gateway
