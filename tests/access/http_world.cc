#include "tests/access/http_world.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "crypto/p256.h"
#include "gateway/testing/jwt_for_testing.h"
#include "grpcpp/client_context.h"
#include "nlohmann/json.hpp"
#include "rpc/grpc_status.h"
#include "tests/support/encrypted_body.h"
#include "tests/support/process.h"

namespace bellwire::tests {
namespace {

using admin::v1::AdminService;
using gateway::JwtPartsForTesting;
using gateway::SignJwtForTesting;
using nlohmann::json;

constexpr char kNotUs[] = "https://elsewhere.example";

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return std::string(absl::StripAsciiWhitespace(text.str()));
}

template <typename Method, typename Request, typename Response>
absl::Status CallAdmin(const Fleet& fleet, Method method, const Request& request,
                       Response* response) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(RealClock()->WallNow() + kPatience));
  fleet.Authorize(&context);
  return FromGrpcStatus((fleet.Admin().get()->*method)(&context, request, response));
}

struct Key {
  std::string id;
  std::string private_pem;
  // Of an access token, and of a service account.
  std::string access_token;
  std::string email;
};

absl::StatusOr<Key> MakeKey(const Fleet& fleet, const std::string& team_id, bool send_only = false,
                            bool fcm = false) {
  admin::v1::CreateKeyRequest request;
  request.set_team_id(team_id);
  request.set_send_only(send_only);
  request.set_fcm(fcm);
  Key key;
  if (fcm) {
    BELLWIRE_ASSIGN_OR_RETURN(const ProviderKeyPair pair, GenerateServiceAccountKeyPair());
    request.set_public_key_pem(pair.public_key_pem);
    key.private_pem = pair.private_key_pem;
  }
  admin::v1::CreateKeyResponse made;
  BELLWIRE_RETURN_IF_ERROR(CallAdmin(fleet, &AdminService::Stub::CreateKey, request, &made));
  key.id = made.key().key_id();
  if (!fcm) key.private_pem = made.private_key_pem();
  key.access_token = made.access_token();
  key.email = made.client_email();
  return key;
}

absl::Status Revoke(const Fleet& fleet, const Key& key) {
  admin::v1::RevokeKeyRequest request;
  request.set_key_id(key.id);
  admin::v1::Key revoked;
  return CallAdmin(fleet, &AdminService::Stub::RevokeKey, request, &revoked);
}

std::string Bearer(const std::string& credential) { return absl::StrCat("Bearer ", credential); }

JwtPartsForTesting PartsOf(const Key& key, const std::string& team_id) {
  return {.key_id = key.id, .team_id = team_id, .issued_at = RealClock()->WallNow()};
}

// What a service account shows at the token endpoint.
std::string Assertion(const Key& account, const std::string& private_pem,
                      absl::Duration age = absl::ZeroDuration(),
                      const std::string& audience = "https://oauth2.googleapis.com/token") {
  const absl::Time issued_at = RealClock()->WallNow() - age;
  return SignJwtForTesting(
      {.algorithm = "RS256",
       .key_id = account.id,
       .team_id = account.email,
       .issued_at = issued_at,
       .extra_claims_json =
           absl::StrCat(R"({"aud":")", audience,
                        R"(","scope":"https://www.googleapis.com/auth/firebase.messaging","exp":)",
                        absl::ToUnixSeconds(issued_at + absl::Hours(1)), "}")},
      private_pem);
}

std::string Vapid(EVP_PKEY* key, const std::string& audience, absl::Duration life) {
  const std::string point = PublicKeyDer(key).substr(kP256PublicKeyBytes - 65);
  std::string encoded;
  absl::WebSafeBase64Escape(point, &encoded);
  return absl::StrCat(
      "vapid t=",
      SignJwtForTesting({.extra_claims_json =
                             absl::StrCat(R"({"aud":")", audience, R"(","exp":)",
                                          absl::ToUnixSeconds(RealClock()->WallNow() + life), "}")},
                        PrivateKeyPem(key)),
      ", k=", encoded);
}

}  // namespace

