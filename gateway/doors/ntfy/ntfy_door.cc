#include "gateway/doors/ntfy/ntfy_door.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "gateway/call/call_trace.h"
#include "gateway/doors/http/idempotency_key.h"
#include "gateway/doors/http/query.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/ntfy/ntfy_error.h"
#include "gateway/send/sender.h"

namespace bellwire::gateway {
namespace {

constexpr absl::string_view kPrefix = "/ntfy";
constexpr absl::string_view kHealth = "/ntfy/v1/health";

// JSON may escape each byte of a message of kMaxPayloadBytes in six.
constexpr size_t kMaxNtfyBodyBytes = 32 * 1024;

// What follows the prefix, with the query. At the root there is JSON publishing only.
absl::string_view PathBehindPrefix(absl::string_view path) {
  absl::ConsumePrefix(&path, kPrefix);
  return path;
}

absl::Status NoSuchTopic(absl::string_view topic) {
  return NtfyError(40401, absl::StrCat("topic not found: the team has no alias '", topic,
                                       "' (bellwire alias create TEAM ", topic, " TOKEN)"));
}

}  // namespace

// One publishing.
struct NtfyDoor::Call {
  explicit Call(http::Responder r) : responder(std::move(r)) {}

  http::Responder responder;
  NtfyPublish publish;
  std::string team_id;
  std::string id;
  // As SendRequest.traceparent.
  std::string traceparent;
  absl::Time now;
  // The publisher chose the id, and may repeat the request.
  bool repeatable = false;

  // Once.
  void Fail(const absl::Status& status) { responder.Send(NtfyErrorReply(status)); }
};

bool NtfyDoor::Matches(const http::RequestHead& head) const {
  const absl::string_view path = http::PathOf(head.path);
  if (path == "/") return head.method == "POST" || head.method == "PUT";
  return path == kPrefix || absl::StartsWith(path, absl::StrCat(kPrefix, "/"));
}

size_t NtfyDoor::MaxBodyBytes(const http::RequestHead&) const { return kMaxNtfyBodyBytes; }

std::optional<http::Reply> NtfyDoor::Refuse(const http::RequestHead& head) const {
  if (http::PathOf(head.path) == kHealth && (head.method == "GET" || head.method == "HEAD")) {
    return http::Reply{.status = 200,
                       .headers = {{"content-type", "application/json"}},
                       .body = "{\"healthy\":true}\n"};
  }
  // A credential is looked for when the body is there: curl shows no answer that comes before it.
  return std::nullopt;
}

void NtfyDoor::Serve(http::Request request, http::Responder responder) {
  auto call = std::make_shared<Call>(std::move(responder));
  const absl::StatusOr<std::string> credential = NtfyCredential(request.head);
  if (!credential.ok()) return call->Fail(credential.status());
  environment_.authenticator->Authenticate(
      *credential,
      [this, call, request = std::move(request)](absl::StatusOr<ProviderIdentity> identity) {
        if (!identity.ok()) return call->Fail(identity.status());
        call->team_id = std::move(identity->team_id);
        call->now = environment_.clock->WallNow();
        absl::StatusOr<NtfyPublish> publish =
            ReadNtfyPublish(request, PathBehindPrefix(request.head.path), call->now);
        if (!publish.ok()) return call->Fail(publish.status());
        call->publish = *std::move(publish);
        const std::optional<absl::string_view> key = http::IdempotencyKey(request.head.headers);
        call->repeatable = key.has_value();
        call->traceparent = CallTrace(request.head.headers);
        call->id = key.has_value() ? std::string(*key) : FormatUuid(NewMessageId());
        FindToken(call);
      });
}

void NtfyDoor::FindToken(std::shared_ptr<Call> call) {
  if (!IsValidAlias(call->publish.topic)) return call->Fail(NoSuchTopic(call->publish.topic));
  const std::string alias = absl::StrCat(call->team_id, "/", call->publish.topic);
  environment_.aliases->Get(
      alias, [this, call = std::move(call)](absl::StatusOr<std::shared_ptr<const KnownKey>> key) {
        // What is no key of any kind is no credential, says the cache.
        if (absl::IsUnauthenticated(key.status()) ||
            (key.ok() && (*key)->kind != admin::v1::Key::ALIAS)) {
          return call->Fail(NoSuchTopic(call->publish.topic));
        }
        if (!key.ok()) return call->Fail(key.status());
        Send(call, (*key)->device_token);
      });
}

void NtfyDoor::Send(std::shared_ptr<Call> call, const std::string& token) {
  const NtfyPublish& publish = call->publish;
  const absl::Time time = publish.deliver_at.value_or(call->now);
  const std::optional<absl::Time> expires =
      publish.cache ? std::make_optional(time + kMaxTtl) : std::nullopt;
  nlohmann::ordered_json json = ToNtfyJson(publish, call->id, time, expires);

  push::v1::SendRequest request;
  request.set_token(token);
  request.set_message_id(call->id);
  request.set_traceparent(call->traceparent);
  request.set_priority(ToPriority(publish.priority));
  if (!publish.cache) request.mutable_ttl();
  if (publish.deliver_at.has_value()) {
    request.mutable_deliver_at()->set_seconds(absl::ToUnixSeconds(*publish.deliver_at));
  }
  // A repetition has to be the same message, at whatever time it comes.
  request.set_payload(DumpJson(
      call->repeatable ? ToNtfyJson(publish, call->id, std::nullopt, std::nullopt) : json));
  internal::v1::Content content;
  content.set_door(internal::v1::Content::NTFY);
  environment_.engine->Send(
      Sender::Team(call->team_id), std::move(request), std::move(content),
      [call, json = std::move(json)](absl::StatusOr<push::v1::SendResponse> sent) {
        if (!sent.ok()) return call->Fail(sent.status());
        call->responder.Send({.status = 200,
                              .headers = {{"content-type", "application/json"}},
                              .body = DumpJson(json) + "\n"});
      });
}

http::Reply NtfyDoor::Error(const http::RequestHead&, int status, const absl::Status& why) const {
  return NtfyErrorReply(why, status);
}

}  // namespace bellwire::gateway
