#include "cli/message_flags.h"

#include <fcntl.h>
#include <unistd.h>

#include <iostream>
#include <map>

namespace bellwire::cli {
namespace {

const std::map<std::string, bellwire::push::v1::Priority>& Priorities() {
  static const auto& priorities = *new std::map<std::string, bellwire::push::v1::Priority>{
      {"high", bellwire::push::v1::PRIORITY_HIGH},
      {"normal", bellwire::push::v1::PRIORITY_NORMAL},
      {"low", bellwire::push::v1::PRIORITY_LOW}};
  return priorities;
}

// -1: it is closed. Then a library may have taken its number before main; what that opened ends at
// exec, which nothing does that was handed to this program.
int StandardInput() {
  const int flags = fcntl(STDIN_FILENO, F_GETFD);
  return flags < 0 || (flags & FD_CLOEXEC) != 0 ? -1 : STDIN_FILENO;
}

}  // namespace

void AddMessageFlags(CLI::App* command, MessageFlags* flags) {
  SendFlags& send = flags->send;
  CLI::Option* const text = command->add_option("--text", send.text, "The payload as text");
  flags->text = text;
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
}

absl::StatusOr<push::v1::SendRequest> ReadMessage(const MessageFlags& flags, absl::Time now) {
  SendFlags send = flags.send;
  send.has_text = flags.text->count() > 0;
  send.priority = Priorities().at(flags.priority);
  if (!send.has_text && send.payload_file.empty() && isatty(STDIN_FILENO) == 1) {
    std::cerr << "type the payload; Ctrl-D at the start of a line ends it (or give --text)\n";
  }
  return MakeSendRequest(send, now, StandardInput());
}

}  // namespace bellwire::cli
