// Whatever a stranger sends is answered with one whole HTTP response.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "ops/metrics/scrape_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwire::metrics;
  const absl::string_view head(reinterpret_cast<const char*>(data), size);
  if (!IsWholeHead(head)) return 0;
  const std::string answer =
      AnswerScrape(head, {.metrics = [] { return std::string("metrics\n"); },
                          .readiness = [] { return absl::UnavailableError("draining"); }});
  if (!absl::StartsWith(answer, "HTTP/1.1 ") || !absl::StrContains(answer, "\r\n\r\n")) abort();
  return 0;
}
