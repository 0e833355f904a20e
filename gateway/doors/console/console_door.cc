#include "gateway/doors/console/console_door.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "bellwire/admin/v1/support.pb.h"
#include "common/error.h"
#include "common/version.h"
#include "gateway/doors/console/inner_call.h"
#include "gateway/doors/console/receipts_source.h"
#include "gateway/doors/http/query.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/json/rest_error.h"
#include "google/protobuf/util/json_util.h"

namespace bellwire::gateway {
namespace {

constexpr absl::string_view kApi = "/api/";
constexpr absl::string_view kRpc = "rpc/";
constexpr absl::string_view kLive = "live/";
constexpr absl::string_view kOwnField = "x-bellwire-console";
// Of a request that the door reads itself.
constexpr JsonBounds kBounds = {.depth = 2, .values = 16};

// Nothing of the page comes from elsewhere, and nothing of it goes there.
constexpr char kContentSecurityPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

void AddSecurityHeaders(http::HeaderList* headers) {
  headers->push_back({"content-security-policy", kContentSecurityPolicy});
  headers->push_back({"x-content-type-options", "nosniff"});
  headers->push_back({"referrer-policy", "no-referrer"});
  headers->push_back({"cross-origin-opener-policy", "same-origin"});
  headers->push_back({"cross-origin-resource-policy", "same-origin"});
}

http::Reply JsonReply(std::string body) {
  http::Reply reply{
      .status = 200,
      .headers = {{"content-type", "application/json"}, {"cache-control", "no-store"}},
      .body = std::move(body)};
  AddSecurityHeaders(&reply.headers);
  return reply;
}

http::Reply Refusal(const absl::Status& why, int status) {
  http::Reply reply = ErrorReply(why, status);
  reply.headers.push_back({"cache-control", "no-store"});
  AddSecurityHeaders(&reply.headers);
  return reply;
}
http::Reply Refusal(const absl::Status& why) { return Refusal(why, HttpStatusOf(why)); }

absl::Status NoSession() {
  return MakeError(absl::StatusCode::kUnauthenticated, "NO_SESSION",
                   "Nobody is logged in here, or the login has ended. Log in.");
}

absl::Status NoSuchPath() {
  return MakeError(absl::StatusCode::kNotFound, "NO_SUCH_PATH",
                   "There is nothing at this path of the console.");
}

absl::Status CrossSite() {
  return MakeError(absl::StatusCode::kPermissionDenied, "CROSS_SITE",
                   "Only the console's own page may ask this.");
}

// Whether a browser says that a page of another origin asks. What is no browser says nothing.
bool IsFromElsewhere(const http::RequestHead& head) {
  const std::string* const site = http::FindHeader(head.headers, "sec-fetch-site");
  if (site != nullptr && *site != "same-origin") return true;
  const std::string* const origin = http::FindHeader(head.headers, "origin");
  if (origin == nullptr) return false;
  const size_t scheme = origin->find("://");
  return scheme == std::string::npos ||
         !absl::EqualsIgnoreCase(absl::string_view(*origin).substr(scheme + 3), head.authority);
}

bool IsJson(const http::RequestHead& head) {
  const std::string* const type = http::FindHeader(head.headers, "content-type");
  if (type == nullptr) return false;
  return absl::EqualsIgnoreCase(
      absl::StripAsciiWhitespace(absl::string_view(*type).substr(0, type->find(';'))),
      "application/json");
}

// The path below /api/; empty: it is none of these.
absl::string_view ApiPath(absl::string_view path) {
  path = http::PathOf(path);
  return absl::ConsumePrefix(&path, kApi) ? path : absl::string_view();
}

const console::Asset* FindAsset(absl::string_view path) {
  path = http::PathOf(path);
  if (path == "/") path = "/index.html";
  for (const console::Asset& asset : console::Assets()) {
    if (asset.path == path) return &asset;
  }
  return nullptr;
}

http::Reply AssetReply(const console::Asset& asset) {
  // The names of files below /assets hold a hash of what is in them.
  const bool never_changes = absl::StartsWith(asset.path, "/assets/");
  http::Reply reply{
      .status = 200,
      .headers = {{"content-type", std::string(asset.content_type)},
                  {"cache-control",
                   never_changes ? "public, max-age=31536000, immutable" : "no-cache"}},
      .body = std::string(asset.body)};
  AddSecurityHeaders(&reply.headers);
  return reply;
}

// The text of a field; empty if it isn't there, or is none.
std::string TextOf(const nlohmann::json& body, const char* name) {
  const auto it = body.find(name);
  return it != body.end() && it->is_string() ? it->get<std::string>() : "";
}

// Of the browser: the zones of the world lie within.
absl::TimeZone ZoneOf(const nlohmann::json& body) {
  constexpr int64_t kMostMinutes = 18 * 60;
  const auto it = body.find("utc_offset_minutes");
  if (it == body.end() || !it->is_number_integer()) return absl::UTCTimeZone();
  const int64_t minutes = it->get<int64_t>();
  if (minutes < -kMostMinutes || minutes > kMostMinutes) return absl::UTCTimeZone();
  return absl::FixedTimeZone(static_cast<int>(minutes) * 60);
}

// Reads protobuf's JSON mapping into `into`.
absl::Status ParseRequest(const std::string& body, google::protobuf::Message* into) {
  const auto parsed = google::protobuf::util::JsonStringToMessage(body, into);
  if (parsed.ok()) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kInvalidArgument, "MALFORMED_JSON",
      absl::StrCat("The request can't be read: ",
                   absl::string_view(parsed.message().data(), parsed.message().size())));
}

std::string RenderAnswer(const google::protobuf::Message& answer) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string json;
  // Fails for malformed Any and Timestamp only, of which the server makes none.
  (void)google::protobuf::util::MessageToJsonString(answer, &json, options);
  return json.empty() ? "{}" : json;
}

}  // namespace

