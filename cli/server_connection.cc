#include "cli/server_connection.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/payload.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "grpc/support/time.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/support/channel_arguments.h"
#include "net/socket/address.h"
#include "ops/data_dir.h"
#include "ops/main_support.h"
#include "rpc/credentials.h"
#include "rpc/grpc_status.h"

namespace bellwire::cli {
namespace {

absl::StatusOr<ProviderCredentials> CredentialsOf(const ProviderFlags& flags) {
  // The parts are flags only, so they are meant; the file may be one of the environment.
  const bool in_parts = !flags.key_file.empty() || !flags.key_id.empty() || !flags.team_id.empty();
  if (!in_parts && !flags.credentials.empty()) return ReadProviderCredentials(flags.credentials);
  if (flags.key_file.empty() || flags.key_id.empty() || flags.team_id.empty()) {
    return WithHint(absl::InvalidArgumentError("no provider credentials are named"),
                    "give --credentials FILE (made by `bellwire key create --out FILE`), or --key, "
                    "--kid and --team");
  }
  BELLWIRE_ASSIGN_OR_RETURN(std::string pem, ReadPrivateFile(flags.key_file));
  return ProviderCredentials{flags.team_id, flags.key_id, std::move(pem)};
}

constexpr int kUsualPort = 7443;

// What is wrong with --server, before DNS or TLS say something that leads nowhere.
absl::StatusOr<net::HostPort> ParseServer(const std::string& server) {
  std::string likely = server;
  const size_t scheme = likely.find("://");
  if (scheme != std::string::npos) likely = likely.substr(scheme + 3);
  likely = likely.substr(0, likely.find('/'));
  absl::StatusOr<net::HostPort> parsed = net::ParseHostPort(likely);
  const bool complete = parsed.ok() && !parsed->host.empty() && parsed->port != 0;
  if (complete && likely == server) return parsed;
  if (!complete && likely.find(':') == std::string::npos && !likely.empty()) {
    absl::StrAppend(&likely, ":", kUsualPort);
  } else if (!complete) {
    likely = absl::StrCat("HOST:", kUsualPort);
  }
  return WithHint(
      absl::InvalidArgumentError(absl::StrCat("--server takes HOST:PORT and not \"", server, "\"")),
      absl::StrCat("say --server ", likely));
}

// A proxy of the environment leads away from this machine.
bool IsLoopback(const std::string& host) {
  if (host == "localhost" || host == "::1") return true;
  in_addr v4;
  return inet_pton(AF_INET, host.c_str(), &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

// The proxy that gRPC goes through; empty: none. Its own order.
std::string ProxyOfEnvironment() {
  for (const char* name : {"grpc_proxy", "https_proxy", "http_proxy"}) {
    const char* value = getenv(name);
    if (value != nullptr && *value != '\0') return absl::StrCat(name, "=", value);
  }
  return "";
}

// What to do about a failed handshake. gRPC says what went wrong in TLS in its message only; empty:
// it was not TLS.
std::string HandshakeHint(absl::string_view grpc_message, const std::string& server) {
  const std::string message = absl::AsciiStrToLower(grpc_message);
  if (absl::StrContains(message, "application protocol") || absl::StrContains(message, "alpn")) {
    return absl::StrCat(
        "is that the device port, where agents connect (usually 7444)? Name the "
        "provider port (usually ",
        kUsualPort, ") with --server HOST:PORT");
  }
  if (absl::StrContains(message, "wrong_version_number") ||
      absl::StrContains(message, "wrong version number")) {
    return absl::StrCat(server,
                        " doesn't speak TLS: name the provider port of the server with "
                        "--server HOST:PORT");
  }
  if (absl::StrContains(message, "hostname") || absl::StrContains(message, "peer name") ||
      absl::StrContains(message, "not in peer certificate")) {
    return "the server's certificate doesn't name the host of --server: use a name that it has, or "
           "add this one on the server with `bellwire cert add-name HOST`";
  }
  if (absl::StrContains(message, "handshake") || absl::StrContains(message, "certificate")) {
    return "the CA must be that of this server: give its DATA_DIR/ca.pem with --ca";
  }
  return "";
}

}  // namespace

void AddServerFlags(CLI::App* command, ServerFlags* flags) {
  const std::string group = "Server";
  command->add_option("--server", flags->server, "Provider port of the server, HOST:PORT")
      ->type_name("HOST:PORT")
      ->envname("BELLWIRE_SERVER")
      ->capture_default_str()
      ->group(group);
  const auto take_data_dir = [command, flags](const std::string& data_dir) {
    flags->data_dir = data_dir;
    // CLI11 calls this before it reads the environment, if the flag is given, and after it
    // otherwise. A directory that is named beats files that only the environment names.
    for (const char* name : {"--ca", "--admin_token_file"}) {
      if (CLI::Option* const option = command->get_option_no_throw(name)) option->envname("");
    }
  };
  command
      ->add_option_function<std::string>(
          "--data_dir", take_data_dir, "Data directory of the server, where it is on this machine")
      ->trigger_on_parse()
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR")
      ->group(group);
  command->add_option("--ca", flags->ca, "PEM file of the server's CA [DATA_DIR/ca.pem]")
      ->type_name("FILE")
      ->envname("BELLWIRE_CA")
      ->group(group);
}

void AddAdminFlags(CLI::App* command, AdminFlags* flags) {
  AddServerFlags(command, flags);
  command
      ->add_option("--admin_token_file", flags->admin_token_file,
                   "File with the admin token [DATA_DIR/admin.token]")
      ->type_name("FILE")
      ->envname("BELLWIRE_ADMIN_TOKEN_FILE")
      ->group("Server");
}

void AddProviderFlags(CLI::App* command, ProviderFlags* flags) {
  AddServerFlags(command, flags);
  const std::string group = "Credentials";
  command
      ->add_option("--credentials", flags->credentials,
                   "File made by `bellwire key create --out FILE`")
      ->type_name("FILE")
      ->envname("BELLWIRE_CREDENTIALS")
      ->group(group);
  command->add_option("--key", flags->key_file, "Instead: PEM file of the private key")
      ->type_name("FILE")
      ->group(group);
  command->add_option("--kid", flags->key_id, "with the id of the key")
      ->type_name("ID")
      ->group(group);
  command->add_option("--team", flags->team_id, "and that of the team")
      ->type_name("ID")
      ->group(group);
}

void AddMessageNameFlags(CLI::App* command, MessageNameFlags* flags) {
  command->add_option("MESSAGE_ID", flags->message_id, "As `bellwire send` answered it")
      ->type_name("")
      ->required();
  command->add_option("--token", flags->token, "The token that it was sent to")
      ->type_name("TOKEN")
      ->required();
  AddProviderFlags(command, flags);
}

absl::StatusOr<ServerConnection> ServerConnection::OpenAsAdmin(const AdminFlags& flags) {
  std::string path = flags.admin_token_file;
  if (path.empty() && !flags.data_dir.empty()) path = DataDir(flags.data_dir).admin_token();
  if (path.empty()) {
    return WithHint(absl::InvalidArgumentError("no admin token is named"),
                    "give --data_dir DIR, or --ca FILE and --admin_token_file FILE");
  }
  BELLWIRE_ASSIGN_OR_RETURN(std::string token, ReadPrivateFile(path));
  return Open(flags, std::string(absl::StripAsciiWhitespace(token)));
}

absl::StatusOr<ServerConnection> ServerConnection::OpenAsProvider(const ProviderFlags& flags,
                                                                  absl::Time now) {
  BELLWIRE_ASSIGN_OR_RETURN(ProviderCredentials credentials, CredentialsOf(flags));
  BELLWIRE_ASSIGN_OR_RETURN(std::string jwt, SignProviderJwt(credentials, now));
  return Open(flags, std::move(jwt));
}

absl::StatusOr<ServerConnection> ServerConnection::Open(const ServerFlags& flags,
                                                        std::string bearer_token) {
  std::string ca = flags.ca;
  if (ca.empty() && !flags.data_dir.empty()) ca = DataDir(flags.data_dir).ca_certificate();
  if (ca.empty()) {
    return WithHint(absl::InvalidArgumentError("no CA is named, so no server could be trusted"),
                    "give --ca FILE (the server's DATA_DIR/ca.pem), or --data_dir DIR");
  }
  BELLWIRE_ASSIGN_OR_RETURN(const net::HostPort server, ParseServer(flags.server));
  BELLWIRE_ASSIGN_OR_RETURN(const auto credentials, ClientTlsCredentials(ca));
  grpc::ChannelArguments arguments;
  if (IsLoopback(server.host)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return ServerConnection(flags.server,
                          grpc::CreateCustomChannel(flags.server, credentials, arguments),
                          std::move(bearer_token));
}

absl::Status ServerConnection::CheckStrings(const google::protobuf::Message& request) {
  using google::protobuf::FieldDescriptor;
  const google::protobuf::Descriptor* const type = request.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* const field = type->field(i);
    if (field->type() != FieldDescriptor::TYPE_STRING || field->is_repeated()) continue;
    if (IsUtf8(request.GetReflection()->GetString(request, field))) continue;
    return WithField(absl::InvalidArgumentError("this text is not UTF-8"), field->name());
  }
  return absl::OkStatus();
}

void ServerConnection::Prepare(absl::Duration timeout, grpc::ClientContext* context) const {
  // A time span, which gRPC counts on its monotonic clock.
  context->set_deadline(gpr_time_from_millis(absl::ToInt64Milliseconds(timeout), GPR_TIMESPAN));
  Authorize(context);
}

void ServerConnection::Authorize(grpc::ClientContext* context) const {
  context->AddMetadata("authorization", absl::StrCat("Bearer ", bearer_token_));
}

absl::Status ServerConnection::Explain(const grpc::Status& grpc_status) const {
  absl::Status status = FromGrpcStatus(grpc_status);
  if (ErrorReason(status) == "NO_SUCH_METHOD") {
    return WithHint(std::move(status),
                    absl::StrCat("if the server takes administrators at a port of its own "
                                 "(--admin_listen), name that one with --server; ",
                                 server_, " has no such method"));
  }
  // With a reason it is the server that speaks, and says it better.
  if (status.ok() || !ErrorReason(status).empty()) return status;
  if (status.code() == absl::StatusCode::kDeadlineExceeded) {
    return WithHint(
        absl::DeadlineExceededError(absl::StrCat("no answer from ", server_, " in time")),
        "is that the provider port of a bellwire server? Look at its log");
  }
  if (status.code() != absl::StatusCode::kUnavailable) return status;
  absl::Status explained = absl::UnavailableError(
      absl::StrCat("can't reach the server at ", server_, ": ", status.message()));
  if (std::string hint = HandshakeHint(status.message(), server_); !hint.empty()) {
    return WithHint(std::move(explained), hint);
  }
  std::string hint = "is `bellwire serve` running there? Name another with --server HOST:PORT";
  const std::string proxy = ProxyOfEnvironment();
  if (const auto server = ParseServer(server_); !proxy.empty() && !IsLoopback(server->host)) {
    absl::StrAppend(&hint, ". The way leads through ", proxy, " unless no_proxy names the host");
  }
  return WithHint(std::move(explained), hint);
}

}  // namespace bellwire::cli
