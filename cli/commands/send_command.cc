#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "cli/command.h"
#include "cli/message_flags.h"
#include "cli/proto_render.h"
#include "cli/server_connection.h"
#include "common/limits.h"
#include "common/status_macros.h"

namespace bellwire::cli {
namespace {

using bellwire::push::v1::PushService;
using bellwire::push::v1::SendResponse;

struct Flags : ProviderFlags {
  MessageFlags message;
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

absl::Status Send(const Flags& flags, CommandContext* context) {
  const absl::Time now = context->clock->WallNow();
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsProvider(flags, now));
  BELLWIRE_ASSIGN_OR_RETURN(bellwire::push::v1::SendRequest request,
                            ReadMessage(flags.message, now));

  const MonotonicTime start = context->clock->Monotonic();
  SendResponse response;
  // A message that must be delivered now or never is waited for.
  BELLWIRE_RETURN_IF_ERROR(server.Call(&PushService::Stub::Send, request, &response,
                                       kNowOrNeverWait + absl::Seconds(15)));
  const absl::Duration took = context->clock->Monotonic() - start;

  Terminal& out = *context->terminal;
  if (out.json()) {
    nlohmann::ordered_json json = ToJson(response);
    json["took_us"] = absl::ToInt64Microseconds(took);
    out.Json(json);
    return absl::OkStatus();
  }
  const std::string outcome = SendResponse::Outcome_Name(response.outcome());
  out.Line(absl::StrCat(
      response.outcome() == SendResponse::NOT_CONNECTED ? out.Bad(outcome) : out.Good(outcome),
      "  ", Describe(response.outcome()), "  ", out.Dim(RenderDuration(took))));
  if (response.outcome() == SendResponse::VALID) return absl::OkStatus();
  out.Line(absl::StrCat("message ", out.Bold(response.message_id()),
                        response.duplicate() ? " (a retry: it was accepted before)" : ""));
  return absl::OkStatus();
}

}  // namespace

void AddSendCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command = root->add_subcommand(
      "send", "Send a message to an app on a phone, as the app's backend would");
  auto flags = std::make_shared<Flags>();
  command->add_option("--token", flags->message.send.token, "Device token, as the app got it")
      ->type_name("TOKEN")
      ->required();
  AddMessageFlags(command, &flags->message);
  AddProviderFlags(command, flags.get());
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire send --token TOKEN --text \"You have mail\" --credentials cred.json --ca "
              "ca.pem\n"
              "  echo '{\"id\":7}' | bellwire send --token TOKEN --priority high --ttl 60s "
              "--credentials cred.json --ca ca.pem");
  command->callback([=] { context->run = [=] { return Send(*flags, context); }; });
}

}  // namespace bellwire::cli
