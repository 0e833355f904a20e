#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "device-agent/client/client.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

struct Flags {
  std::string socket_path = agent::kDefaultSocketPath;
  std::string activity;
  std::string network_kind;
  std::string network_name;
  std::string interface;
  bool forget = false;
  std::string token;
};

std::string Name(agent::v1::Activity activity) {
  return activity == agent::v1::IDLE ? "idle" : "active";
}

nlohmann::ordered_json ToJson(const agent::v1::Status& status) {
  nlohmann::ordered_json json = {
      {"agent_version", status.agent_version()},
      {"connection", agent::v1::Status::Connection_Name(status.connection())},
      {"activity", Name(status.activity())},
      {"server_address", status.server_address()},
      {"heartbeat_interval_ms", status.heartbeat_interval_ms()},
      {"inbox_messages", status.inbox_messages()},
      {"heartbeats_sent", status.heartbeats_sent()},
      {"bytes_sent", status.bytes_sent()},
      {"bytes_received", status.bytes_received()}};
  if (!status.device_id().empty()) json["device_id"] = status.device_id();
  if (status.connected_since_ms() != 0) {
    json["connected_since"] = RenderTimeForJson(absl::FromUnixMillis(status.connected_since_ms()));
  }
  if (!status.last_error().empty()) json["last_error"] = status.last_error();
  json["apps"] = nlohmann::ordered_json::array();
  for (const auto& app : status.apps()) {
    json["apps"].push_back({{"app_id", app.app_id()},
                            {"uid", app.uid()},
                            {"sandbox", app.sandbox()},
                            {"connected", app.connected()},
                            {"waiting_messages", app.waiting_messages()},
                            {"starts", app.starts()}});
  }
  json["subscriptions"] = nlohmann::ordered_json::array();
  for (const auto& subscription : status.subscriptions()) {
    json["subscriptions"].push_back({{"uid", subscription.uid()},
                                     {"owner", subscription.owner()},
                                     {"instance", subscription.instance()},
                                     {"connected", subscription.connected()},
                                     {"registered", subscription.registered()},
                                     {"waiting_messages", subscription.waiting_messages()}});
  }
  if (status.left_out() != 0) json["left_out"] = status.left_out();
  if (status.has_network()) {
    const auto& network = status.network();
    json["network"] = {{"kind", network.kind()},
                       {"interface", network.interface()},
                       {"named", network.named()},
                       {"gateway", network.gateway()},
                       {"learned_interval_ms", network.learned_interval_ms()},
                       {"hint_interval_ms", network.hint_interval_ms()}};
  }
  if (status.has_last_day()) {
    const auto& day = status.last_day();
    json["last_day"] = {{"time_ms", day.time_ms()},
                        {"heartbeats", day.heartbeats()},
                        {"bytes_sent", day.bytes_sent()},
                        {"bytes_received", day.bytes_received()}};
  }
  return json;
}

// "wifi wlan0, named, at 00:1a:2b:3c:4d:5e; silence of 27m45s survives here".
std::string RenderNetwork(const agent::v1::Status::Network& network) {
  std::string text = absl::StrCat(network.kind(), " ", network.interface());
  if (network.named()) absl::StrAppend(&text, ", named,");
  if (!network.gateway().empty()) absl::StrAppend(&text, " at ", network.gateway());
  const auto render = [](uint32_t ms) { return RenderDuration(absl::Milliseconds(ms)); };
  if (network.learned_interval_ms() != 0) {
    absl::StrAppend(&text, "; silence of ", render(network.learned_interval_ms()),
                    " survives here");
  } else {
    absl::StrAppend(&text, "; still being learned");
  }
  if (network.hint_interval_ms() != 0) {
    absl::StrAppend(&text, ", others: ", render(network.hint_interval_ms()));
  }
  return text;
}

// A rate a day, from at least an hour of it.
std::string RenderDay(const agent::v1::Status::Traffic& day) {
  const absl::Duration time = absl::Milliseconds(day.time_ms());
  if (time < absl::Hours(1)) return "known after an hour";
  const double days = absl::FDivDuration(time, absl::Hours(24));
  const auto rate = [days](uint64_t n) { return static_cast<uint64_t>(n / days + 0.5); };
  return absl::StrCat(rate(day.heartbeats()), " heartbeats, ", rate(day.bytes_sent()),
                      " bytes sent, ", rate(day.bytes_received()), " received (over ",
                      RenderDuration(time), ")");
}

void PrintApps(const agent::v1::Status& status, Terminal& out) {
  out.Line();
  std::vector<std::vector<std::string>> rows;
  for (const auto& app : status.apps()) {
    rows.push_back({app.app_id(),
                    absl::StrCat(app.uid(), app.sandbox().empty() ? "" : " ", app.sandbox()),
                    absl::StrCat(app.waiting_messages()),
                    app.connected() ? out.Good("running")
                    : app.starts() == 0
                        ? out.Dim("away")
                        : out.Bad(absl::StrCat("started ", app.starts(), " times, took nothing"))});
  }
  out.Table({"APP", "OF", "WAITING", "STATE"}, rows);
}