HttpAnswer Ask(const std::string& socket_path, const HttpRequest& request) {
  auto connection = RawConnection::ConnectUnix(socket_path);
  if (!connection.ok()) return {};
  std::string text = absl::StrCat(request.method, " ", request.path,
                                  " HTTP/1.1\r\nhost: push.example.com\r\nconnection: close\r\n",
                                  "content-length: ", request.body.size(), "\r\n");
  for (const auto& [name, value] : request.fields)
    absl::StrAppend(&text, name, ": ", value, "\r\n");
  (*connection)->Write(absl::StrCat(text, "\r\n", request.body));
  std::string received;
  HttpAnswer answer;
  while (true) {
    const size_t end = received.find("\r\n\r\n");
    if (end != std::string::npos && answer.status == 0) {
      const std::vector<std::string> lines = absl::StrSplit(received.substr(0, end), "\r\n");
      if (lines[0].size() < 12 || !absl::SimpleAtoi(lines[0].substr(9, 3), &answer.status)) {
        return {};
      }
      for (const std::string& line : lines) {
        const size_t colon = line.find(": ");
        if (colon == std::string::npos) continue;
        answer.fields[absl::AsciiStrToLower(line.substr(0, colon))] = line.substr(colon + 2);
      }
    }
    // An endless one is asked for its head only.
    const auto type = answer.fields.find("content-type");
    const bool endless =
        type != answer.fields.end() && absl::StartsWith(type->second, "text/event-stream");
    absl::StatusOr<std::string> more =
        endless ? absl::UnavailableError("") : (*connection)->Read(kPatience);
    if (!more.ok()) {
      if (end != std::string::npos) answer.body = received.substr(end + 4);
      return answer;
    }
    received += *more;
  }
}

absl::StatusOr<std::unique_ptr<HttpWorld>> HttpWorld::Make() {
  std::unique_ptr<HttpWorld> world(new HttpWorld());
  BELLWIRE_RETURN_IF_ERROR(world->Start());
  BELLWIRE_RETURN_IF_ERROR(world->MakeTeams());
  BELLWIRE_RETURN_IF_ERROR(world->MakePhone());
  BELLWIRE_RETURN_IF_ERROR(world->MakeCallers());
  return world;
}

absl::Status HttpWorld::Start() {
  http_socket_ = dir_.path("http.sock");
  console_socket_ = dir_.path("console.sock");
  Fleet::Options options;
  options.more_connector_arguments = {"--public_url",     kPublicUrl,
                                      "--http_listen",    absl::StrCat("unix:", http_socket_),
                                      "--console_listen", absl::StrCat("unix:", console_socket_)};
  BELLWIRE_ASSIGN_OR_RETURN(fleet_, Fleet::Start(Deployment::kEmbedded, options));
  for (const auto& [name, role] : {std::pair("olga", "owner"), std::pair("reader", "read-only")}) {
    const std::string out = dir_.path(name);
    BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<Process> made,
                              Process::Start(absl::StrCat("make-", name), "cli/bellwire",
                                             {"admin", "create", name, "--role", role, "--out", out,
                                              "--data_dir", fleet_->data_dir()}));
    BELLWIRE_ASSIGN_OR_RETURN(const int code, made->Wait());
    if (code != 0) return absl::InternalError(made->Log());
    administrators_[name] = ReadFile(out);
  }
  return absl::OkStatus();
}

absl::Status HttpWorld::MakeTeams() {
  for (std::string* const team_id : {&team_id_, &other_team_id_}) {
    admin::v1::CreateTeamRequest request;
    request.set_name("Example");
    admin::v1::Team team;
    BELLWIRE_RETURN_IF_ERROR(CallAdmin(*fleet_, &AdminService::Stub::CreateTeam, request, &team));
    *team_id = team.team_id();
  }
  admin::v1::CreateAppRequest request;
  request.set_team_id(team_id_);
  request.set_app_id(kMail);
  admin::v1::App app;
  return CallAdmin(*fleet_, &AdminService::Stub::CreateApp, request, &app);
}

absl::StatusOr<std::string> HttpWorld::Subscribe(const std::string& instance,
                                                 const std::string& vapid_key) {
  device::v1::AgentFrame frame;
  frame.mutable_register_app()->set_request_id(7);
  device::v1::Subscription* wanted = frame.mutable_register_app()->mutable_subscription();
  wanted->set_instance(instance);
  wanted->set_owner("origin");
  wanted->set_vapid_key(vapid_key);
  // Else nothing could be asked about its messages.
  wanted->set_receipts(true);
  device_->Send(frame);
  while (true) {
    BELLWIRE_ASSIGN_OR_RETURN(const device::v1::ConnectorFrame answer, device_->Next());
    if (answer.has_app_registered()) return answer.app_registered().endpoint();
  }
}

