#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "bellwire/push/v1/topics.grpc.pb.h"
#include "cli/command.h"
#include "cli/commands/topic_progress.h"
#include "cli/message_flags.h"
#include "cli/proto_render.h"
#include "cli/server_connection.h"
#include "common/limits.h"
#include "common/status_macros.h"

namespace bellwire::cli {
namespace {

using push::v1::TopicMessage;
using push::v1::TopicResult;
using push::v1::TopicService;

struct Flags : ProviderFlags {
  MessageFlags message;
  std::string topic;
  std::string condition;
  std::string token;
  std::vector<std::string> tokens;
  std::string tokens_file;
  std::string message_id;
  bool follow = false;
};

// --- Subscriptions. ---

// Those of the command line and of the file, one a line; "-": standard input.
absl::StatusOr<std::vector<std::string>> TokensOf(const Flags& flags) {
  std::vector<std::string> tokens = flags.tokens;
  if (!flags.tokens_file.empty()) {
    std::ifstream file;
    if (flags.tokens_file != "-") {
      file.open(flags.tokens_file);
      if (!file) {
        return absl::NotFoundError(absl::StrCat("can't read the tokens from ", flags.tokens_file));
      }
    }
    std::istream& in = flags.tokens_file == "-" ? std::cin : file;
    for (std::string line; std::getline(in, line);) {
      const absl::string_view token = absl::StripAsciiWhitespace(line);
      if (!token.empty()) tokens.emplace_back(token);
    }
  }
  if (tokens.empty()) {
    return absl::InvalidArgumentError("no tokens: name some, or give --tokens_file");
  }
  return tokens;
}

// As many calls as the tokens need.
template <typename Request, typename Response>
absl::Status Change(const Flags& flags, CommandContext* context, absl::string_view done,
                    grpc::Status (TopicService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                               Response*)) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<std::string> tokens, TokensOf(flags));
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server,
                            ServerConnection::OpenAsProvider(flags, context->clock->WallNow()));
  Terminal& out = *context->terminal;
  size_t failed = 0;
  for (size_t begin = 0; begin < tokens.size(); begin += kMaxBatchMessages) {
    Request request;
    request.set_topic(flags.topic);
    const size_t end = std::min(tokens.size(), begin + kMaxBatchMessages);
    for (size_t i = begin; i < end; ++i) request.add_tokens(tokens[i]);
    Response response;
    BELLWIRE_RETURN_IF_ERROR(server.Call(method, request, &response, absl::Seconds(60)));
    for (int i = 0; i < response.results_size(); ++i) {
      const TopicResult& result = response.results(i);
      const std::string& token = tokens[begin + i];
      if (out.json()) {
        nlohmann::ordered_json json = {{"token", token}, {"topic", flags.topic}};
        if (result.has_error()) {
          json["error"] = {{"reason", result.error().reason()},
                           {"message", result.error().message()}};
        }
        out.Json(json);
      } else if (result.has_error()) {
        out.Line(absl::StrCat(out.Bad(result.error().reason()), "  ", token, "  ",
                              result.error().message()));
      }
      failed += result.has_error() ? 1 : 0;
    }
  }
  if (!out.json() && failed < tokens.size()) {
    out.Line(absl::StrCat(out.Good(done), "  ", RenderCount(tokens.size() - failed),
                          tokens.size() - failed == 1 ? " token  " : " tokens  ", flags.topic));
  }
  if (failed == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(failed, " of ", tokens.size(), " tokens failed"));
}

absl::Status ListSubscriptions(const Flags& flags, const ServerConnection& server, Terminal& out) {
  push::v1::ListSubscriptionsRequest request;
  request.set_token(flags.token);
  push::v1::ListSubscriptionsResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&TopicService::Stub::ListSubscriptions, request, &response));
  std::vector<std::vector<std::string>> rows;
  for (const push::v1::TopicSubscription& subscription : response.subscriptions()) {
    const absl::Time since = TimeOf(subscription.create_time());
    if (out.json()) {
      out.Json({{"topic", subscription.topic()}, {"create_time", RenderTimeForJson(since)}});
    }
    rows.push_back({RenderTime(since), subscription.topic()});
  }
  if (out.json()) return absl::OkStatus();
  if (rows.empty()) {
    out.Line("this token is subscribed to no topic");
  } else {
    out.Table({"SINCE", "TOPIC"}, rows);
  }
  return absl::OkStatus();
}

