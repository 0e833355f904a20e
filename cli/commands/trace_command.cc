#include <memory>
#include <string>

#include "absl/time/time.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "cli/command.h"
#include "cli/proto_render.h"
#include "cli/server_connection.h"
#include "cli/story/story_view.h"
#include "common/status_macros.h"
#include "gateway/story/message_story.h"

namespace bellwire::cli {
namespace {

using bellwire::push::v1::GetMessageResponse;
using bellwire::push::v1::PushService;

absl::Status Show(const MessageNameFlags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server,
                            ServerConnection::OpenAsProvider(flags, context->clock->WallNow()));
  bellwire::push::v1::GetMessageRequest request;
  request.set_token(flags.token);
  request.set_message_id(flags.message_id);
  GetMessageResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&PushService::Stub::GetMessage, request, &response));
  const absl::TimeZone zone = absl::LocalTimeZone();
  const Story story = TellStory(response, context->clock->WallNow(), zone);
  if (context->terminal->json()) {
    nlohmann::ordered_json json = ToJson(response);
    json["story"] = ToJson(story);
    context->terminal->Json(json);
  } else {
    PrintStory(response, story, zone, *context->terminal);
  }
  return absl::OkStatus();
}

}  // namespace

void AddTraceCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command =
      root->add_subcommand("trace", "Where a message is, what it waits for, and every step so far");
  auto flags = std::make_shared<MessageNameFlags>();
  AddMessageNameFlags(command, flags.get());
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire trace MESSAGE_ID --token TOKEN --credentials cred.json --ca ca.pem");
  command->callback([=] { context->run = [=] { return Show(*flags, context); }; });
}

}  // namespace bellwire::cli
