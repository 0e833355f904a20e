#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/devices.grpc.pb.h"
#include "cli/command.h"
#include "cli/proto_render.h"
#include "cli/qr_text.h"
#include "cli/server_connection.h"
#include "common/status_macros.h"

namespace bellwire::cli {
namespace {

using admin::v1::DeviceService;

// The end of a device takes a step for each thousand of its records.
constexpr absl::Duration kEndTimeout = absl::Minutes(10);

struct Flags : AdminFlags {
  // enroll
  std::string name;
  uint32_t count = 1;
  std::string ttl = "1d";
  bool qr = true;
  // enrolments
  std::string delete_id;
  // list
  std::string after;
  uint32_t max = 100;
  bool all = false;
  // show, revoke, delete
  std::string device_id;
  std::string token;
  bool dry_run = false;
};

// "1d", "12h", "30m" and what else absl::ParseDuration takes.
absl::StatusOr<absl::Duration> ParseTtl(absl::string_view text) {
  absl::string_view days = text;
  int64_t count = 0;
  absl::Duration ttl;
  if (absl::ConsumeSuffix(&days, "d") && absl::SimpleAtoi(days, &count)) {
    ttl = count * absl::Hours(24);
  } else if (!absl::ParseDuration(text, &ttl)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--ttl takes a time such as 1d, 12h or 30m, and not \"", text, "\""));
  }
  if (ttl <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("--ttl must be more than nothing");
  }
  return ttl;
}

std::string Uses(const admin::v1::Enrolment& enrolment) {
  return enrolment.devices() == 0 ? absl::StrCat(enrolment.used())
                                  : absl::StrCat(enrolment.used(), " of ", enrolment.devices());
}

nlohmann::ordered_json ToJson(const admin::v1::Enrolment& enrolment) {
  return {{"enrolment_id", enrolment.enrolment_id()},
          {"name", enrolment.name()},
          {"devices", enrolment.devices()},
          {"used", enrolment.used()},
          {"create_time", RenderTimeForJson(TimeOf(enrolment.create_time()))},
          {"expire_time", RenderTimeForJson(TimeOf(enrolment.expire_time()))}};
}

nlohmann::ordered_json ToJson(const admin::v1::Device& device) {
  nlohmann::ordered_json json = {{"device_id", device.device_id()},
                                 {"connected", device.connected()},
                                 {"connector", device.connector()},
                                 {"registrations", device.registrations()},
                                 {"subscriptions", device.subscriptions()},
                                 {"mailbox_messages", device.mailbox_messages()},
                                 {"enrolment_id", device.enrolment_id()},
                                 {"login_number", device.login_number()},
                                 {"deleting", device.deleting()}};
  if (device.has_create_time()) {
    json["create_time"] = RenderTimeForJson(TimeOf(device.create_time()));
  }
  if (device.has_revoke_time()) {
    json["revoke_time"] = RenderTimeForJson(TimeOf(device.revoke_time()));
  }
  return json;
}

std::string State(const admin::v1::Device& device, const Terminal& out) {
  if (device.deleting()) return out.Bad("being deleted");
  if (device.has_revoke_time()) return out.Bad("revoked");
  return device.connected() ? out.Good("connected") : out.Dim("away");
}

absl::Status Enroll(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(const absl::Duration ttl, ParseTtl(flags.ttl));
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::CreateEnrolmentRequest request;
  request.set_name(flags.name);
  request.set_devices(flags.count);
  request.mutable_ttl()->set_seconds(absl::ToInt64Seconds(ttl));
  request.mutable_ttl()->set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(ttl - absl::Seconds(absl::ToInt64Seconds(ttl)))));
  admin::v1::CreateEnrolmentResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&DeviceService::Stub::CreateEnrolment, request, &response));
  Terminal& out = *context->terminal;
  if (out.json()) {
    nlohmann::ordered_json json = ToJson(response.enrolment());
    json["token"] = response.token();
    out.Json(json);
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(
      out.Good("made"), "  enrolment ", out.Bold(response.enrolment().enrolment_id()), ": lets in ",
      flags.count == 0 ? "all that come"
                       : absl::StrCat(flags.count, flags.count == 1 ? " device" : " devices"),
      " until ", RenderTime(TimeOf(response.enrolment().expire_time()))));
  out.Line();
  out.Line(response.token());
  if (flags.qr) {
    BELLWIRE_ASSIGN_OR_RETURN(const std::vector<std::string> qr, QrText(response.token()));
    out.Line();
    for (const std::string& line : qr) out.Line(line);
  }
  out.Line();
  out.Line(absl::StrCat("next, on the phone: ", out.Bold("bellwire agent enroll TOKEN"),
                        ", or --enrolment_token of bellwire-agent. It is shown this once."));
  return absl::OkStatus();
}

