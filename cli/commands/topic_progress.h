#ifndef BELLWIRE_CLI_COMMANDS_TOPIC_PROGRESS_H_
#define BELLWIRE_CLI_COMMANDS_TOPIC_PROGRESS_H_

#include <string>
#include <vector>

#include "bellwire/push/v1/topics.pb.h"
#include "nlohmann/json.hpp"

// A topic message for people and programs. Pure functions.
namespace bellwire::cli {

// How far the fan-out is, 0 to 1. The number of subscribers may have changed since it began: only
// what has ended is at 1.
double ProgressOf(const push::v1::TopicMessage& message);

// "[##########----------]  50 %", of 20 places.
std::string RenderBar(double progress);

// "1,000,000".
std::string RenderCount(int64_t count);

// One row for each step that a message has come to: its name, how many, the part of those sent.
std::vector<std::vector<std::string>> StepRows(const push::v1::TopicMessage& message);

nlohmann::ordered_json ToJson(const push::v1::TopicMessage& message);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_COMMANDS_TOPIC_PROGRESS_H_
