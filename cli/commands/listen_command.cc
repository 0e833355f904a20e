#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/command.h"
#include "cli/commands/shell_command.h"
#include "cli/message_view.h"
#include "cli/payload.h"
#include "common/ids.h"
#include "common/printable.h"
#include "device-agent/client/client.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

struct Flags {
  std::string app_id;
  std::string socket_path = agent::kDefaultSocketPath;
  std::string exec;
  bool raw = false;
  bool encrypted = false;
  // Empty: DefaultKeyFile.
  std::string key_file;
  std::vector<std::string> topics;
  // 0: until it is stopped.
  int64_t count = 0;
};

// Who waits this long for a token is told what it waits for …
constexpr absl::Duration kPatience = absl::Seconds(1);
// … and again so often, if it is something else by then.
constexpr absl::Duration kDiagnosisInterval = absl::Seconds(5);

// Client::Stop is safe in a signal handler; this is where the handler finds the client, and the
// eventfd that ends a command.
agent::Client* stopped_by_signal = nullptr;
int stop_fd = -1;

void OnStopSignal(int) {
  stopped_by_signal->Stop();
  const uint64_t one = 1;
  (void)!write(stop_fd, &one, sizeof(one));
}

// Where an app of this name that is this program keeps its keys.
//   FAILED_PRECONDITION: nobody says where the user's files are · UNAVAILABLE: the directory can't
//   be made
absl::StatusOr<std::string> DefaultKeyFile(const std::string& app_id) {
  const char* const state = getenv("XDG_STATE_HOME");
  const char* const home = getenv("HOME");
  if (state == nullptr && home == nullptr) {
    return WithHint(absl::FailedPreconditionError("neither HOME nor XDG_STATE_HOME is set"),
                    "name a file for the keys with --key_file");
  }
  const std::filesystem::path directory =
      (state != nullptr ? std::filesystem::path(state)
                        : std::filesystem::path(home) / ".local" / "state") /
      "bellwire";
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("can't make ", directory.string(), ": ", error.message()));
  }
  return (directory / absl::StrCat(app_id, ".keys")).string();
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
  void OnUndecryptable(const std::string& message_id);
  void OnGap(uint32_t dropped);
  void OnError(agent::v1::Error::Code code, const std::string& message);
  void OnConnection(bool connected);
  void OnTopicChanged(const std::string& topic, bool subscribed,
                      agent::v1::TopicChanged::Outcome outcome);
  // Those that are not known to be so.
  void SubscribeToTopics();
  void PrintMessage(const agent::Message& message);
  absl::Status RunCommand(const agent::Message& message) const;
  // Dispatches until the client is at its end, and says meanwhile what there is no message for.
  absl::Status Serve();
  // Says what stands between this app and its messages, if it was not said yet.
  void Diagnose();
  // Whether everything that was said was written. If not, it stops: what nobody was told is not
  // acknowledged.
  bool Said();

  const Flags& flags_;
  const Clock& clock_;
  Terminal& out_;
  std::unique_ptr<agent::Client> client_;
  int64_t taken_ = 0;
  bool has_token_ = false;
  // Of flags_.topics: not subscribed to yet. One is asked for at a time.
  std::vector<std::string> wanted_topics_ = flags_.topics;
  bool topic_asked_ = false;
  MonotonicTime topic_retry_at_;
  // The agent has a token for us, and a connection to its server.
  bool settled_ = false;
  std::string last_diagnosis_;
  // Set by an error that no waiting mends.
  absl::Status failure_;
};

absl::Status Listener::Run() {
  agent::ClientCallbacks callbacks;
  callbacks.on_token = [this](const std::string& token) { OnToken(token); };
  callbacks.on_message = [this](const agent::Message& message) { return OnMessage(message); };
  callbacks.on_undecryptable = [this](const std::string& message_id) {
    OnUndecryptable(message_id);
  };
  callbacks.on_gap = [this](uint32_t dropped) { OnGap(dropped); };
  callbacks.on_error = [this](agent::v1::Error::Code code, const std::string& message) {
    OnError(code, message);
  };
  callbacks.on_connection = [this](bool connected) { OnConnection(connected); };
  callbacks.on_topic_changed = [this](const std::string& topic, bool subscribed,
                                      agent::v1::TopicChanged::Outcome outcome) {
    OnTopicChanged(topic, subscribed, outcome);
  };
  agent::ClientOptions options;
  options.socket_path = flags_.socket_path;
  options.app_id = flags_.app_id;
  options.client_version = "bellwire-listen/1.0";
  if (flags_.encrypted && flags_.key_file.empty() && IsValidAppId(flags_.app_id)) {
    auto key_file = DefaultKeyFile(flags_.app_id);
    if (!key_file.ok()) return key_file.status();
    options.key_file = *std::move(key_file);
  } else if (flags_.encrypted) {
    options.key_file = flags_.key_file;
  }
  auto client = agent::Client::Create(options, std::move(callbacks));
  if (!client.ok()) return client.status();
  client_ = *std::move(client);

  stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_fd < 0) return absl::ResourceExhaustedError("no descriptor left");
  stopped_by_signal = client_.get();
  signal(SIGINT, OnStopSignal);
  signal(SIGTERM, OnStopSignal);
  client_->Register();
  const absl::Status status = Serve();
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  close(stop_fd);
  return failure_.ok() ? status : failure_;
}

