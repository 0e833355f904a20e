#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "cli/command.h"
#include "cli/proto_render.h"
#include "cli/provider_credentials.h"
#include "cli/server_connection.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "crypto/provider_key.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

using admin::v1::AdminService;

struct Flags : AdminFlags {
  std::string team_id;
  std::string key_id;
  std::string out;
  std::string public_key_file;
  bool send_only = false;
  bool fcm = false;
};

// The private half is answered once: where it goes must be certain before it is made.
absl::Status CheckOut(const std::string& path) {
  if (path.empty()) {
    return WithHint(absl::InvalidArgumentError("where to put the private key is not said"),
                    "give --out FILE, or bring your own key with --public_key FILE");
  }
  if (access(path.c_str(), F_OK) == 0) {
    return WithHint(absl::AlreadyExistsError(absl::StrCat(path, " exists already")),
                    "choose another file with --out");
  }
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (access(directory.c_str(), W_OK) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("can't write into ", directory));
  }
  return absl::OkStatus();
}

// One line, which scripts take as it is.
absl::Status CreateAccessToken(const Flags& flags, CommandContext* context) {
  if (!flags.out.empty() || !flags.public_key_file.empty()) {
    return WithHint(absl::InvalidArgumentError("--send_only makes an access token, not a key pair"),
                    "leave out --out and --public_key: the token is printed, once");
  }
  admin::v1::CreateKeyRequest request;
  request.set_team_id(flags.team_id);
  request.set_send_only(true);
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::CreateKeyResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::CreateKey, request, &response));
  Terminal& out = *context->terminal;
  if (!out.json()) {
    out.Line(response.access_token());
    return absl::OkStatus();
  }
  nlohmann::ordered_json json = ToJson(response.key());
  json["access_token"] = response.access_token();
  out.Json(json);
  return absl::OkStatus();
}

// The private half never leaves this machine, so nobody else is trusted to make it.
absl::Status CreateServiceAccount(const Flags& flags, CommandContext* context) {
  if (flags.send_only || !flags.public_key_file.empty()) {
    return WithHint(absl::InvalidArgumentError("--fcm makes a service-account file with a new key"),
                    "leave out --send_only and --public_key");
  }
  BELLWIRE_RETURN_IF_ERROR(CheckOut(flags.out));
  BELLWIRE_ASSIGN_OR_RETURN(ProviderKeyPair pair, GenerateServiceAccountKeyPair());
  admin::v1::CreateKeyRequest request;
  request.set_team_id(flags.team_id);
  request.set_fcm(true);
  request.set_public_key_pem(pair.public_key_pem);
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::CreateKeyResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::CreateKey, request, &response));
  const admin::v1::Key& key = response.key();
  const absl::Status written =
      WriteServiceAccountFile(flags.out, {.team_id = key.team_id(),
                                          .key_id = key.key_id(),
                                          .private_key_pem = std::move(pair.private_key_pem),
                                          .client_email = response.client_email(),
                                          .token_uri = response.token_uri()});
  if (!written.ok()) {
    return WithHint(written, absl::StrCat("its private half is lost: `bellwire key revoke ",
                                          key.key_id(), "` and make another"));
  }
  Terminal& out = *context->terminal;
  if (out.json()) {
    nlohmann::ordered_json json = ToJson(key);
    json["client_email"] = response.client_email();
    json["token_uri"] = response.token_uri();
    json["credentials"] = flags.out;
    out.Json(json);
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("created"), "  service account ",
                        out.Bold(response.client_email()), " of project ", key.team_id()));
  out.Line(absl::StrCat("its file is ", out.Bold(flags.out),
                        ": give it to an FCM library where Google's was"));
  return absl::OkStatus();
}

absl::string_view KindOf(const admin::v1::Key& key) {
  switch (key.kind()) {
    case admin::v1::Key::SEND_ONLY:
      return "send only";
    case admin::v1::Key::FCM:
      return "fcm";
    default:
      return "signing";
  }
}

absl::Status Create(const Flags& flags, CommandContext* context) {
  if (flags.fcm) return CreateServiceAccount(flags, context);
  if (flags.send_only) return CreateAccessToken(flags, context);
  admin::v1::CreateKeyRequest request;
  request.set_team_id(flags.team_id);
  const bool own_key = !flags.public_key_file.empty();
  if (own_key) {
    BELLWIRE_ASSIGN_OR_RETURN(std::string pem, ReadWholeFile(flags.public_key_file));
    request.set_public_key_pem(std::move(pem));
  } else {
    BELLWIRE_RETURN_IF_ERROR(CheckOut(flags.out));
  }
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::CreateKeyResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::CreateKey, request, &response));
  const admin::v1::Key& key = response.key();
  if (!own_key) {
    const absl::Status written = WriteProviderCredentials(
        flags.out, {key.team_id(), key.key_id(), response.private_key_pem()});
    if (!written.ok()) {
      return WithHint(written, absl::StrCat("its private half is lost: `bellwire key revoke ",
                                            key.key_id(), "` and make another"));
    }
  }

  Terminal& out = *context->terminal;
  if (out.json()) {
    nlohmann::ordered_json json = ToJson(key);
    if (!own_key) json["credentials"] = flags.out;
    out.Json(json);
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("created"), "  key ", out.Bold(key.key_id()), " of team ",
                        key.team_id()));
  if (own_key) {
    out.Line(absl::StrCat("sign ES256 JWTs with header kid=", key.key_id(),
                          " and claims iss=", key.team_id(), ", iat=now; good for an hour each"));
    return absl::OkStatus();
  }
  out.Line(absl::StrCat("the private half is in ", out.Bold(flags.out),
                        " and nowhere else: it belongs to the app's backend"));
  out.Line(absl::StrCat("next: ", out.Bold(absl::StrCat("bellwire send --credentials ", flags.out,
                                                        " --token TOKEN --text hello"))));
  return absl::OkStatus();
}

