#include "cli/top/watch.h"

#include <utility>

#include "cli/top/scrape_client.h"
#include "common/time_text.h"
#include "ops/metrics/catalogue.h"
#include "ops/overview/flat_samples.h"

namespace bellwire::cli {
namespace {

std::string ProgramOf(const metrics::FlatSamples& samples) {
  for (const metrics::FlatSample& sample : samples) {
    if (sample.name != metrics::kBuildInfo.name) continue;
    if (const std::string* program = sample.Label("program")) return *program;
  }
  return "?";
}

absl::StatusOr<metrics::FlatSamples> SamplesAt(const std::string& address) {
  const absl::StatusOr<std::string> text = FetchMetrics(address);
  if (!text.ok()) return text.status();
  return metrics::ParseMetricsText(*text);
}

metrics::Overview OverviewOf(const std::optional<metrics::Snapshot>& before,
                             const metrics::Snapshot& now) {
  return metrics::MakeOverview(before.has_value() ? &*before : nullptr, now);
}

}  // namespace

Watch::Watch(std::vector<std::string> addresses, const Clock* clock) : clock_(clock) {
  for (std::string& address : addresses) programs_.push_back({.address = std::move(address)});
}

Look Watch::Next() {
  Look look = {.time = clock_->WallNow()};
  metrics::Snapshot all = {.time = clock_->Monotonic(), .wall_time = look.time};
  size_t answered = 0;
  for (Program& program : programs_) {
    ProgramLook& shown = look.programs.emplace_back();
    shown.address = program.address;
    absl::StatusOr<metrics::FlatSamples> samples = SamplesAt(program.address);
    if (!samples.ok()) {
      shown.error = std::string(samples.status().message());
      program.before.reset();
      continue;
    }
    ++answered;
    all.samples.insert(all.samples.end(), samples->begin(), samples->end());
    metrics::Snapshot now = {.time = clock_->Monotonic(),
                             .wall_time = clock_->WallNow(),
                             .samples = *std::move(samples)};
    shown.program = ProgramOf(now.samples);
    shown.overview = OverviewOf(program.before, now);
    program.before = std::move(now);
  }
  // Sums over other programs than before are no rates.
  if (answered != all_before_programs_) all_before_.reset();
  look.all = OverviewOf(all_before_, all);
  all_before_ = std::move(all);
  all_before_programs_ = answered;
  return look;
}

nlohmann::ordered_json ToJson(const Look& look) {
  nlohmann::ordered_json json = {{"time", RenderTimeForJson(look.time)},
                                 {"programs", nlohmann::ordered_json::array()}};
  for (const ProgramLook& program : look.programs) {
    nlohmann::ordered_json entry = {{"address", program.address}};
    if (program.error.empty()) {
      entry["program"] = program.program;
      entry["overview"] = ToJson(program.overview);
    } else {
      entry["error"] = program.error;
    }
    json["programs"].push_back(std::move(entry));
  }
  json["all"] = ToJson(look.all);
  return json;
}

}  // namespace bellwire::cli