absl::Status Listener::Serve() {
  MonotonicTime diagnosis = clock_.Monotonic() + kPatience;
  while (true) {
    SubscribeToTopics();
    absl::Duration left = settled_ ? absl::InfiniteDuration()
                                   : std::max(diagnosis - clock_.Monotonic(), absl::ZeroDuration());
    if (!wanted_topics_.empty() && !topic_asked_) left = std::min(left, kPatience);
    if (absl::Status s = client_->Dispatch(left); !s.ok()) {
      return absl::IsCancelled(s) ? absl::OkStatus() : s;
    }
    if (settled_ || clock_.Monotonic() < diagnosis) continue;
    Diagnose();
    diagnosis = clock_.Monotonic() + kDiagnosisInterval;
  }
}

void Listener::SubscribeToTopics() {
  if (wanted_topics_.empty() || topic_asked_ || !has_token_ ||
      clock_.Monotonic() < topic_retry_at_) {
    return;
  }
  topic_asked_ = client_->ChangeTopic(wanted_topics_.front(), true).ok();
  topic_retry_at_ = clock_.Monotonic() + kPatience;
}

void Listener::OnTopicChanged(const std::string& topic, bool,
                              agent::v1::TopicChanged::Outcome outcome) {
  using agent::v1::TopicChanged;
  topic_asked_ = false;
  if (outcome == TopicChanged::UNAVAILABLE || outcome == TopicChanged::NOT_CONNECTED) return;
  if (outcome != TopicChanged::OK) {
    failure_ = absl::FailedPreconditionError(
        absl::StrCat("topic ", Printable(topic), ": ", TopicChanged::Outcome_Name(outcome)));
    client_->Stop();
    return;
  }
  std::erase(wanted_topics_, topic);
  if (out_.json()) {
    out_.Json({{"event", "subscribed"}, {"topic", topic}});
  } else {
    out_.Line(absl::StrCat("subscribed to topic ", out_.Bold(Printable(topic))));
  }
  Said();
}

void Listener::Diagnose() {
  std::string diagnosis;
  const absl::StatusOr<agent::v1::Status> status =
      agent::FetchAgentStatus(flags_.socket_path, absl::Seconds(1));
  if (!status.ok()) {
    diagnosis = absl::StrCat("no agent yet: ", status.status().message(),
                             "; is bellwire-agent running? Name its socket with --socket PATH");
  } else if (status->connection() != agent::v1::Status::CONNECTED) {
    diagnosis = absl::StrCat("the agent is not connected to its server ", status->server_address(),
                             status->last_error().empty() ? "" : ": ", status->last_error());
  } else if (!has_token_) {
    diagnosis = "the agent has no token for this app yet";
  } else {
    settled_ = true;
    return;
  }
  if (diagnosis == last_diagnosis_) return;
  last_diagnosis_ = diagnosis;
  if (out_.json()) {
    out_.Json({{"event", "waiting"}, {"reason", diagnosis}});
  } else {
    out_.Line(out_.Dim(absl::StrCat(Printable(diagnosis), "; waiting")));
  }
  Said();
}

bool Listener::Said() {
  if (out_.status().ok()) return true;
  failure_ = WithHint(out_.status(), "messages that it could not print stay with the agent");
  client_->Stop();
  return false;
}

absl::Status Listener::RunCommand(const agent::Message& message) const {
  return RunShellCommand(flags_.exec,
                         {absl::StrCat("BELLWIRE_APP=", flags_.app_id),
                          absl::StrCat("BELLWIRE_MESSAGE_ID=", message.message_id)},
                         message.payload, stop_fd);
}