absl::Status HttpWorld::MakePhone() {
  BELLWIRE_ASSIGN_OR_RETURN(device_key_, DeviceKey::Generate());
  BELLWIRE_ASSIGN_OR_RETURN(
      device_, RawDevice::Login(fleet_->device_address(), fleet_->ca_file(), *device_key_, 1));
  BELLWIRE_ASSIGN_OR_RETURN(token_, device_->RegisterApp(kMail));
  BELLWIRE_ASSIGN_OR_RETURN(open_endpoint_, Subscribe("open", ""));
  admin::v1::CreateAliasRequest request;
  request.set_team_id(team_id_);
  request.set_name("phone");
  request.set_token(token_);
  admin::v1::Alias alias;
  return CallAdmin(*fleet_, &AdminService::Stub::CreateAlias, request, &alias);
}

absl::Status HttpWorld::MakeCallers() {
  BELLWIRE_ASSIGN_OR_RETURN(const Key key, MakeKey(*fleet_, team_id_));
  BELLWIRE_ASSIGN_OR_RETURN(const Key revoked, MakeKey(*fleet_, team_id_));
  BELLWIRE_ASSIGN_OR_RETURN(const Key others, MakeKey(*fleet_, other_team_id_));
  BELLWIRE_ASSIGN_OR_RETURN(const Key send_only, MakeKey(*fleet_, team_id_, /*send_only=*/true));
  BELLWIRE_ASSIGN_OR_RETURN(const Key account, MakeKey(*fleet_, team_id_, false, /*fcm=*/true));
  BELLWIRE_ASSIGN_OR_RETURN(const Key revoked_account,
                            MakeKey(*fleet_, team_id_, false, /*fcm=*/true));
  BELLWIRE_ASSIGN_OR_RETURN(const Key others_account,
                            MakeKey(*fleet_, other_team_id_, false, /*fcm=*/true));
  BELLWIRE_RETURN_IF_ERROR(Revoke(*fleet_, revoked));
  BELLWIRE_RETURN_IF_ERROR(Revoke(*fleet_, revoked_account));
  BELLWIRE_ASSIGN_OR_RETURN(const EvpPkeyPtr subscriber, GenerateP256Key());
  BELLWIRE_ASSIGN_OR_RETURN(const EvpPkeyPtr stranger, GenerateP256Key());
  BELLWIRE_ASSIGN_OR_RETURN(
      bound_endpoint_,
      Subscribe("bound", PublicKeyDer(subscriber.get()).substr(kP256PublicKeyBytes - 65)));

  JwtPartsForTesting old = PartsOf(key, team_id_);
  old.issued_at -= absl::Hours(24);
  JwtPartsForTesting unsigned_parts = PartsOf(key, team_id_);
  unsigned_parts.algorithm = "none";
  JwtPartsForTesting elsewhere = PartsOf(key, team_id_);
  elsewhere.extra_claims_json = absl::StrCat(R"({"aud":")", kNotUs, R"("})");
  BELLWIRE_ASSIGN_OR_RETURN(const ProviderKeyPair others_rsa, GenerateServiceAccountKeyPair());

  callers_ = {
      {"no credential", "", ""},
      {"nonsense", Bearer("nonsense"), "nonsense"},
      {"expired", Bearer(SignJwtForTesting(old, key.private_pem)),
       Assertion(account, account.private_pem, absl::Hours(24))},
      {"revoked key", Bearer(SignJwtForTesting(PartsOf(revoked, team_id_), revoked.private_pem)),
       Assertion(revoked_account, revoked_account.private_pem)},
      {"another's signature", Bearer(SignJwtForTesting(PartsOf(key, team_id_), others.private_pem)),
       Assertion(account, others_rsa.private_key_pem)},
      {"unsigned", Bearer(SignJwtForTesting(unsigned_parts, "")), ""},
      {"for another server", Bearer(SignJwtForTesting(elsewhere, key.private_pem)),
       Assertion(account, account.private_pem, absl::ZeroDuration(), kNotUs)},
      {"admin.token", Bearer(ReadFile(fleet_->data_dir() + "/admin.token")), ""},
      {"expired VAPID", Vapid(subscriber.get(), kPublicUrl, -absl::Hours(1)), ""},
      {"VAPID for another server", Vapid(subscriber.get(), kNotUs, absl::Hours(1)), ""},
      {"another VAPID key", Vapid(stranger.get(), kPublicUrl, absl::Hours(1)), ""},
      {"the VAPID key", Vapid(subscriber.get(), kPublicUrl, absl::Hours(1)), ""},
      {"another team",
       Bearer(SignJwtForTesting(PartsOf(others, other_team_id_), others.private_pem)), ""},
      {"access token", Bearer(send_only.access_token), send_only.access_token},
      {"signing key", Bearer(SignJwtForTesting(PartsOf(key, team_id_), key.private_pem)),
       SignJwtForTesting(PartsOf(key, team_id_), key.private_pem)},
      {"service account", Bearer(Assertion(account, account.private_pem)),
       Assertion(account, account.private_pem)},
  };
  // What the token endpoint gives, as callers of their own.
  for (const auto& [name, assertion] :
       {std::pair("FCM token", Assertion(account, account.private_pem)),
        std::pair("another team's FCM token",
                  Assertion(others_account, others_account.private_pem))}) {
    const std::string token = JsonFieldOf(
        {.method = "POST",
         .path = "/oauth2/token",
         .body = absl::StrCat("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&"
                              "assertion=",
                              assertion)},
        "access_token");
    callers_.push_back({name, Bearer(token), token});
  }
  return absl::OkStatus();
}

