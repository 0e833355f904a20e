#include "gateway/doors/fcm/fcm_door.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "bellwire/push/v1/topics.pb.h"
#include "common/error.h"
#include "gateway/call/call_trace.h"
#include "gateway/doors/fcm/fcm_error.h"
#include "gateway/doors/fcm/fcm_message.h"
#include "gateway/doors/fcm/fcm_path.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/send/sender.h"
#include "gateway/send/validator.h"

namespace bellwire::gateway::fcm {
namespace {

// What FCM answers to validate_only.
constexpr absl::string_view kNoMessage = "fake_message_id";

internal::v1::Content FcmContent() {
  internal::v1::Content content;
  content.set_door(internal::v1::Content::FCM);
  return content;
}

// FCM's restricted_package_name: the token must be of this app.
absl::Status CheckApp(const FcmMessage& message, const TokenSealer& sealer) {
  if (message.app_id.empty()) return absl::OkStatus();
  const absl::StatusOr<TokenContents> token = OpenToken(message.send.token(), sealer);
  if (!token.ok()) return token.status();
  if (token->app_tag == AppTag(message.app_id)) return absl::OkStatus();
  return WithField(MakeError(absl::StatusCode::kInvalidArgument, "WRONG_APP",
                             "The registration token is of another app than "
                             "restricted_package_name."),
                   "message.android.restrictedPackageName");
}

}  // namespace

// One message.
struct FcmDoor::Call {
  Call(http::Request r, http::Responder answer)
      : request(std::move(r)), responder(std::move(answer)) {}

  const http::Request request;
  http::Responder responder;
  std::string project;
  std::string team_id;

  // Once.
  void Fail(const absl::Status& error) { responder.Send(FcmErrorReply(error)); }
  void Succeed(absl::string_view message_id) {
    const std::string name = absl::StrCat("projects/", project, "/messages/",
                                          message_id.empty() ? kNoMessage : message_id);
    responder.Send(JsonReply(200, DumpJson({{"name", name}}) + "\n"));
  }
};

bool FcmDoor::Matches(const http::RequestHead& head) const {
  return absl::StartsWith(head.path, "/v1/projects/") || absl::StartsWith(head.path, "/iid/");
}

size_t FcmDoor::MaxBodyBytes(const http::RequestHead&) const { return kMaxFcmBodyBytes; }

std::optional<http::Reply> FcmDoor::Refuse(const http::RequestHead& head) const {
  const std::optional<FcmPath> path = ParseFcmPath(head.path);
  if (!path.has_value() || path->resource != FcmPath::Resource::kMessages) {
    return FcmErrorReply(MakeError(absl::StatusCode::kUnimplemented, "NO_SUCH_PATH",
                                   "There is no such method. To send: POST "
                                   "/v1/projects/PROJECT/messages:send."));
  }
  if (head.method == "POST") return std::nullopt;
  http::Reply reply = FcmErrorReply(
      MakeError(absl::StatusCode::kUnimplemented, "METHOD_NOT_ALLOWED", "This path takes POST."));
  reply.headers.push_back({"allow", "POST"});
  return reply;
}

void FcmDoor::Serve(http::Request request, http::Responder responder) {
  auto call = std::make_unique<Call>(std::move(request), std::move(responder));
  // Refuse has seen that there is one.
  call->project = ParseFcmPath(call->request.head.path)->project;
  const http::HeaderList& headers = call->request.head.headers;
  const std::string project = call->project;
  environment_.credentials->Authenticate(
      headers, project,
      [this, call = std::move(call)](absl::StatusOr<ProviderIdentity> identity) mutable {
        if (!identity.ok()) return call->Fail(identity.status());
        call->team_id = std::move(identity->team_id);
        Send(std::move(call));
      });
}

void FcmDoor::Send(std::unique_ptr<Call> call) {
  absl::StatusOr<FcmMessage> message =
      ReadFcmMessage(call->request.body, environment_.clock->WallNow());
  if (!message.ok()) return call->Fail(message.status());
  // No library of FCM sends it; who does may repeat the request.
  if (const std::string* id = http::FindHeader(call->request.head.headers, "idempotency-key")) {
    message->send.set_message_id(*id);
  }
  TakeCallTrace(call->request.head.headers, &message->send);
  const std::string team_id = call->team_id;
  if (message->topic.empty() && message->condition.empty()) {
    if (absl::Status app = CheckApp(*message, *environment_.sealer); !app.ok()) {
      return call->Fail(app);
    }
    environment_.engine->Send(
        Sender::Team(team_id), std::move(message->send), FcmContent(),
        [call = std::move(call)](absl::StatusOr<push::v1::SendResponse> sent) {
          if (!sent.ok()) return call->Fail(sent.status());
          // Also with NOT_CONNECTED: FCM doesn't tell who is connected.
          call->Succeed(sent->outcome() == push::v1::SendResponse::VALID ? "" : sent->message_id());
        });
    return;
  }
  push::v1::PublishRequest publish;
  if (message->condition.empty()) {
    publish.set_topic(std::move(message->topic));
  } else {
    publish.set_condition(std::move(message->condition));
  }
  const bool validate_only = message->send.validate_only();
  *publish.mutable_message() = std::move(message->send);
  environment_.topics->Publish(
      team_id, std::move(publish), {.content = FcmContent(), .app_id = std::move(message->app_id)},
      [call = std::move(call), validate_only](absl::StatusOr<push::v1::PublishResponse> published) {
        if (!published.ok()) return call->Fail(published.status());
        call->Succeed(validate_only ? "" : published->message_id());
      });
}

http::Reply FcmDoor::Error(const http::RequestHead&, int, const absl::Status& why) const {
  return FcmErrorReply(why);
}

}  // namespace bellwire::gateway::fcm
