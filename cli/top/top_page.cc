#include "cli/top/top_page.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/time_text.h"

namespace bellwire::cli {
namespace {

using metrics::Latency;
using metrics::Overview;

constexpr size_t kQueuesOnPage = 6;

std::string Rate(double per_second) {
  return absl::StrFormat(per_second != 0 && per_second < 10 ? "%.1f" : "%.0f", per_second);
}

std::string Mebibytes(double bytes) { return absl::StrFormat("%.0f MiB", bytes / (1024 * 1024)); }

std::string Whole(const std::optional<int64_t>& value) {
  return value.has_value() ? absl::StrCat(*value) : "-";
}

// What others made can't move the cursor.
std::string Printable(absl::string_view text) {
  std::string printable(text);
  for (char& c : printable) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return printable;
}

class Page {
 public:
  explicit Page(size_t columns) : columns_(columns) {}

  void Line(TopStyle style, absl::string_view text) {
    lines_.push_back({style, Printable(text.substr(0, columns_))});
  }
  void Line(absl::string_view text) { Line(TopStyle::kPlain, text); }
  void Blank() { lines_.push_back({}); }
  std::vector<TopLine> Take() { return std::move(lines_); }

 private:
  const size_t columns_;
  std::vector<TopLine> lines_;
};

void AddLatency(absl::string_view name, const std::optional<Latency>& latency, Page* page) {
  if (!latency.has_value()) return;
  page->Line(absl::StrFormat("%-24s %12s %12s", name, RenderDuration(latency->p50),
                             RenderDuration(latency->p99)));
}

void AddNumbers(const Overview& all, Page* page) {
  std::string line = absl::StrCat("phones ", Whole(all.sessions));
  if (all.rates.has_value()) {
    absl::StrAppend(&line, "   sends ", Rate(all.rates->sends), "/s (", Rate(all.rates->refused),
                    " refused, ", Rate(all.rates->failed), " failed)   logins ",
                    Rate(all.rates->logins), "/s");
  }
  page->Line(line);
  if (!all.send && !all.to_phone && !all.to_app && !all.commit) return;
  page->Line(TopStyle::kDim, absl::StrFormat("%-24s %12s %12s", "", "half within", "99 of 100"));
  AddLatency("answer to a Send", all.send, page);
  AddLatency("until the phone has it", all.to_phone, page);
  AddLatency("until the app has it", all.to_app, page);
  AddLatency("commit to disk", all.commit, page);
}

void AddPrograms(const metrics::Look& look, Page* page) {
  page->Line(TopStyle::kDim, absl::StrFormat("%-18s %-22s %8s %8s %5s %9s", "PROGRAM", "ADDRESS",
                                             "PHONES", "SENDS/S", "CPU", "MEMORY"));
  for (const metrics::ProgramLook& program : look.programs) {
    if (!program.error.empty()) {
      page->Line(TopStyle::kBad, absl::StrFormat("%-18s %s", "does not answer", program.error));
      continue;
    }
    const Overview& overview = program.overview;
    page->Line(overview.ready ? TopStyle::kPlain : TopStyle::kBad,
               absl::StrFormat(
                   "%-18s %-22s %8s %8s %5s %9s%s", program.program, program.address,
                   Whole(overview.sessions), overview.rates ? Rate(overview.rates->sends) : "-",
                   overview.rates ? absl::StrFormat("%.2f", overview.rates->cpus) : "-",
                   Mebibytes(overview.resident_bytes), overview.ready ? "" : "  not ready"));
  }
}

void AddQueues(const Overview& all, Page* page) {
  if (all.queues.empty()) return;
  page->Blank();
  page->Line(TopStyle::kDim,
             absl::StrFormat("%-26s %14s %14s %6s", "BOUNDED PLACE", "TAKEN", "OF", "FULL"));
  const size_t shown = std::min(all.queues.size(), kQueuesOnPage);
  for (size_t i = 0; i < shown; ++i) {
    const metrics::QueueLevel& queue = all.queues[i];
    const double share = queue.bound > 0 ? queue.length / queue.bound : 0;
    page->Line(absl::StrFormat("%-26s %14.0f %14.0f %5.0f%%", queue.name, queue.length, queue.bound,
                               share * 100));
  }
}

}  // namespace

std::vector<TopLine> RenderTop(const metrics::Look& look, size_t columns, absl::TimeZone zone) {
  Page page(columns);
  const auto answered = std::count_if(look.programs.begin(), look.programs.end(),
                                      [](const auto& p) { return p.error.empty(); });
  page.Line(TopStyle::kBold,
            absl::StrCat("bellwire top  ", absl::FormatTime("%H:%M:%S", look.time, zone), "  ",
                         answered, " of ", look.programs.size(),
                         look.programs.size() == 1 ? " program answers" : " programs answer"));
  AddNumbers(look.all, &page);
  page.Blank();
  AddPrograms(look, &page);
  AddQueues(look.all, &page);
  page.Blank();
  if (look.all.problems.empty() && answered == static_cast<ptrdiff_t>(look.programs.size())) {
    page.Line(TopStyle::kGood, "all is well");
  }
  for (const metrics::Problem& problem : look.all.problems) {
    page.Line(TopStyle::kBad, absl::StrCat(problem.alert, "  ", problem.summary));
    page.Line(absl::StrCat("  ", problem.to_do));
  }
  return page.Take();
}

}  // namespace bellwire::cli
