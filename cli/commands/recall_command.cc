#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "cli/command.h"
#include "cli/server_connection.h"
#include "common/status_macros.h"

namespace bellwire::cli {
namespace {

using bellwire::push::v1::PushService;
using bellwire::push::v1::RecallResponse;

// For a person: what the outcome means.
std::string Describe(RecallResponse::Outcome outcome) {
  switch (outcome) {
    case RecallResponse::RECALLED:
      return "it was still on the server and is gone";
    case RecallResponse::REQUESTED:
      return "it is on the device, or on its way: dropped there unless the app has it already; "
             "`bellwire trace` tells";
    case RecallResponse::TOO_LATE:
      return "it has ended already; `bellwire trace` says how";
    default:
      return "";
  }
}

absl::Status Recall(const MessageNameFlags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server,
                            ServerConnection::OpenAsProvider(flags, context->clock->WallNow()));
  bellwire::push::v1::RecallRequest request;
  request.set_token(flags.token);
  request.set_message_id(flags.message_id);
  RecallResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&PushService::Stub::Recall, request, &response));
  Terminal& out = *context->terminal;
  const std::string outcome = RecallResponse::Outcome_Name(response.outcome());
  if (out.json()) {
    out.Json({{"message_id", flags.message_id}, {"outcome", outcome}});
    return absl::OkStatus();
  }
  const bool too_late = response.outcome() == RecallResponse::TOO_LATE;
  out.Line(absl::StrCat(too_late ? out.Bad(outcome) : out.Good(outcome), "  ",
                        Describe(response.outcome())));
  return absl::OkStatus();
}

}  // namespace

void AddRecallCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command =
      root->add_subcommand("recall", "Take a message back while the app has not got it");
  auto flags = std::make_shared<MessageNameFlags>();
  AddMessageNameFlags(command, flags.get());
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire recall MESSAGE_ID --token TOKEN --credentials cred.json --ca ca.pem");
  command->callback([=] { context->run = [=] { return Recall(*flags, context); }; });
}

}  // namespace bellwire::cli
