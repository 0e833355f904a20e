// Whatever a server answers, the doctor reads it without harm.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "cli/doctor/facts/ready_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto answer =
      bellwire::cli::ParseReadyAnswer(absl::string_view(reinterpret_cast<const char*>(data), size));
  if (answer.has_value() && (answer->status < 100 || answer->status > 599)) abort();
  return 0;
}