absl::Status Enrolments(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  Terminal& out = *context->terminal;
  if (!flags.delete_id.empty()) {
    admin::v1::DeleteEnrolmentRequest request;
    request.set_enrolment_id(flags.delete_id);
    admin::v1::Enrolment deleted;
    BELLWIRE_RETURN_IF_ERROR(server.Call(&DeviceService::Stub::DeleteEnrolment, request, &deleted));
    if (out.json()) {
      out.Json(ToJson(deleted));
    } else {
      out.Line(absl::StrCat(out.Good("deleted"), "  enrolment ", out.Bold(deleted.enrolment_id()),
                            ": its token lets nobody in any more; the devices that came in by "
                            "it stay (",
                            Uses(deleted), ")"));
    }
    return absl::OkStatus();
  }
  admin::v1::ListEnrolmentsResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&DeviceService::Stub::ListEnrolments,
                                       admin::v1::ListEnrolmentsRequest(), &response));
  std::vector<std::vector<std::string>> rows;
  for (const admin::v1::Enrolment& enrolment : response.enrolments()) {
    if (out.json()) out.Json(ToJson(enrolment));
    rows.push_back({enrolment.enrolment_id(), Uses(enrolment),
                    RenderTime(TimeOf(enrolment.expire_time())), enrolment.name()});
  }
  if (out.json()) return absl::OkStatus();
  if (rows.empty()) {
    out.Line("no enrolments; make one with `bellwire device enroll`");
  } else {
    out.Table({"ENROLMENT", "LET IN", "UNTIL", "NAME"}, rows);
  }
  return absl::OkStatus();
}

absl::Status List(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  Terminal& out = *context->terminal;
  admin::v1::ListDevicesRequest request;
  request.set_after(flags.after);
  request.set_max(flags.max);
  while (true) {
    admin::v1::ListDevicesResponse page;
    BELLWIRE_RETURN_IF_ERROR(server.Call(&DeviceService::Stub::ListDevices, request, &page));
    std::vector<std::vector<std::string>> rows;
    for (const admin::v1::Device& device : page.devices()) {
      if (out.json()) out.Json(ToJson(device));
      rows.push_back({device.device_id(),
                      device.has_create_time() ? RenderTime(TimeOf(device.create_time())) : "",
                      absl::StrCat(device.registrations()), absl::StrCat(device.mailbox_messages()),
                      State(device, out)});
    }
    if (!out.json() && (!rows.empty() || request.after() == flags.after)) {
      if (rows.empty()) out.Line("no devices");
      if (!rows.empty()) out.Table({"DEVICE", "SINCE", "APPS", "WAITING", "STATE"}, rows);
    }
    if (!page.more() || page.devices_size() == 0) {
      if (!out.json() && !rows.empty()) {
        out.Line(absl::StrCat(
            page.total(), " devices in all",
            page.max_devices() == 0 ? "" : absl::StrCat(", of at most ", page.max_devices())));
      }
      return absl::OkStatus();
    }
    request.set_after(page.devices(page.devices_size() - 1).device_id());
    if (flags.all) continue;
    if (!out.json()) {
      out.Line(absl::StrCat("… ", page.total(), " in all; go on with ",
                            out.Bold(absl::StrCat("--after ", request.after())),
                            ", or take --all"));
    }
    return absl::OkStatus();
  }
}