absl::Status List(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::ListKeysRequest request;
  request.set_team_id(flags.team_id);
  admin::v1::ListKeysResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::ListKeys, request, &response));
  Terminal& out = *context->terminal;
  std::vector<std::vector<std::string>> rows;
  for (const admin::v1::Key& key : response.keys()) {
    if (out.json()) out.Json(ToJson(key));
    rows.push_back({key.key_id(), std::string(KindOf(key)), RenderTime(TimeOf(key.create_time())),
                    key.has_revoke_time()
                        ? out.Bad(absl::StrCat("revoked ", RenderTime(TimeOf(key.revoke_time()))))
                        : out.Good("good")});
  }
  if (out.json()) return absl::OkStatus();
  if (rows.empty()) {
    out.Line(absl::StrCat("team ", flags.team_id,
                          " has no keys yet; make one with `bellwire key "
                          "create --team ",
                          flags.team_id, " --out FILE`"));
  } else {
    out.Table({"KEY", "KIND", "CREATED", "STATE"}, rows);
  }
  return absl::OkStatus();
}

absl::Status Revoke(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::RevokeKeyRequest request;
  request.set_key_id(flags.key_id);
  admin::v1::Key key;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::RevokeKey, request, &key));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json(ToJson(key));
  } else {
    out.Line(absl::StrCat(out.Good("revoked"), "  key ", out.Bold(key.key_id()), " of team ",
                          key.team_id(), ": within 5 s no gateway takes it any more"));
  }
  return absl::OkStatus();
}

}  // namespace

void AddKeyCommand(CLI::App* root, CommandContext* context) {
  CLI::App* key =
      root->add_subcommand("key",
                           "Signing keys and access tokens: what backends prove themselves with")
          ->require_subcommand(1);
  auto flags = std::make_shared<Flags>();

  CLI::App* create = key->add_subcommand(
      "create",
      "Make a key; its private half goes into a file, once. Or, with --send_only, an access token, "
      "or, with --fcm, a service account");
  create->add_option("--team,TEAM", flags->team_id, "Id of the team")->type_name("ID")->required();
  create
      ->add_option(
          "--out,FILE", flags->out,
          "Credentials file to make (0600): team_id, key_id, private_key_pem as JSON; with "
          "--fcm a service-account file")
      ->type_name("FILE");
  create
      ->add_option("--public_key", flags->public_key_file,
                   "Instead: PEM file with the public half of a P-256 key of your own")
      ->type_name("FILE");
  create->add_flag(
      "--send_only", flags->send_only,
      "Instead: print an access token for curl and scripts, one line, once. Who has it "
      "may send, and look up messages; nothing else");
  create->add_flag("--fcm", flags->fcm,
                   "Instead: make a service account for libraries of FCM; its project is the team");
  AddAdminFlags(create, flags.get());
  AddJsonFlag(create, context);
  SetExamples(create,
              "  bellwire key create --team TEAM --out cred.json --data_dir ./data\n"
              "  bellwire key create --send_only TEAM --data_dir ./data\n"
              "  bellwire key create --fcm TEAM service-account.json --data_dir ./data");
  create->callback([=] { context->run = [=] { return Create(*flags, context); }; });

  CLI::App* list = key->add_subcommand("list", "Show the keys and access tokens of a team");
  list->add_option("--team", flags->team_id, "Id of the team")->type_name("ID")->required();
  AddAdminFlags(list, flags.get());
  AddJsonFlag(list, context);
  SetExamples(list, "  bellwire key list --team TEAM --data_dir ./data");
  list->callback([=] { context->run = [=] { return List(*flags, context); }; });

  CLI::App* revoke =
      key->add_subcommand("revoke", "Make a key or an access token worthless, for ever");
  revoke->add_option("KEY_ID", flags->key_id, "As `key list` shows it")->type_name("")->required();
  AddAdminFlags(revoke, flags.get());
  AddJsonFlag(revoke, context);
  SetExamples(revoke, "  bellwire key revoke KEY_ID --data_dir ./data");
  revoke->callback([=] { context->run = [=] { return Revoke(*flags, context); }; });
}

}  // namespace bellwire::cli