const HttpWorld::Caller& HttpWorld::caller(absl::string_view name) const {
  for (const Caller& caller : callers_) {
    if (caller.name == name) return caller;
  }
  std::abort();
}

std::string HttpWorld::FieldOf(const HttpRequest& request, const std::string& field) const {
  const HttpAnswer answer = AskDoors(request);
  const auto it = answer.fields.find(field);
  return it == answer.fields.end()
             ? absl::StrCat("no ", field, " but ", answer.status, " ", answer.body)
             : it->second;
}

std::string HttpWorld::JsonFieldOf(const HttpRequest& request, const std::string& field) const {
  const HttpAnswer answer = AskDoors(request);
  const json body = json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_success() || !body.is_object() || !body.contains(field)) {
    return absl::StrCat("no ", field, " but ", answer.status, " ", answer.body);
  }
  return body[field].get<std::string>();
}

std::string HttpWorld::NewMessage() const {
  return JsonFieldOf(
      {.method = "POST",
       .path = "/v1/messages",
       .fields = {{"authorization", caller("signing key").authorization}},
       // One of them waits at a time.
       .body = json({{"token", token_}, {"payload", "aGk="}, {"collapseKey", "k"}}).dump()},
      "messageId");
}

std::string HttpWorld::NewTopicMessage() const {
  return JsonFieldOf({.method = "POST",
                      .path = "/v1/topics:publish",
                      .fields = {{"authorization", caller("signing key").authorization}},
                      .body = json({{"topic", "news"}, {"message", {{"payload", "aGk="}}}}).dump()},
                     "messageId");
}

std::string HttpWorld::NewChannel() const {
  return FieldOf({.method = "POST",
                  .path = absl::StrCat("/1/apps/", kMail, "/channels"),
                  .fields = {{"authorization", caller("signing key").authorization}},
                  .body = R"({"push-type":"LiveActivity","message-storage-policy":1})"},
                 "apns-channel-id");
}

std::string HttpWorld::NewPush(absl::string_view resource) const {
  std::string url = FieldOf({.method = "POST",
                             .path = open_endpoint_.substr(strlen(kPublicUrl)),
                             .fields = {{"ttl", "60"},
                                        {"topic", "one"},
                                        {"content-encoding", "aes128gcm"},
                                        {"prefer", "respond-async"}},
                             .body = Encrypted("hi")},
                            std::string(resource));
  if (absl::StartsWith(url, "<")) url = url.substr(1, url.find('>') - 1);
  return url.size() > strlen(kPublicUrl) ? url.substr(strlen(kPublicUrl)) : url;
}

}  // namespace bellwire::tests