absl::Status List(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server,
                            ServerConnection::OpenAsProvider(flags, context->clock->WallNow()));
  Terminal& out = *context->terminal;
  if (!flags.token.empty()) return ListSubscriptions(flags, server, out);
  push::v1::ListTopicsRequest request;
  std::vector<std::vector<std::string>> rows;
  do {
    push::v1::ListTopicsResponse response;
    BELLWIRE_RETURN_IF_ERROR(server.Call(&TopicService::Stub::ListTopics, request, &response));
    for (const push::v1::Topic& topic : response.topics()) {
      if (out.json()) out.Json({{"topic", topic.name()}, {"subscribers", topic.subscribers()}});
      rows.push_back({RenderCount(topic.subscribers()), topic.name()});
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  if (out.json()) return absl::OkStatus();
  if (rows.empty()) {
    out.Line("no topics yet; one begins with `bellwire topic subscribe TOPIC TOKEN`");
  } else {
    out.Table({"SUBSCRIBERS", "TOPIC"}, rows);
  }
  return absl::OkStatus();
}

// --- Messages. ---

absl::Status Send(const Flags& flags, CommandContext* context) {
  const absl::Time now = context->clock->WallNow();
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsProvider(flags, now));
  push::v1::PublishRequest request;
  if (flags.condition.empty()) {
    request.set_topic(flags.topic);
  } else {
    request.set_condition(flags.condition);
  }
  BELLWIRE_ASSIGN_OR_RETURN(*request.mutable_message(), ReadMessage(flags.message, now));
  push::v1::PublishResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&TopicService::Stub::Publish, request, &response));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"message_id", response.message_id()}, {"duplicate", response.duplicate()}});
    return absl::OkStatus();
  }
  if (request.message().validate_only()) {
    out.Line(absl::StrCat(out.Good("VALID"), "  it would have been accepted; nothing was sent"));
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("ACCEPTED"),
                        "  durable; each subscriber gets it once, or the server says why not"));
  out.Line(absl::StrCat("topic message ", out.Bold(response.message_id()),
                        response.duplicate() ? " (a retry: it was accepted before)" : ""));
  out.Line(absl::StrCat(
      "next: ", out.Bold(absl::StrCat("bellwire topic show --follow ", response.message_id()))));
  return absl::OkStatus();
}

// For a person: what a state means.
const char* Describe(TopicMessage::State state) {
  switch (state) {
    case TopicMessage::WAITING:
      return "waits for a gateway";
    case TopicMessage::RUNNING:
      return "a gateway sends";
    case TopicMessage::DONE:
      return "every subscriber was sent it";
    case TopicMessage::RECALLING:
      return "stopped; messages are being taken back";
    case TopicMessage::RECALLED:
      return "stopped; every message was asked back";
    default:
      return "";
  }
}

void Print(const TopicMessage& message, Terminal& out) {
  if (out.json()) return out.Json(ToJson(message));
  out.Line(absl::StrCat(out.Bold(message.message_id()), "  to ",
                        message.condition().empty() ? message.topic() : message.condition()));
  const std::string state = TopicMessage::State_Name(message.state());
  out.Line(
      absl::StrCat(RenderBar(ProgressOf(message)), "  ",
                   message.state() >= TopicMessage::RECALLING ? out.Bad(state) : out.Good(state),
                   "  ", Describe(message.state())));
  std::vector<std::pair<std::string, std::string>> fields = {
      {"accepted", RenderTime(TimeOf(message.create_time()))},
      {"subscribers then", RenderCount(message.subscribers())},
      {"sent", RenderCount(message.sent())},
      {"passed over", RenderCount(message.passed_over())}};
  if (message.has_end_time()) {
    fields.insert(fields.begin() + 1, {"ended", RenderTime(TimeOf(message.end_time()))});
  }
  out.Fields(fields);
  if (message.steps_size() > 0) out.Table({"STEP", "MESSAGES", ""}, StepRows(message));
}

// One line for people while it runs.
void PrintProgress(const TopicMessage& message, Terminal& out) {
  if (out.json()) return out.Json(ToJson(message));
  out.Line(absl::StrCat(
      RenderBar(ProgressOf(message)), "  ", TopicMessage::State_Name(message.state()), "  ",
      RenderCount(message.sent()), " sent, ", RenderCount(message.passed_over()), " passed over"));
}

absl::Status Show(const Flags& flags, CommandContext* context) {
  Terminal& out = *context->terminal;
  push::v1::GetTopicMessageRequest request;
  request.set_message_id(flags.message_id);
  while (true) {
    // Its JWT may have become too old since.
    BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server,
                              ServerConnection::OpenAsProvider(flags, context->clock->WallNow()));
    TopicMessage message;
    BELLWIRE_RETURN_IF_ERROR(server.Call(&TopicService::Stub::GetTopicMessage, request, &message));
    if (!flags.follow || message.has_end_time()) {
      Print(message, out);
      return absl::OkStatus();
    }
    PrintProgress(message, out);
    if (!out.status().ok()) return absl::OkStatus();
    absl::Notification never;
    never.WaitForNotificationWithTimeout(absl::Seconds(1));
  }
}

