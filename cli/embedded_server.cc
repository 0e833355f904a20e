#include "cli/embedded_server.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "gateway/http_flags.h"
#include "ops/data_dir.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

// Names the one connector in the routes of this process; no host can be called so.
constexpr char kEmbeddedConnector[] = "embedded:0";
}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddedServer>> EmbeddedServer::Start(const Options& options) {
  std::unique_ptr<EmbeddedServer> server(new EmbeddedServer());
  BELLWIRE_RETURN_IF_ERROR(server->StartParts(options));
  return server;
}

absl::Status EmbeddedServer::StartParts(const Options& options) {
  const DataDir dir(options.data_dir);
  data_dir_ = options.data_dir;
  ticket_key_path_ = options.ticket_key_path;
  BELLWIRE_RETURN_IF_ERROR(CheckInitialised(dir));
  BELLWIRE_ASSIGN_OR_RETURN(sealer_, TokenSealer::FromFile(dir.token_keys()));
  BELLWIRE_ASSIGN_OR_RETURN(const std::string admin_token, ReadPrivateFile(dir.admin_token()));

  registry::RegistryServer::Options registry_options;
  registry_options.data_dir = dir.registry();
  registry_options.backup_dir = options.backup_dir;
  registry_options.payload_key_file = options.privacy.payload_key_file;
  registry_options.retention = options.privacy.retention();
  registry_options.keys_dir = options.data_dir;
  registry_options.sealer = sealer_.get();
  registry_options.clock = options.clock;
  registry_options.subscriptions = options.subscriptions;
  registry_options.devices = options.devices;
  BELLWIRE_ASSIGN_OR_RETURN(registry_,
                            registry::RegistryServer::Start(std::move(registry_options)));

  connector::ConnectorServer::Options connector_options;
  connector_options.device_listen = options.device_listen;
  if (!options.gateway.public_urls.empty()) {
    connector_options.public_url = options.gateway.public_urls.first();
  }
  connector_options.shards = options.shards;
  connector_options.heartbeat_range = options.heartbeat_range;
  connector_options.certificate_path = dir.server_certificate();
  connector_options.private_key_path = dir.server_key();
  connector_options.ticket_key_path = TicketKeyFile(dir, options.ticket_key_path);
  connector_options.internal_address = kEmbeddedConnector;
  connector_options.sessions = registry_->api();
  connector_options.networks = registry_->api();
  connector_options.topics = registry_->api();
  connector_options.clock = options.clock;
  BELLWIRE_ASSIGN_OR_RETURN(connector_,
                            connector::ConnectorServer::Start(std::move(connector_options)));

  registry_->SetConnectors(connector_->connector());
  // Agents may have been faster: their sessions ask what fell due before.
  connector_->connector()->OnStreamBroken(/*devices=*/{});
  connector_->connector()->OnStreamOpened(/*devices=*/{});

  gateway_options_ = options.gateway;
  gateway::GatewayServer::Options& gateway_options = gateway_options_;
  gateway_options.listen = options.provider_listen;
  gateway_options.certificate_path = dir.server_certificate();
  gateway_options.key_path = dir.server_key();
  gateway_options.admin_token = std::string(absl::StripAsciiWhitespace(admin_token));
  gateway_options.administrators_path = dir.administrators();
  gateway_options.audit_path = dir.audit_log();
  gateway_options.sealer = sealer_.get();
  gateway_options.mailboxes = registry_->api();
  gateway_options.catalogue = registry_->api();
  gateway_options.keys = registry_->api();
  gateway_options.feeds = registry_->api();
  gateway_options.store = registry_->api();
  gateway_options.topics = registry_->api();
  gateway_options.devices = registry_->api();
  gateway_options.clock = options.clock;
  BELLWIRE_ASSIGN_OR_RETURN(gateway_, gateway::GatewayServer::Start(gateway_options));
  certificates_.emplace(dir, options.clock);
  registry_->SetOnStoreChange([this](bool ok) { gateway_->SetStoreOk(ok); });
  gateway_->SetStoreOk(registry_->StoreStatus().ok());
  return absl::OkStatus();
}

std::vector<std::pair<std::string, std::string>> EmbeddedServer::http_addresses() const {
  return gateway::HttpAddresses(*gateway_);
}

void EmbeddedServer::ReloadAdminToken() {
  const std::string file = DataDir(data_dir_).admin_token();
  absl::StatusOr<std::string> token = ReadPrivateFile(file);
  LogReload(file, token.ok()
                      ? gateway_->SetAdminToken(std::string(absl::StripAsciiWhitespace(*token)))
                      : token.status());
}

void EmbeddedServer::Reload() {
  const DataDir dir(data_dir_);
  LogReload(absl::StrCat(dir.server_certificate(), " for the provider port"),
            gateway_->ReloadCertificate());
  gateway::ReloadHttps(gateway_options_, gateway_.get());
  const std::string ticket_keys = TicketKeyFile(dir, ticket_key_path_);
  LogReload(absl::StrCat(dir.server_certificate(), ticket_keys.empty() ? "" : ", ", ticket_keys,
                         " for the device port"),
            connector_->ReloadTls(ticket_keys));
  ReloadAdminToken();
}

void EmbeddedServer::Report(metrics::Samples* samples) {
  gateway_->Report(samples);
  connector_->Report(samples);
  registry_->Report(samples);
}

EmbeddedServer::~EmbeddedServer() {
  if (registry_ != nullptr) registry_->SetOnStoreChange(nullptr);
  gateway_.reset();
  if (registry_ != nullptr) registry_->SetConnectors(nullptr);
}

void EmbeddedServer::Drain(absl::Duration time) {
  gateway_->Drain(time);
  connector_->Drain(time);
}

}  // namespace bellwire::cli