absl::Status Show(const Flags& flags, CommandContext* context) {
  if (flags.device_id.empty() == flags.token.empty()) {
    return absl::InvalidArgumentError("name the device, or one of its tokens with --token");
  }
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::GetDeviceRequest request;
  request.set_device_id(flags.device_id);
  request.set_token(flags.token);
  admin::v1::GetDeviceResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&DeviceService::Stub::GetDevice, request, &response));
  const admin::v1::Device& device = response.device();
  Terminal& out = *context->terminal;
  if (out.json()) {
    nlohmann::ordered_json json = ToJson(device);
    json["apps"] = nlohmann::ordered_json::array();
    for (const auto& registration : response.registrations()) {
      nlohmann::ordered_json entry = {
          {"app_id", registration.app_id()},
          {"team_id", registration.team_id()},
          {"create_time", RenderTimeForJson(TimeOf(registration.create_time()))},
          {"waiting_messages", registration.waiting_messages()},
          {"topics", registration.topics()}};
      if (registration.has_remove_time()) {
        entry["remove_time"] = RenderTimeForJson(TimeOf(registration.remove_time()));
      }
      json["apps"].push_back(std::move(entry));
    }
    out.Json(json);
    return absl::OkStatus();
  }
  std::vector<std::pair<std::string, std::string>> fields = {{"device", device.device_id()},
                                                             {"state", State(device, out)}};
  if (device.has_create_time()) {
    fields.emplace_back("since", RenderTime(TimeOf(device.create_time())));
  }
  if (device.has_revoke_time()) {
    fields.emplace_back("revoked", RenderTime(TimeOf(device.revoke_time())));
  }
  if (!device.connector().empty()) fields.emplace_back("connector", device.connector());
  if (!device.enrolment_id().empty()) fields.emplace_back("enrolment", device.enrolment_id());
  fields.emplace_back("mailbox", absl::StrCat(device.mailbox_messages(), " messages"));
  fields.emplace_back("logins", absl::StrCat("the latest has number ", device.login_number()));
  out.Fields(fields);
  std::vector<std::vector<std::string>> rows;
  for (const auto& registration : response.registrations()) {
    rows.push_back(
        {registration.app_id().empty() ? out.Dim("a subscription") : registration.app_id(),
         registration.team_id(), RenderTime(TimeOf(registration.create_time())),
         absl::StrCat(registration.waiting_messages()),
         registration.has_remove_time()
             ? out.Dim(absl::StrCat("token dead since ",
                                    RenderTime(TimeOf(registration.remove_time()))))
             : out.Good("registered")});
  }
  if (!rows.empty()) {
    out.Line();
    out.Table({"APP", "TEAM", "SINCE", "WAITING", "STATE"}, rows);
  }
  return absl::OkStatus();
}

absl::Status End(const Flags& flags, bool forget, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::EndDeviceRequest request;
  request.set_device_id(flags.device_id);
  request.set_dry_run(flags.dry_run);
  admin::v1::EndDeviceResponse response;
  BELLWIRE_RETURN_IF_ERROR(
      server.Call(forget ? &DeviceService::Stub::DeleteDevice : &DeviceService::Stub::RevokeDevice,
                  request, &response, kEndTimeout));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"device", ToJson(response.device())},
              {"dry_run", flags.dry_run},
              {"registrations", response.registrations()},
              {"messages", response.messages()},
              {"lives", response.lives()}});
    return absl::OkStatus();
  }
  const std::string what = absl::StrCat(
      response.registrations(), " apps and subscriptions, ", response.messages(),
      " messages that wait", forget ? absl::StrCat(", ", response.lives(), " histories") : "");
  if (flags.dry_run) {
    out.Line(absl::StrCat(forget ? "would delete" : "would revoke", "  device ",
                          out.Bold(flags.device_id), ": ", what, ". Nothing was done."));
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good(forget ? "deleted" : "revoked"), "  device ",
                        out.Bold(flags.device_id), ": ", what,
                        " ended; its session ends within 5 s, its tokens are dead"));
  if (forget) {
    out.Line("The same phone may come in again as a new device; revoke one that must not.");
  }
  return absl::OkStatus();
}