ConsoleDoor::ConsoleDoor(const Environment& environment)
    : environment_(environment),
      sessions_(environment.clock),
      fleet_({.addresses = environment.fleet,
              .own = environment.metrics,
              .clock = environment.clock}),
      streams_(environment.clock) {}

ConsoleDoor::~ConsoleDoor() {
  streams_.Stop();
  receipt_calls_.AwaitNone();
  AwaitNoCalls();
}

std::string ConsoleDoor::cookie_name() const {
  // With this prefix a browser takes it from this host alone, and over TLS alone.
  return environment_.secure ? "__Host-bellwire" : "bellwire";
}

http::Header ConsoleDoor::Cookie(absl::string_view secret) const {
  std::string cookie =
      absl::StrCat(cookie_name(), "=", secret, "; Path=/; HttpOnly; SameSite=Strict; Max-Age=",
                   secret.empty() ? 0 : absl::ToInt64Seconds(kConsoleSessionTime));
  if (environment_.secure) cookie += "; Secure";
  return {"set-cookie", std::move(cookie)};
}

std::string ConsoleDoor::SecretOf(const http::RequestHead& head) const {
  const std::string prefix = cookie_name() + "=";
  for (const http::Header& header : head.headers) {
    if (header.name != "cookie") continue;
    for (absl::string_view cookie : absl::StrSplit(header.value, ';')) {
      cookie = absl::StripAsciiWhitespace(cookie);
      if (absl::ConsumePrefix(&cookie, prefix)) return std::string(cookie);
    }
  }
  return "";
}

size_t ConsoleDoor::MaxBodyBytes(const http::RequestHead& head) const {
  return ApiPath(head.path).empty() ? 0 : kMaxConsoleBodyBytes;
}

std::optional<http::Reply> ConsoleDoor::Refuse(const http::RequestHead& head) const {
  const bool is_api = !ApiPath(head.path).empty();
  const absl::string_view allowed = is_api ? "POST" : "GET, HEAD";
  const bool is_allowed =
      is_api ? head.method == "POST" : head.method == "GET" || head.method == "HEAD";
  if (!is_api && FindAsset(head.path) == nullptr) return Refusal(NoSuchPath());
  if (!is_allowed) {
    http::Reply reply = Refusal(MakeError(absl::StatusCode::kUnimplemented, "METHOD_NOT_ALLOWED",
                                          absl::StrCat("This path takes ", allowed, " only.")),
                                405);
    reply.headers.push_back({"allow", std::string(allowed)});
    return reply;
  }
  if (!is_api) return std::nullopt;
  if (IsFromElsewhere(head) || http::FindHeader(head.headers, kOwnField) == nullptr) {
    return Refusal(CrossSite());
  }
  if (!IsJson(head)) {
    return Refusal(MakeError(absl::StatusCode::kInvalidArgument, "NOT_JSON",
                             "The console takes content-type application/json only."),
                   415);
  }
  return std::nullopt;
}

