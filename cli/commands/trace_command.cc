#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "cli/command.h"
#include "cli/proto_render.h"
#include "cli/server_connection.h"
#include "common/status_macros.h"

namespace bellwire::cli {
namespace {

using bellwire::push::v1::GetMessageResponse;
using bellwire::push::v1::PushService;
using bellwire::push::v1::Receipt;
using bellwire::push::v1::Step_Name;

// Receipts have milliseconds, so a step takes no fraction of one.
std::string RenderStep(absl::Duration took) {
  if (took >= absl::Seconds(1)) return absl::StrCat("+", RenderDuration(took));
  return absl::StrCat("+", absl::ToInt64Milliseconds(took), " ms");
}

const char* RenderWaitsFor(const GetMessageResponse& message, absl::Time now) {
  if (message.state() == bellwire::push::v1::AGENT_ACKED &&
      message.waits_for() != GetMessageResponse::APP && message.has_expires_at() &&
      TimeOf(message.expires_at()) <= now) {
    // The app gets it no more. Whether it did is on the device, which turns no radio on to say so.
    return "on the device, its time is over; the device says how it ended when it is in touch";
  }
  switch (message.waits_for()) {
    case GetMessageResponse::DELIVER_AT:
      return "waits for its deliver_at";
    case GetMessageResponse::CONNECTION:
      return "waits for the device to connect";
    case GetMessageResponse::PRIORITY:
      return "waits, for its priority, until the device is in use or its radio is up";
    case GetMessageResponse::DEVICE:
      return "on its way to the device";
    case GetMessageResponse::APP:
      return "on the device, waits for the app";
    default:
      return "not ended yet";
  }
}

void PrintTimeline(const GetMessageResponse& message, absl::Time now, Terminal& out) {
  const std::string state = Step_Name(message.state());
  const bool arrived = message.state() == bellwire::push::v1::APP_ACKED;
  out.Line(absl::StrCat(out.Bold(message.message_id()), "  to ", message.app_id(), "  ",
                        message.terminal() && !arrived ? out.Bad(state) : out.Good(state)));
  std::vector<std::vector<std::string>> rows;
  absl::Time previous;
  for (const Receipt& receipt : message.receipts()) {
    const absl::Time time = TimeOf(receipt.time());
    rows.push_back({Step_Name(receipt.step()),
                    absl::FormatTime("%H:%M:%E3S", time, absl::LocalTimeZone()),
                    rows.empty() ? "" : RenderStep(time - previous), receipt.detail()});
    previous = time;
  }
  out.Table({"STEP", "TIME", "AFTER", ""}, rows);
  if (message.terminal()) return;
  out.Line(absl::StrCat(RenderWaitsFor(message, now), "; the device is ",
                        message.device_connected() ? "connected" : "not connected",
                        message.has_expires_at()
                            ? absl::StrCat("; expires ", RenderTime(TimeOf(message.expires_at())))
                            : ""));
}

absl::Status Show(const MessageNameFlags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server,
                            ServerConnection::OpenAsProvider(flags, context->clock->WallNow()));
  bellwire::push::v1::GetMessageRequest request;
  request.set_token(flags.token);
  request.set_message_id(flags.message_id);
  GetMessageResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&PushService::Stub::GetMessage, request, &response));
  if (context->terminal->json()) {
    context->terminal->Json(ToJson(response));
  } else {
    PrintTimeline(response, context->clock->WallNow(), *context->terminal);
  }
  return absl::OkStatus();
}

}  // namespace

void AddTraceCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command =
      root->add_subcommand("trace", "Where a message is, since when, and every step so far");
  auto flags = std::make_shared<MessageNameFlags>();
  AddMessageNameFlags(command, flags.get());
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire trace MESSAGE_ID --token TOKEN --credentials cred.json --ca ca.pem");
  command->callback([=] { context->run = [=] { return Show(*flags, context); }; });
}

}  // namespace bellwire::cli
