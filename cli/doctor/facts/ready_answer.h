#ifndef BELLWIRE_CLI_DOCTOR_FACTS_READY_ANSWER_H_
#define BELLWIRE_CLI_DOCTOR_FACTS_READY_ANSWER_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace bellwire::cli {

// What a provider port answers to GET /readyz over HTTP/1.1.
struct ReadyAnswer {
  // 100 to 599.
  int status = 0;
  // Its field Date; nullopt if there is none that makes sense.
  std::optional<absl::Time> date;
};

// Of the head of an answer, by whomever: nullopt if it is no HTTP/1.1. Pure.
std::optional<ReadyAnswer> ParseReadyAnswer(absl::string_view head);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_FACTS_READY_ANSWER_H_