void ConsoleDoor::Serve(http::Request request, http::Responder responder) {
  const std::string path(ApiPath(request.head.path));
  if (path.empty()) return responder.Send(AssetReply(*FindAsset(request.head.path)));
  const bool is_own = !absl::StartsWith(path, kRpc);
  nlohmann::json body;
  if (is_own) {
    absl::StatusOr<nlohmann::json> parsed = ParseJsonValue(request.body, kBounds);
    if (!parsed.ok()) return responder.Send(Refusal(parsed.status()));
    body = *std::move(parsed);
  }
  if (path == "login") return Login(request, body, std::move(responder));
  const std::string secret = SecretOf(request.head);
  const std::optional<ConsoleSession> session = sessions_.Find(secret);
  if (path == "logout") {
    sessions_.End(secret);
    http::Reply reply = JsonReply("{}");
    reply.headers.push_back(Cookie(""));
    return responder.Send(std::move(reply));
  }
  // A question that has an answer: the page asks it to know what to show first.
  if (!session.has_value() && path == "who") return responder.Send(JsonReply("{}"));
  if (!session.has_value()) return responder.Send(Refusal(NoSession()));
  if (path == "who") return Who(request, secret, *session, std::move(responder));
  if (absl::StartsWith(path, kRpc)) {
    return CallMethod(std::move(request), absl::string_view(path).substr(kRpc.size()), secret,
                      *session, std::move(responder));
  }
  if (absl::StartsWith(path, kLive)) {
    return Live(std::move(request), absl::string_view(path).substr(kLive.size()), body, secret,
                *session, std::move(responder));
  }
  responder.Send(Refusal(NoSuchPath()));
}

std::string ConsoleDoor::Describe(const Administrator& who) const {
  return DumpJson({{"name", who.name},
                   {"role", std::string(AdminRoleName(who.role))},
                   {"team_id", who.team_id},
                   {"may", environment_.gate->MethodsFor(who)},
                   {"version", kVersion}});
}

void ConsoleDoor::Login(const http::Request& request, const nlohmann::json& body,
                        http::Responder responder) {
  const std::string name = TextOf(body, "name");
  const std::string token = TextOf(body, "token");
  constexpr absl::string_view kWhat = "ConsoleLogin";
  absl::StatusOr<Administrator> who =
      environment_.gate->AdmitToken(token, request.peer, kWhat, AdminRole::kReadOnly);
  if (who.ok() && who->name != name) {
    who = MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                    "There is no administrator of this name with this token.");
    environment_.gate->Note(
        {.peer = request.peer, .what = std::string(kWhat), .outcome = "BAD_CREDENTIAL"});
  }
  if (!who.ok()) return responder.Send(Refusal(who.status()));
  environment_.gate->Note({.who = who->name,
                           .role = std::string(AdminRoleName(who->role)),
                           .peer = request.peer,
                           .what = std::string(kWhat),
                           .outcome = "OK"});
  // A login takes the place of the one before it.
  sessions_.End(SecretOf(request.head));
  http::Reply reply = JsonReply(Describe(*who));
  reply.headers.push_back(Cookie(sessions_.Begin({.name = who->name, .admin_token = token})));
  responder.Send(std::move(reply));
}

void ConsoleDoor::Who(const http::Request& request, const std::string& secret,
                      const ConsoleSession& session, http::Responder responder) {
  const absl::StatusOr<Administrator> who = environment_.gate->AdmitToken(
      session.admin_token, request.peer, "ConsoleWho", AdminRole::kReadOnly);
  if (!who.ok()) {
    if (absl::IsUnauthenticated(who.status())) sessions_.End(secret);
    return responder.Send(Refusal(who.status()));
  }
  responder.Send(JsonReply(Describe(*who)));
}