void PrintSubscriptions(const agent::v1::Status& status, Terminal& out) {
  out.Line();
  std::vector<std::vector<std::string>> rows;
  for (const auto& subscription : status.subscriptions()) {
    rows.push_back({subscription.owner(), subscription.instance(), absl::StrCat(subscription.uid()),
                    absl::StrCat(subscription.waiting_messages()),
                    !subscription.registered() ? out.Bad("no endpoint")
                    : subscription.connected() ? out.Good("running")
                                               : out.Dim("away")});
  }
  out.Table({"SUBSCRIPTION OF", "INSTANCE", "UID", "WAITING", "STATE"}, rows);
}

void Print(const agent::v1::Status& status, absl::Time now, Terminal& out) {
  const bool connected = status.connection() == agent::v1::Status::CONNECTED;
  const std::string state =
      absl::AsciiStrToLower(agent::v1::Status::Connection_Name(status.connection()));
  std::vector<std::pair<std::string, std::string>> fields = {
      {"connection", connected ? out.Good(state) : out.Bad(state)},
      {"server", status.server_address()}};
  if (connected && status.connected_since_ms() != 0) {
    fields.emplace_back("since",
                        RenderDuration(now - absl::FromUnixMillis(status.connected_since_ms())));
  }
  if (!connected && !status.last_error().empty()) {
    fields.emplace_back("because", status.last_error());
  }
  fields.emplace_back("activity", Name(status.activity()));
  if (!status.device_id().empty()) fields.emplace_back("device", status.device_id());
  fields.insert(
      fields.end(),
      {{"heartbeat",
        // The first connection says how often.
        status.heartbeat_interval_ms() == 0
            ? "none yet"
            : absl::StrCat("every ",
                           RenderDuration(absl::Milliseconds(status.heartbeat_interval_ms())), ", ",
                           status.heartbeats_sent(), " sent")},
       {"traffic",
        absl::StrCat(status.bytes_sent(), " bytes sent, ", status.bytes_received(), " received")},
       {"a day", RenderDay(status.last_day())},
       {"inbox", absl::StrCat(status.inbox_messages(), " messages wait for their apps")},
       {"version", status.agent_version()}});
  if (status.has_network()) fields.emplace_back("network", RenderNetwork(status.network()));
  out.Fields(fields);
  if (!status.apps().empty()) PrintApps(status, out);
  if (!status.subscriptions().empty()) PrintSubscriptions(status, out);
  if (status.left_out() != 0) {
    out.Line();
    out.Line(absl::StrCat("  … and ", status.left_out(), " more"));
  }
}

absl::Status ShowStatus(const Flags& flags, CommandContext* context) {
  absl::StatusOr<agent::v1::Status> status =
      agent::FetchAgentStatus(flags.socket_path, absl::Seconds(5));
  if (!status.ok()) {
    return WithHint(status.status(),
                    "is bellwire-agent running? Name its socket with --socket PATH");
  }
  if (context->terminal->json()) {
    context->terminal->Json(ToJson(*status));
  } else {
    Print(*status, context->clock->WallNow(), *context->terminal);
  }
  return absl::OkStatus();
}

// Why the agent did not do what it was told.
absl::Status Explain(const absl::Status& status) {
  if (absl::IsPermissionDenied(status)) {
    return WithHint(status, "run it as root, or as the user that bellwire-agent runs as");
  }
  // It said itself what is wrong.
  if (absl::IsInternal(status)) return status;
  return WithHint(status, "is bellwire-agent running? Name its socket with --socket PATH");
}

absl::Status SetActivity(const Flags& flags, CommandContext* context) {
  const auto activity = flags.activity == "idle" ? agent::v1::IDLE : agent::v1::ACTIVE;
  const absl::Status status =
      agent::SetAgentActivity(flags.socket_path, activity, absl::Seconds(5));
  if (!status.ok()) return Explain(status);
  if (context->terminal->json()) {
    context->terminal->Json({{"activity", flags.activity}});
  } else {
    context->terminal->Line(absl::StrCat("The agent counts the phone as ", flags.activity, "."));
  }
  return absl::OkStatus();
}