absl::Status Recall(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server,
                            ServerConnection::OpenAsProvider(flags, context->clock->WallNow()));
  push::v1::RecallTopicMessageRequest request;
  request.set_message_id(flags.message_id);
  TopicMessage message;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&TopicService::Stub::RecallTopicMessage, request, &message));
  Print(message, *context->terminal);
  return absl::OkStatus();
}

// --- The command line. ---

CLI::App* AddSubcommand(CLI::App* topic, const char* name, const char* help, Flags* flags,
                        CommandContext* context) {
  CLI::App* const command = topic->add_subcommand(name, help);
  AddProviderFlags(command, flags);
  AddJsonFlag(command, context);
  return command;
}

CLI::App* AddChange(CLI::App* topic, const char* name, const char* help, Flags* flags,
                    CommandContext* context) {
  CLI::App* const command = AddSubcommand(topic, name, help, flags, context);
  command->add_option("TOPIC", flags->topic, "1 to 900 characters of [a-zA-Z0-9-_.~%]")
      ->type_name("")
      ->required();
  command->add_option("TOKEN", flags->tokens, "Device tokens, as the apps got them")->type_name("");
  command
      ->add_option("--tokens_file", flags->tokens_file,
                   "More of them, one a line; -: standard input")
      ->type_name("FILE");
  return command;
}

void AddMessageId(CLI::App* command, Flags* flags) {
  command->add_option("MESSAGE_ID", flags->message_id, "As `bellwire topic send` answered it")
      ->type_name("")
      ->required();
}

}  // namespace

void AddTopicCommand(CLI::App* root, CommandContext* context) {
  CLI::App* topic =
      root->add_subcommand("topic", "Topics: one message for every app that is subscribed")
          ->require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  Flags* const f = flags.get();

  CLI::App* subscribe =
      AddChange(topic, "subscribe", "Subscribe apps on phones to a topic", f, context);
  SetExamples(subscribe,
              "  bellwire topic subscribe news TOKEN --credentials cred.json --ca ca.pem\n"
              "  bellwire topic subscribe news --tokens_file tokens.txt --credentials cred.json");
  subscribe->callback([=] {
    context->run = [=] {
      return Change(*flags, context, "subscribed", &TopicService::Stub::Subscribe);
    };
  });

  CLI::App* unsubscribe =
      AddChange(topic, "unsubscribe", "End subscriptions to a topic", f, context);
  SetExamples(unsubscribe,
              "  bellwire topic unsubscribe news TOKEN --credentials cred.json --ca ca.pem");
  unsubscribe->callback([=] {
    context->run = [=] {
      return Change(*flags, context, "unsubscribed", &TopicService::Stub::Unsubscribe);
    };
  });

  CLI::App* list = AddSubcommand(
      topic, "list", "Show the team's topics, or those that a token is subscribed to", f, context);
  list->add_option("--token", flags->token, "Of this one")->type_name("TOKEN");
  SetExamples(list, "  bellwire topic list --credentials cred.json --ca ca.pem --json");
  list->callback([=] { context->run = [=] { return List(*flags, context); }; });

  CLI::App* send =
      AddSubcommand(topic, "send", "Send a message to all who are subscribed", f, context);
  CLI::Option_group* const target = send->add_option_group("target");
  target->add_option("--topic", flags->topic, "To all who are subscribed to it")
      ->type_name("TOPIC");
  target
      ->add_option(
          "--condition", flags->condition,
          "To all whose topics fulfil it: \"'a' in topics && !('b' in topics)\"; from left "
          "to right, parentheses first; at most five topics")
      ->type_name("CONDITION");
  target->require_option(1);
  AddMessageFlags(send, &flags->message);
  SetExamples(send,
              "  bellwire topic send --topic news --text \"It rains\" --credentials cred.json --ca "
              "ca.pem\n"
              "  bellwire topic send --condition \"'news' in topics && 'de' in topics\" --text "
              "\"Es regnet\" --credentials cred.json --ca ca.pem");
  send->callback([=] { context->run = [=] { return Send(*flags, context); }; });

  CLI::App* show = AddSubcommand(
      topic, "show", "How far a topic message is, and what became of its messages", f, context);
  AddMessageId(show, f);
  show->add_flag("--follow", flags->follow, "Every second, until it has ended");
  SetExamples(show,
              "  bellwire topic show --follow MESSAGE_ID --credentials cred.json --ca ca.pem");
  show->callback([=] { context->run = [=] { return Show(*flags, context); }; });

  CLI::App* recall =
      AddSubcommand(topic, "recall",
                    "Stop a topic message, and take back what the apps have not got", f, context);
  AddMessageId(recall, f);
  SetExamples(recall, "  bellwire topic recall MESSAGE_ID --credentials cred.json --ca ca.pem");
  recall->callback([=] { context->run = [=] { return Recall(*flags, context); }; });
}

}  // namespace bellwire::cli