void ConsoleDoor::CallMethod(http::Request request, absl::string_view name, std::string secret,
                             const ConsoleSession& session, http::Responder responder) {
  const Method* const method =
      environment_.methods->Find(absl::StrCat("/bellwire.admin.v1.", name));
  // Streams go by Live.
  if (method == nullptr || method->streams_requests || name == "SupportService/WatchReceipts") {
    return responder.Send(Refusal(MakeError(
        absl::StatusCode::kUnimplemented, "NO_SUCH_METHOD",
        absl::StrCat("This server has no method ", name, ", or it is of another version."))));
  }
  auto fill = [body = std::move(request.body)](google::protobuf::Message* into) {
    return ParseRequest(body, into);
  };
  auto then = [this, secret = std::move(secret), responder = std::move(responder)](
                  const absl::Status& status, const google::protobuf::Message* answer) mutable {
    if (status.ok()) return responder.Send(JsonReply(RenderAnswer(*answer)));
    if (absl::IsUnauthenticated(status)) sessions_.End(secret);
    responder.Send(Refusal(status));
  };
  method->start(std::make_shared<InnerCall>(session.admin_token, std::move(request.peer),
                                            std::move(request.thread), std::move(fill),
                                            std::move(then)));
}

void ConsoleDoor::Live(http::Request request, absl::string_view what, const nlohmann::json& body,
                       std::string secret, const ConsoleSession& session,
                       http::Responder responder) {
  StillLoggedIn still_logged_in = [this, secret = std::move(secret),
                                   peer = request.peer]() -> absl::StatusOr<std::string> {
    const std::optional<ConsoleSession> found = sessions_.Find(secret);
    if (!found.has_value()) return NoSession();
    const absl::StatusOr<Administrator> who = environment_.gate->AdmitToken(
        found->admin_token, peer, "ConsoleLive", AdminRole::kReadOnly);
    if (!who.ok()) {
      sessions_.End(secret);
      return NoSession();
    }
    return found->admin_token;
  };
  if (what == "overview" || what == "fleet") {
    return LiveFigures(request, what, std::move(still_logged_in), session, std::move(responder));
  }
  if (what == "message") {
    MessageSource::Options options;
    options.request.set_team_id(TextOf(body, "team_id"));
    options.request.set_token(TextOf(body, "token"));
    options.request.set_message_id(TextOf(body, "message_id"));
    options.zone = ZoneOf(body);
    options.peer = request.peer;
    options.thread = request.thread;
    options.methods = environment_.methods;
    options.clock = environment_.clock;
    options.still_logged_in = std::move(still_logged_in);
    return streams_.Start(std::move(responder),
                          std::make_unique<MessageSource>(std::move(options)));
  }
  if (what == "receipts") {
    ReceiptsSource::Options options;
    options.team_id = TextOf(body, "team_id");
    options.cursor = TextOf(body, "cursor");
    options.peer = request.peer;
    options.thread = request.thread;
    options.methods = environment_.methods;
    options.clock = environment_.clock;
    options.still_logged_in = std::move(still_logged_in);
    options.counted = receipt_calls_.Take();
    return streams_.Start(std::move(responder),
                          std::make_unique<ReceiptsSource>(std::move(options)));
  }
  responder.Send(Refusal(NoSuchPath()));
}

void ConsoleDoor::LiveFigures(const http::Request& request, absl::string_view what,
                              StillLoggedIn login, const ConsoleSession& session,
                              http::Responder responder) {
  if (environment_.metrics == nullptr) return responder.Send(Refusal(NoSuchPath()));
  const absl::StatusOr<Administrator> who = environment_.gate->AdmitToken(
      session.admin_token, request.peer, "ConsoleLive", AdminRole::kReadOnly);
  const absl::Status allowed = who.ok() ? AdminGate::CheckTeam(*who, "") : who.status();
  if (!allowed.ok()) return responder.Send(Refusal(allowed));
  if (what == "fleet") {
    return streams_.Start(std::move(responder),
                          std::make_unique<FleetSource>(&fleet_, std::move(login)));
  }
  streams_.Start(std::move(responder),
                 std::make_unique<OverviewSource>(environment_.metrics, environment_.clock,
                                                  std::move(login)));
}

http::Reply ConsoleDoor::Error(const http::RequestHead&, int status,
                               const absl::Status& why) const {
  return Refusal(why, status);
}

}  // namespace bellwire::gateway