void Listener::OnToken(const std::string& token) {
  has_token_ = true;
  if (out_.json()) {
    out_.Json({{"event", "token"}, {"app_id", flags_.app_id}, {"token", token}});
  } else {
    out_.Line(absl::StrCat("token  ", out_.Bold(token)));
    out_.Line(out_.Dim("a backend sends to it; waiting for messages, Ctrl-C ends"));
  }
  Said();
}

bool Listener::OnMessage(const agent::Message& message) {
  // What comes in one read with the last one that was asked for stays with the agent.
  if (!failure_.ok() || (flags_.count != 0 && taken_ == flags_.count)) return false;
  PrintMessage(message);
  // First written, then acknowledged: else a full disk behind a pipe would swallow messages.
  if (!Said()) return false;
  if (!flags_.exec.empty()) {
    if (absl::Status s = RunCommand(message); absl::IsCancelled(s)) {
      std::cerr << Printable(s.message()) << "; the message stays with the agent\n";
      return false;
    } else if (!s.ok()) {
      // Not acknowledged: it comes again on the next connection.
      failure_ =
          WithHint(std::move(s), "the message stays with the agent; listen again to get it again");
      client_->Stop();
      return false;
    }
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
                                   {"redelivered", message.redelivered},
                                   {"encrypted", message.encrypted}};
    if (message.content.door() != agent::v1::Content::DOOR_UNSPECIFIED) {
      json["door"] = agent::v1::Content::Door_Name(message.content.door());
    }
    AddPayload(message.payload, &json);
    if (!flags_.raw) AddNotification(message, &json);
    out_.Json(json);
    return;
  }
  out_.Line(absl::StrCat(
      out_.Dim(absl::FormatTime("%H:%M:%E3S", now, absl::LocalTimeZone())), "  ",
      flags_.raw ? out_.Bold(RenderPayload(message.payload)) : RenderMessage(message, out_), "  ",
      // accepted_at has milliseconds, so that is all a latency can say.
      out_.Dim(absl::StrCat(absl::ToInt64Milliseconds(latency), " ms  ", message.message_id,
                            message.encrypted ? "  encrypted" : "")),
      message.redelivered ? out_.Bad("  again") : ""));
}

void Listener::OnUndecryptable(const std::string& message_id) {
  if (out_.json()) {
    out_.Json({{"event", "undecryptable"}, {"message_id", message_id}});
  } else {
    out_.Line(out_.Bad(absl::StrCat("message ", Printable(message_id),
                                    " was encrypted for other keys than this app's")));
  }
  Said();
}

void Listener::OnGap(uint32_t dropped) {
  if (out_.json()) {
    out_.Json({{"event", "gap"}, {"dropped", dropped}});
  } else {
    out_.Line(out_.Bad(absl::StrCat(dropped, " messages were dropped on the way: synchronise")));
  }
  Said();
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
    out_.Line(absl::StrCat(out_.Bad(name), "  ", Printable(message)));
  }
  Said();
}

void Listener::OnConnection(bool connected) {
  if (out_.json()) {
    out_.Json({{"event", "connection"}, {"connected", connected}});
  } else {
    out_.Line(out_.Dim(connected ? "connected to the agent" : "the agent is away; trying again"));
  }
  if (!connected) settled_ = false;
  Said();
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
                   "BELLWIRE_MESSAGE_ID in the environment; acknowledged if it succeeds. A stop "
                   "ends it too")
      ->type_name("COMMAND");
  command
      ->add_option("--topic", flags->topics,
                   "Subscribe the app to this topic of its team first; may repeat. It stays so "
                   "afterwards")
      ->type_name("NAME");
  CLI::Option* const encrypted =
      command->add_flag("--encrypted", flags->encrypted,
                        "With end-to-end encryption: print an encrypted token, for `bellwire send "
                        "--encrypt_to`, and decrypt what comes");
  command
      ->add_option("--key_file", flags->key_file,
                   "Where the keys for that are kept [~/.local/state/bellwire/APP_ID.keys]")
      ->type_name("FILE")
      ->needs(encrypted);
  command->add_flag("--raw", flags->raw,
                    "Print payloads as they are, also those of the APNs and the FCM door, of which "
                    "otherwise title and text are shown");
  command->add_option("--count", flags->count, "Stop after so many messages")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000}).description(""));
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire listen --app com.example.mail\n"
              "  bellwire listen --app com.example.mail --exec 'notify-send \"$(cat)\"'\n"
              "  bellwire listen --app com.example.mail --encrypted\n"
              "  bellwire listen --app com.example.mail --topic news\n"
              "  bellwire listen --app com.example.mail --json --count 1");
  command->callback([=] { context->run = [=] { return Listener(*flags, context).Run(); }; });
}

}  // namespace bellwire::cli
