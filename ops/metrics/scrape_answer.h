#ifndef BELLWIRE_OPS_METRICS_SCRAPE_ANSWER_H_
#define BELLWIRE_OPS_METRICS_SCRAPE_ANSWER_H_

#include <cstddef>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// HTTP/1.1 of the address for metrics: one GET, one answer, and the connection ends. Pure.
namespace bellwire::metrics {

// The longest head of a request. Prometheus sends some 300 bytes.
inline constexpr size_t kMaxScrapeHeadBytes = 8 * 1024;

struct ScrapePages {
  // The text of /metrics.
  std::function<std::string()> metrics;
  // What /readyz says.
  std::function<absl::Status()> readiness;
};

// Whether `received` holds a whole head: what comes after it is not looked at.
bool IsWholeHead(absl::string_view received);

// The whole response to a request that begins with this head: /metrics, /healthz, /readyz, or an
// error in text. What can't be read is answered 400. REQUIRES: IsWholeHead(head).
std::string AnswerScrape(absl::string_view head, const ScrapePages& pages);
// To one whose head is longer than kMaxScrapeHeadBytes.
std::string AnswerTooLongHead();

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_METRICS_SCRAPE_ANSWER_H_
