#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/payload.h"
#include "device-agent/client/client.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

struct Flags {
  std::string app_id;
  std::string socket_path = agent::kDefaultSocketPath;
  std::string exec;
  // 0: until it is stopped.
  uint64_t count = 0;
};

// Client::Stop is safe in a signal handler; this is where the handler finds the client.
agent::Client* stopped_by_signal = nullptr;

// Runs `command` with the payload on its standard input; whether it succeeded.
bool RunCommand(const std::string& command, const std::string& app_id,
                const agent::Message& message) {
  setenv("BELLWIRE_APP", app_id.c_str(), 1);
  setenv("BELLWIRE_MESSAGE_ID", message.message_id.c_str(), 1);
  FILE* pipe = popen(command.c_str(), "w");
  if (pipe == nullptr) return false;
  // A command that doesn't read its input is no reason to die.
  const auto previous = signal(SIGPIPE, SIG_IGN);
  fwrite(message.payload.data(), 1, message.payload.size(), pipe);
  const int status = pclose(pipe);
  signal(SIGPIPE, previous);
  return status == 0;
}

// An app: what it prints is what it got.
class Listener {
 public:
  Listener(const Flags& flags, CommandContext* context)
      : flags_(flags), clock_(*context->clock), out_(*context->terminal) {}

  absl::Status Run();

 private:
  void OnToken(const std::string& token);
  bool OnMessage(const agent::Message& message);
  void OnGap(uint32_t dropped);
  void OnError(agent::v1::Error::Code code, const std::string& message);
  void OnConnection(bool connected);
  void PrintMessage(const agent::Message& message);

  const Flags& flags_;
  const Clock& clock_;
  Terminal& out_;
  std::unique_ptr<agent::Client> client_;
  uint64_t taken_ = 0;
  // Set by an error that no waiting mends.
  absl::Status failure_;
};

absl::Status Listener::Run() {
  agent::ClientCallbacks callbacks;
  callbacks.on_token = [this](const std::string& token) { OnToken(token); };
  callbacks.on_message = [this](const agent::Message& message) { return OnMessage(message); };
  callbacks.on_gap = [this](uint32_t dropped) { OnGap(dropped); };
  callbacks.on_error = [this](agent::v1::Error::Code code, const std::string& message) {
    OnError(code, message);
  };
  callbacks.on_connection = [this](bool connected) { OnConnection(connected); };
  agent::ClientOptions options;
  options.socket_path = flags_.socket_path;
  options.app_id = flags_.app_id;
  options.client_version = "bellwire-listen/1.0";
  auto client = agent::Client::Create(options, std::move(callbacks));
  if (!client.ok()) return client.status();
  client_ = *std::move(client);

  stopped_by_signal = client_.get();
  signal(SIGINT, [](int) { stopped_by_signal->Stop(); });
  signal(SIGTERM, [](int) { stopped_by_signal->Stop(); });
  client_->Register();
  const absl::Status status = client_->Run();
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  return failure_.ok() ? status : failure_;
}

void Listener::OnToken(const std::string& token) {
  if (out_.json()) {
    out_.Json({{"event", "token"}, {"app_id", flags_.app_id}, {"token", token}});
    return;
  }
  out_.Line(absl::StrCat("token  ", out_.Bold(token)));
  out_.Line(out_.Dim("a backend sends to it; waiting for messages, Ctrl-C ends"));
}

bool Listener::OnMessage(const agent::Message& message) {
  // What comes in one read with the last one that was asked for stays with the agent.
  if (flags_.count != 0 && taken_ == flags_.count) return false;
  PrintMessage(message);
  if (!flags_.exec.empty() && !RunCommand(flags_.exec, flags_.app_id, message)) {
    // Not acknowledged: it comes again on the next connection.
    failure_ = WithHint(absl::InternalError(absl::StrCat("the command failed: ", flags_.exec)),
                        "the message stays with the agent; listen again to get it again");
    client_->Stop();
    return false;
  }
  if (++taken_ == flags_.count) client_->Stop();
  return true;
}

void Listener::PrintMessage(const agent::Message& message) {
  const absl::Time now = clock_.WallNow();
  const absl::Duration latency = now - message.accepted_at;
  if (out_.json()) {
    nlohmann::ordered_json json = {{"event", "message"},
                                   {"message_id", message.message_id},
                                   {"accepted_at", RenderTimeForJson(message.accepted_at)},
                                   {"received_at", RenderTimeForJson(now)},
                                   {"received_at_us", absl::ToUnixMicros(now)},
                                   {"latency_ms", absl::ToInt64Milliseconds(latency)},
                                   {"redelivered", message.redelivered}};
    AddPayload(message.payload, &json);
    out_.Json(json);
    return;
  }
  out_.Line(absl::StrCat(
      out_.Dim(absl::FormatTime("%H:%M:%E3S", now, absl::LocalTimeZone())), "  ",
      out_.Bold(RenderPayload(message.payload)), "  ",
      // accepted_at has milliseconds, so that is all a latency can say.
      out_.Dim(absl::StrCat(absl::ToInt64Milliseconds(latency), " ms  ", message.message_id)),
      message.redelivered ? out_.Bad("  again") : ""));
}

void Listener::OnGap(uint32_t dropped) {
  if (out_.json()) {
    out_.Json({{"event", "gap"}, {"dropped", dropped}});
  } else {
    out_.Line(out_.Bad(absl::StrCat(dropped, " messages were dropped on the way: synchronise")));
  }
}

void Listener::OnError(agent::v1::Error::Code code, const std::string& message) {
  const std::string name = agent::v1::Error::Code_Name(code);
  if (code == agent::v1::Error::UNKNOWN_APP) {
    failure_ = WithHint(absl::NotFoundError(message),
                        absl::StrCat("create it on the server: `bellwire app create ",
                                     flags_.app_id, " --team TEAM`"));
    client_->Stop();
    return;
  }
  if (out_.json()) {
    out_.Json({{"event", "error"}, {"code", name}, {"message", message}});
  } else {
    out_.Line(absl::StrCat(out_.Bad(name), "  ", message));
  }
}

void Listener::OnConnection(bool connected) {
  if (out_.json()) {
    out_.Json({{"event", "connection"}, {"connected", connected}});
  } else {
    out_.Line(out_.Dim(connected ? "connected to the agent" : "the agent is away; trying again"));
  }
}

}  // namespace

void AddListenCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command = root->add_subcommand(
      "listen", "Be an app on this phone: print the token, then every message that arrives");
  auto flags = std::make_shared<Flags>();
  command->add_option("--app", flags->app_id, "App id, such as com.example.mail")
      ->type_name("APP_ID")
      ->required();
  command->add_option("--socket", flags->socket_path, "Socket of the agent")
      ->type_name("PATH")
      ->envname("BELLWIRE_AGENT_SOCKET")
      ->capture_default_str();
  command
      ->add_option("--exec", flags->exec,
                   "Run this for each message: payload on standard input, BELLWIRE_APP and "
                   "BELLWIRE_MESSAGE_ID in the environment; acknowledged if it succeeds")
      ->type_name("COMMAND");
  command->add_option("--count", flags->count, "Stop after so many messages")->type_name("N");
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire listen --app com.example.mail\n"
              "  bellwire listen --app com.example.mail --exec 'notify-send \"$(cat)\"'\n"
              "  bellwire listen --app com.example.mail --json --count 1");
  command->callback([=] { context->run = [=] { return Listener(*flags, context).Run(); }; });
}

}  // namespace bellwire::cli
