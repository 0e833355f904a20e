#ifndef BELLWIRE_CLI_MESSAGE_VIEW_H_
#define BELLWIRE_CLI_MESSAGE_VIEW_H_

#include <string>

#include "cli/terminal.h"
#include "device-agent/client/client.h"
#include "nlohmann/json.hpp"

// What `bellwire listen` shows of a message. Pure functions.
namespace bellwire::cli {

// For one line of a terminal: of a message that came through the door of APNs or FCM, what a person
// would see and what the app would be given; of every other, its payload. What could move the
// cursor is shown as \xNN; the line breaks of a text as spaces.
std::string RenderMessage(const agent::Message& message, const Terminal& terminal);

// Adds "notification" to the JSON of such a message, with the fields that it has.
void AddNotification(const agent::Message& message, nlohmann::ordered_json* json);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_MESSAGE_VIEW_H_
