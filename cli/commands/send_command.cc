#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "cli/command.h"
#include "cli/message_flags.h"
#include "cli/proto_render.h"
#include "cli/server_connection.h"
#include "cli/story/story_view.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "crypto/encryption/encrypted_token.h"
#include "gateway/story/message_story.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

using bellwire::push::v1::PushService;
using bellwire::push::v1::SendResponse;

// As long as the credential of the call is good.
constexpr int kMaxWaitSeconds = 3600;
// How often the server is asked what became of the message.
constexpr absl::Duration kAskEvery = absl::Milliseconds(200);

struct Flags : ProviderFlags {
  MessageFlags message;
  int wait_seconds = 0;
  // Empty: not encrypted.
  std::string encrypt_to;
};

// For a person: what the outcome means.
std::string Describe(SendResponse::Outcome outcome) {
  switch (outcome) {
    case SendResponse::ACCEPTED:
      return "durable; it will reach the device or say why not";
    case SendResponse::DELIVERED:
      return "the device has it";
    case SendResponse::NOT_CONNECTED:
      return "the device was not there, and a message with ttl 0 does not wait";
    case SendResponse::VALID:
      return "it would have been accepted; nothing was sent";
    default:
      return "";
  }
}

// Shows each step as it happens, until the message has ended or the time is over, and how it stands
// then. The program exits with 0 only if the app has the message.
absl::Status Follow(const Flags& flags, const ServerConnection& server, const std::string& token,
                    const std::string& message_id, CommandContext* context) {
  context->exit_when_done = 1;
  push::v1::GetMessageRequest request;
  request.set_token(token);
  request.set_message_id(message_id);
  const absl::TimeZone zone = absl::LocalTimeZone();
  const MonotonicTime end = context->clock->Monotonic() + absl::Seconds(flags.wait_seconds);
  Terminal& out = *context->terminal;
  size_t shown = 0;
  while (true) {
    push::v1::GetMessageResponse message;
    BELLWIRE_RETURN_IF_ERROR(server.Call(&PushService::Stub::GetMessage, request, &message));
    const Story story = TellStory(message, context->clock->WallNow(), zone);
    for (; !out.json() && shown < story.steps.size(); ++shown) {
      out.Line(RenderStoryStep(story, shown, zone));
    }
    if (story.ended || context->clock->Monotonic() >= end) {
      if (out.json()) {
        out.Json(ToJson(story));
      } else {
        PrintStoryEnd(story, out);
      }
      if (story.arrived) context->exit_when_done = 0;
      return absl::OkStatus();
    }
    // Nobody reads any more.
    if (!out.status().ok()) return absl::OkStatus();
    absl::Notification never;
    never.WaitForNotificationWithTimeout(kAskEvery);
  }
}

// To whom, and the payload that nobody else reads.
absl::Status Encrypt(const std::string& encrypted_token, bellwire::push::v1::SendRequest* request) {
  BELLWIRE_ASSIGN_OR_RETURN(const EncryptedToken token, ParseEncryptedToken(encrypted_token));
  BELLWIRE_ASSIGN_OR_RETURN(*request->mutable_payload(), EncryptPayload(token, request->payload()));
  request->set_token(token.token);
  return absl::OkStatus();
}

absl::Status Send(const Flags& flags, CommandContext* context) {
  if (flags.message.send.token.empty() == flags.encrypt_to.empty()) {
    return WithHint(absl::InvalidArgumentError("say either --token or --encrypt_to"),
                    "an encrypted token, \"e1.…\", is what `bellwire listen --encrypted` prints");
  }
  const absl::Time now = context->clock->WallNow();
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsProvider(flags, now));
  BELLWIRE_ASSIGN_OR_RETURN(bellwire::push::v1::SendRequest request,
                            ReadMessage(flags.message, now));
  if (!flags.encrypt_to.empty()) BELLWIRE_RETURN_IF_ERROR(Encrypt(flags.encrypt_to, &request));

  const MonotonicTime start = context->clock->Monotonic();
  SendResponse response;
  // A message that must be delivered now or never is waited for.
  BELLWIRE_RETURN_IF_ERROR(server.Call(&PushService::Stub::Send, request, &response,
                                       kNowOrNeverWait + absl::Seconds(15)));
  const absl::Duration took = context->clock->Monotonic() - start;

  const auto follow = [&](const SendResponse& sent) {
    if (flags.wait_seconds == 0 || sent.outcome() == SendResponse::VALID) return absl::OkStatus();
    return Follow(flags, server, request.token(), sent.message_id(), context);
  };
  Terminal& out = *context->terminal;
  if (out.json()) {
    nlohmann::ordered_json json = ToJson(response);
    json["took_us"] = absl::ToInt64Microseconds(took);
    out.Json(json);
    return follow(response);
  }
  const std::string outcome = SendResponse::Outcome_Name(response.outcome());
  out.Line(absl::StrCat(
      response.outcome() == SendResponse::NOT_CONNECTED ? out.Bad(outcome) : out.Good(outcome),
      "  ", Describe(response.outcome()), "  ", out.Dim(RenderDuration(took))));
  if (response.outcome() == SendResponse::VALID) return absl::OkStatus();
  out.Line(absl::StrCat("message ", out.Bold(response.message_id()),
                        response.duplicate() ? " (a retry: it was accepted before)" : ""));
  return follow(response);
}

}  // namespace

void AddSendCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command = root->add_subcommand(
      "send", "Send a message to an app on a phone, as the app's backend would");
  auto flags = std::make_shared<Flags>();
  command->add_option("--token", flags->message.send.token, "Device token, as the app got it")
      ->type_name("TOKEN")
      ->envname("BELLWIRE_TOKEN");
  command
      ->add_option("--encrypt_to", flags->encrypt_to,
                   "Instead: encrypted token, as the app got it; only the app reads the payload")
      ->type_name("ENCRYPTED_TOKEN")
      ->envname("BELLWIRE_ENCRYPT_TO");
  AddMessageFlags(command, &flags->message);
  command
      ->add_option("--wait", flags->wait_seconds,
                   "Then show each step of the message until it has ended, for so many seconds at "
                   "most; exits with 0 only if the app has it [don't]")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, kMaxWaitSeconds).description(""));
  AddProviderFlags(command, flags.get());
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire send --token TOKEN --text \"You have mail\" --credentials cred.json --ca "
              "ca.pem --wait 60\n"
              "  bellwire send --encrypt_to e1.TOKEN.P256DH.AUTH --text \"You have mail\" "
              "--credentials cred.json --ca ca.pem\n"
              "  echo '{\"id\":7}' | bellwire send --token TOKEN --priority high --ttl 60s "
              "--credentials cred.json --ca ca.pem");
  command->callback([=] { context->run = [=] { return Send(*flags, context); }; });
}

}  // namespace bellwire::cli
