#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "cli/command.h"
#include "cli/proto_render.h"
#include "cli/server_connection.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

using bellwire::push::v1::PushService;
using bellwire::push::v1::Step_Name;
using bellwire::push::v1::WatchReceiptsRequest;
using bellwire::push::v1::WatchReceiptsResponse;

struct Flags : ProviderFlags {
  std::string cursor;
};

void Print(const WatchReceiptsResponse& response, Terminal& out) {
  if (out.json()) {
    out.Json(ToJson(response));
    return;
  }
  if (!response.has_receipt()) {
    out.Line(out.Dim(absl::StrCat("watching from ", response.cursor(), "; Ctrl-C ends")));
    return;
  }
  const std::string about = response.message_id().empty() ? absl::StrCat("token ", response.token())
                                                          : response.message_id();
  out.Line(absl::StrCat(out.Dim(absl::FormatTime("%H:%M:%E3S", TimeOf(response.receipt().time()),
                                                 absl::LocalTimeZone())),
                        "  ", out.Bold(Step_Name(response.receipt().step())), "  ", about, "  ",
                        out.Dim(absl::StrCat(response.app_id(), "  ", response.receipt().detail(),
                                             "  ", response.cursor()))));
}

absl::Status Follow(const Flags& flags, CommandContext* context) {
  WatchReceiptsRequest request;
  request.set_cursor(flags.cursor);
  Terminal& out = *context->terminal;
  while (true) {
    BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server,
                              ServerConnection::OpenAsProvider(flags, context->clock->WallNow()));
    bool begun = false;
    absl::Status status = server.Read(&PushService::Stub::WatchReceipts, request,
                                      [&](const WatchReceiptsResponse& response) {
                                        begun = true;
                                        Print(response, out);
                                        // What was not written is not behind the reader.
                                        if (out.status().ok()) {
                                          request.set_cursor(response.cursor());
                                        }
                                        return out.status().ok();
                                      });
    if (status.ok()) status = out.status();
    // The credential of a call lasts an hour; the next one is made from the same key.
    if (begun && ErrorReason(status) == "EXPIRED_CREDENTIAL") continue;
    if (!begun) return status;
    return WithHint(std::move(status),
                    absl::StrCat("go on where it ended: --cursor ", request.cursor()));
  }
}

}  // namespace

void AddReceiptsCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command = root->add_subcommand(
      "receipts", "Follow what becomes of all messages of a team, as it happens");
  auto flags = std::make_shared<Flags>();
  command
      ->add_option("--cursor", flags->cursor,
                   "Go on behind the receipt with this cursor; kept for 7 days [from now on]")
      ->type_name("CURSOR");
  AddProviderFlags(command, flags.get());
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire receipts --credentials cred.json --ca ca.pem\n"
              "  bellwire receipts --credentials cred.json --json --cursor CURSOR");
  command->callback([=] { context->run = [=] { return Follow(*flags, context); }; });
}

}  // namespace bellwire::cli
