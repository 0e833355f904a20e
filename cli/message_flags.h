#ifndef BELLWIRE_CLI_MESSAGE_FLAGS_H_
#define BELLWIRE_CLI_MESSAGE_FLAGS_H_

#include <string>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"
#include "cli/send_request.h"

namespace bellwire::cli {

// What `bellwire send` and `bellwire topic send` are told about a message: all but where it goes.
struct MessageFlags {
  SendFlags send;
  std::string priority = "normal";
  // Of the parser; an empty text is one.
  const CLI::Option* text = nullptr;
};

// `flags` outlives the parse, and the parser ReadMessage.
void AddMessageFlags(CLI::App* command, MessageFlags* flags);

// After the parse. Reads the payload, where it isn't a flag; asks for it on a terminal. Errors as
// MakeSendRequest.
absl::StatusOr<push::v1::SendRequest> ReadMessage(const MessageFlags& flags, absl::Time now);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_MESSAGE_FLAGS_H_