absl::Status SetNetwork(const Flags& flags, CommandContext* context) {
  if (flags.forget != (flags.network_kind.empty() && flags.network_name.empty()) ||
      flags.network_kind.empty() != flags.network_name.empty()) {
    return absl::InvalidArgumentError("say either --kind and --name, or --forget");
  }
  agent::v1::SetNetwork request;
  if (flags.network_kind == "ethernet") request.set_kind(agent::v1::SetNetwork::ETHERNET);
  if (flags.network_kind == "wifi") request.set_kind(agent::v1::SetNetwork::WIFI);
  if (flags.network_kind == "cellular") request.set_kind(agent::v1::SetNetwork::CELLULAR);
  request.set_name(flags.network_name);
  request.set_interface(flags.interface);
  const absl::Status status = agent::SetAgentNetwork(flags.socket_path, request, absl::Seconds(5));
  if (!status.ok()) return Explain(status);
  if (context->terminal->json()) {
    context->terminal->Json({{"named", !flags.forget}});
  } else {
    context->terminal->Line(flags.forget ? "The agent has forgotten the network's name."
                                         : "The agent knows which network it is.");
  }
  return absl::OkStatus();
}

absl::Status Enroll(const Flags& flags, CommandContext* context) {
  std::string token = flags.token;
  if (token == "-") {
    // A certificate has many lines.
    token.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
    if (token.empty()) return absl::InvalidArgumentError("standard input has no token");
  }
  const absl::StatusOr<bool> not_needed =
      agent::EnrollAgent(flags.socket_path, token, absl::Seconds(5));
  if (!not_needed.ok()) return Explain(not_needed.status());
  if (context->terminal->json()) {
    context->terminal->Json({{"taken", !*not_needed}});
  } else {
    context->terminal->Line(
        *not_needed ? "The phone is connected: its server has let it in, and the token is not "
                      "needed."
                    : "The agent shows the token to the server now; `bellwire agent status` says "
                      "what comes of it.");
  }
  return absl::OkStatus();
}

void AddSocketFlag(CLI::App* command, const std::shared_ptr<Flags>& flags) {
  command->add_option("--socket", flags->socket_path, "Socket of the agent")
      ->type_name("PATH")
      ->envname("BELLWIRE_AGENT_SOCKET")
      ->capture_default_str();
}

}  // namespace

void AddAgentCommand(CLI::App* root, CommandContext* context) {
  CLI::App* agent = root->add_subcommand("agent", "The agent of this phone")->require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  CLI::App* status = agent->add_subcommand("status", "Is it connected, and who waits for what");
  AddSocketFlag(status, flags);
  AddJsonFlag(status, context);
  SetExamples(status, "  bellwire agent status");
  status->callback([=] { context->run = [=] { return ShowStatus(*flags, context); }; });

  CLI::App* activity = agent->add_subcommand("activity",
                                             "Say whether a person uses the phone: while it is "
                                             "idle, messages of NORMAL and LOW priority wait");
  activity->add_option("ACTIVITY", flags->activity, "active or idle")
      ->required()
      ->check(CLI::IsMember({"active", "idle"}));
  AddSocketFlag(activity, flags);
  AddJsonFlag(activity, context);
  SetExamples(activity, "  bellwire agent activity idle");
  CLI::App* enroll = agent->add_subcommand(
      "enroll",
      "Give the phone a token of `bellwire device enroll`, or a certificate for its "
      "device.key: a server that takes enrolled devices only lets it in then");
  enroll
      ->add_option("TOKEN", flags->token,
                   "The token; - reads it, or a certificate in PEM, from standard input")
      ->type_name("")
      ->required();
  AddSocketFlag(enroll, flags);
  AddJsonFlag(enroll, context);
  SetExamples(enroll,
              "  bellwire agent enroll - < token\n"
              "  bellwire agent enroll - < device.pem");
  enroll->callback([=] { context->run = [=] { return Enroll(*flags, context); }; });

  CLI::App* network = agent->add_subcommand("network",
                                            "Say which network an interface leads to: what is "
                                            "learned of it is kept apart from others', and "
                                            "shared (docs/operate/agent.md)");
  network->add_option("--kind", flags->network_kind, "wifi, cellular or ethernet")
      ->check(CLI::IsMember({"wifi", "cellular", "ethernet"}));
  network
      ->add_option(
          "--name", flags->network_name,
          "The SSID, or the carrier and its APN, such as 26201/internet; only a digest is kept")
      ->type_name("NAME");
  network
      ->add_option("--interface", flags->interface,
                   "Default: the one that the default route leads over now")
      ->type_name("NAME");
  network->add_flag("--forget", flags->forget,
                    "Nothing is known of the interface's network any more");
  AddSocketFlag(network, flags);
  AddJsonFlag(network, context);
  SetExamples(network,
              "  bellwire agent network --kind cellular --name 26201/internet --interface wwan0\n"
              "  bellwire agent network --forget --interface wlan0");
  network->callback([=] { context->run = [=] { return SetNetwork(*flags, context); }; });

  activity->callback([=] { context->run = [=] { return SetActivity(*flags, context); }; });
}

}  // namespace bellwire::cli