void AddDeviceId(CLI::App* command, const std::shared_ptr<Flags>& flags, bool required) {
  command
      ->add_option("DEVICE", flags->device_id,
                   "Id of the device, 32 characters of hex, as `device list` shows it")
      ->type_name("")
      ->required(required);
}

}  // namespace

void AddDeviceCommand(CLI::App* root, CommandContext* context) {
  CLI::App* device =
      root->add_subcommand("device", "Who may be a device, and the devices that there are")
          ->require_subcommand(1);
  auto flags = std::make_shared<Flags>();

  CLI::App* enroll = device->add_subcommand(
      "enroll", "Make a token that lets new devices in (`--devices enrolled` of the server)");
  enroll
      ->add_option("--count", flags->count,
                   "Devices that it lets in; 0: as many as come before it expires")
      ->type_name("N")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  enroll->add_option("--ttl", flags->ttl, "For how long it is good, such as 1d, 12h or 30m")
      ->type_name("TIME")
      ->capture_default_str();
  enroll->add_option("--name", flags->name, "For people: what it is for")->type_name("TEXT");
  enroll->add_flag("--qr,!--no_qr", flags->qr, "The token as a QR code as well");
  AddAdminFlags(enroll, flags.get());
  AddJsonFlag(enroll, context);
  SetExamples(enroll,
              "  bellwire device enroll --data_dir ./data\n"
              "  bellwire device enroll --count 100 --ttl 7d --name \"new phones\"");
  enroll->callback([=] { context->run = [=] { return Enroll(*flags, context); }; });

  CLI::App* enrolments =
      device->add_subcommand("enrolments", "Show the tokens that let devices in");
  enrolments->add_option("--delete", flags->delete_id, "Let nobody in by this one any more instead")
      ->type_name("ENROLMENT");
  AddAdminFlags(enrolments, flags.get());
  AddJsonFlag(enrolments, context);
  SetExamples(enrolments, "  bellwire device enrolments --data_dir ./data");
  enrolments->callback([=] { context->run = [=] { return Enrolments(*flags, context); }; });

  CLI::App* list = device->add_subcommand("list", "Show the devices, a page at a time");
  list->add_option("--after", flags->after, "Devices after this one")->type_name("DEVICE");
  list->add_option("--max", flags->max, "Devices of a page")
      ->type_name("N")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  list->add_flag("--all", flags->all, "Every page");
  AddAdminFlags(list, flags.get());
  AddJsonFlag(list, context);
  SetExamples(list,
              "  bellwire device list --data_dir ./data\n  bellwire device list --all --json");
  list->callback([=] { context->run = [=] { return List(*flags, context); }; });

  CLI::App* show = device->add_subcommand("show", "Show a device and what is registered on it");
  AddDeviceId(show, flags, /*required=*/false);
  show->add_option("--token", flags->token, "Instead: a device token of any of its apps")
      ->type_name("TOKEN");
  AddAdminFlags(show, flags.get());
  AddJsonFlag(show, context);
  SetExamples(show,
              "  bellwire device show DEVICE --data_dir ./data\n"
              "  bellwire device show --token TOKEN");
  show->callback([=] { context->run = [=] { return Show(*flags, context); }; });

  for (const bool forget : {false, true}) {
    CLI::App* end =
        forget ? device->add_subcommand("delete",
                                        "Turn a device away and forget all about it: messages, "
                                        "apps, and that it was revoked")
               : device->add_subcommand("revoke",
                                        "Turn a device away for good: its session ends, its "
                                        "tokens are dead");
    AddDeviceId(end, flags, /*required=*/true);
    end->add_flag("--dry_run", flags->dry_run, "Only say what would end");
    AddAdminFlags(end, flags.get());
    AddJsonFlag(end, context);
    SetExamples(end, absl::StrCat("  bellwire device ", forget ? "delete" : "revoke",
                                  " DEVICE --dry_run --data_dir ./data"));
    end->callback([=] { context->run = [=] { return End(*flags, forget, context); }; });
  }
}

}  // namespace bellwire::cli
