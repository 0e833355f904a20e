#include <fcntl.h>
#include <unistd.h>

#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "cli/command.h"
#include "cli/proto_render.h"
#include "cli/send_request.h"
#include "cli/server_connection.h"
#include "common/limits.h"
#include "common/status_macros.h"

namespace bellwire::cli {
namespace {

using bellwire::push::v1::PushService;
using bellwire::push::v1::SendResponse;

struct Flags : ProviderFlags {
  SendFlags send;
  std::string priority = "normal";
};

const std::map<std::string, bellwire::push::v1::Priority>& Priorities() {
  static const auto& priorities = *new std::map<std::string, bellwire::push::v1::Priority>{
      {"high", bellwire::push::v1::PRIORITY_HIGH},
      {"normal", bellwire::push::v1::PRIORITY_NORMAL},
      {"low", bellwire::push::v1::PRIORITY_LOW}};
  return priorities;
}

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

// -1: it is closed. Then a library may have taken its number before main; what that opened ends at
// exec, which nothing does that was handed to this program.
int StandardInput() {
  const int flags = fcntl(STDIN_FILENO, F_GETFD);
  return flags < 0 || (flags & FD_CLOEXEC) != 0 ? -1 : STDIN_FILENO;
}

absl::Status Send(const Flags& flags, CommandContext* context) {
  const absl::Time now = context->clock->WallNow();
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsProvider(flags, now));
  if (!flags.send.has_text && flags.send.payload_file.empty() && isatty(STDIN_FILENO) == 1) {
    std::cerr << "type the payload; Ctrl-D at the start of a line ends it (or give --text)\n";
  }
  BELLWIRE_ASSIGN_OR_RETURN(bellwire::push::v1::SendRequest request,
                            MakeSendRequest(flags.send, now, StandardInput()));

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
  SendFlags& send = flags->send;
  command->add_option("--token", send.token, "Device token, as the app got it")
      ->type_name("TOKEN")
      ->required();
  CLI::Option* text = command->add_option("--text", send.text, "The payload as text");
  command
      ->add_option("--payload_file", send.payload_file,
                   "File with the payload, at most 4,096 bytes [standard input]")
      ->type_name("FILE")
      ->excludes(text);
  command
      ->add_option("--ttl", send.ttl,
                   "How long it may wait for the device: 90s, 15m, 28d; 0: now or never [28d]")
      ->type_name("DURATION");
  command->add_option("--priority", flags->priority, "How urgent it is")
      ->check(CLI::IsMember(&Priorities()))
      ->capture_default_str();
  command
      ->add_option("--collapse_key", send.collapse_key,
                   "Replaces a message of this key that the device has not got yet")
      ->type_name("KEY");
  command
      ->add_option("--message_id", send.message_id,
                   "UUID: the same again within 24 h is the same message")
      ->type_name("UUID");
  command
      ->add_option("--deliver_at", send.deliver_at,
                   "Not before: 2026-12-24T18:00:00Z, or +10m from now (not with --message_id)")
      ->type_name("TIME");
  command->add_flag("--validate_only", send.validate_only, "Check everything, send nothing");
  AddProviderFlags(command, flags.get());
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire send --token TOKEN --text \"You have mail\" --credentials cred.json --ca "
              "ca.pem\n"
              "  echo '{\"id\":7}' | bellwire send --token TOKEN --priority high --ttl 60s "
              "--credentials cred.json --ca ca.pem");
  command->callback([=] {
    flags->send.has_text = text->count() > 0;
    flags->send.priority = Priorities().at(flags->priority);
    context->run = [=] { return Send(*flags, context); };
  });
}

}  // namespace bellwire::cli
