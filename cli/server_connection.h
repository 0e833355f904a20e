#ifndef BELLWIRE_CLI_SERVER_CONNECTION_H_
#define BELLWIRE_CLI_SERVER_CONNECTION_H_

#include <memory>
#include <string>
#include <utility>

#include "CLI/App.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/provider_credentials.h"
#include "google/protobuf/message.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"
#include "grpcpp/support/sync_stream.h"

namespace bellwire::cli {

// Which server, and what makes it the right one: the flags of every command that talks to a
// running server.
struct ServerFlags {
  // "host:port" of the provider port.
  std::string server = "127.0.0.1:7443";
  // PEM file of the CA. Empty: that of `data_dir`.
  std::string ca;
  std::string data_dir;
};

struct AdminFlags : ServerFlags {
  // Empty: that of `data_dir`.
  std::string admin_token_file;
};

struct ProviderFlags : ServerFlags {
  // Either a credentials file, or its three parts, which win.
  std::string credentials;
  std::string key_file;
  std::string key_id;
  std::string team_id;
};

// Which message, for the commands about one.
struct MessageNameFlags : ProviderFlags {
  std::string token;
  std::string message_id;
};

// Each also reads the environment: BELLWIRE_SERVER, BELLWIRE_CA, BELLWIRE_DATA_DIR,
// BELLWIRE_ADMIN_TOKEN_FILE, BELLWIRE_CREDENTIALS. Flags win, also --data_dir over a CA or an admin
// token of the environment, and --key over its credentials.
void AddServerFlags(CLI::App* command, ServerFlags* flags);
void AddAdminFlags(CLI::App* command, AdminFlags* flags);
void AddProviderFlags(CLI::App* command, ProviderFlags* flags);
void AddMessageNameFlags(CLI::App* command, MessageNameFlags* flags);

// A connection to the provider port and the credential for its calls; connects on first use.
// Thread-safe.
class ServerConnection {
 public:
  // With the admin token.
  //   INVALID_ARGUMENT: a flag is missing, or --server is not HOST:PORT; errors of the files
  static absl::StatusOr<ServerConnection> OpenAsAdmin(const AdminFlags& flags);
  // With a JWT signed as of `now`.
  static absl::StatusOr<ServerConnection> OpenAsProvider(const ProviderFlags& flags,
                                                         absl::Time now);

  // One blocking unary call, at most `timeout`: Call(&Stub::Method, request, &response). Errors say
  // which server and, for the common ones, what to do.
  template <typename Stub, typename Request, typename Response>
  absl::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response,
                    absl::Duration timeout = absl::Seconds(15)) const {
    if (absl::Status status = CheckStrings(request); !status.ok()) return status;
    grpc::ClientContext context;
    Prepare(timeout, &context);
    Stub stub(channel_);
    return Explain((stub.*method)(&context, request, response));
  }

  // One server stream, for as long as it lasts: Read(&Stub::Method, request, on_response). Blocks.
  // Answers why it ended, as Call does; OK if `on_response` answered false, which ends it.
  template <typename Stub, typename Request, typename Response, typename OnResponse>
  absl::Status Read(std::unique_ptr<grpc::ClientReader<Response>> (Stub::*method)(
                        grpc::ClientContext*, const Request&),
                    const Request& request, OnResponse on_response) const {
    grpc::ClientContext context;
    Authorize(&context);
    Stub stub(channel_);
    const auto reader = (stub.*method)(&context, request);
    Response response;
    while (reader->Read(&response)) {
      if (on_response(response)) continue;
      context.TryCancel();
      (void)reader->Finish();
      return absl::OkStatus();
    }
    return Explain(reader->Finish());
  }

 private:
  // INVALID_ARGUMENT: a text of it is no UTF-8, which the server would refuse without a word.
  static absl::Status CheckStrings(const google::protobuf::Message& request);
  ServerConnection(std::string server, std::shared_ptr<grpc::Channel> channel,
                   std::string bearer_token)
      : server_(std::move(server)),
        channel_(std::move(channel)),
        bearer_token_(std::move(bearer_token)) {}

  static absl::StatusOr<ServerConnection> Open(const ServerFlags& flags, std::string bearer_token);
  void Prepare(absl::Duration timeout, grpc::ClientContext* context) const;
  void Authorize(grpc::ClientContext* context) const;
  absl::Status Explain(const grpc::Status& status) const;

  std::string server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::string bearer_token_;
};

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_SERVER_CONNECTION_H_
