#include "ops/overview/watch.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "common/time_text.h"
#include "ops/metrics/catalogue.h"
#include "ops/overview/scrape_client.h"

namespace bellwire::metrics {
namespace {

std::string ProgramOf(const FlatSamples& samples) {
  for (const FlatSample& sample : samples) {
    if (sample.name != kBuildInfo.name) continue;
    if (const std::string* program = sample.Label("program")) return *program;
  }
  return "?";
}

absl::StatusOr<FlatSamples> SamplesAt(const std::string& address) {
  const absl::StatusOr<std::string> text = FetchMetrics(address);
  if (!text.ok()) return text.status();
  return ParseMetricsText(*text);
}

Overview OverviewOf(const std::optional<Snapshot>& before, const Snapshot& now) {
  return MakeOverview(before.has_value() ? &*before : nullptr, now);
}

}  // namespace

struct Watch::Answer {
  // Not OK: there are no samples.
  absl::Status status;
  Snapshot now;
};

Watch::Watch(std::vector<std::string> addresses, const Clock* clock,
             std::function<FlatSamples()> own)
    : clock_(clock), own_(std::move(own)) {
  if (own_) programs_.emplace_back();
  for (std::string& address : addresses) programs_.push_back({.address = std::move(address)});
}

Watch::Answer Watch::Ask(const Program& program) const {
  absl::StatusOr<FlatSamples> samples =
      program.address.empty() ? own_() : SamplesAt(program.address);
  Answer answer = {.status = samples.status(),
                   .now = {.time = clock_->Monotonic(), .wall_time = clock_->WallNow()}};
  if (samples.ok()) answer.now.samples = *std::move(samples);
  return answer;
}

std::vector<Watch::Answer> Watch::AskAll() const {
  std::vector<Answer> answers(programs_.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < programs_.size(); i = next++) answers[i] = Ask(programs_[i]);
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(programs_.size(), kAskedAtOnce); ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  return answers;
}

Look Watch::Next() {
  std::vector<Answer> answers = AskAll();
  Look look = {.time = clock_->WallNow()};
  Snapshot all = {.time = clock_->Monotonic(), .wall_time = look.time};
  size_t answered = 0;
  for (size_t i = 0; i < programs_.size(); ++i) {
    Program& program = programs_[i];
    ProgramLook& shown = look.programs.emplace_back();
    shown.address = program.address;
    if (!answers[i].status.ok()) {
      shown.error = std::string(answers[i].status.message());
      program.before.reset();
      continue;
    }
    ++answered;
    Snapshot& now = answers[i].now;
    all.samples.insert(all.samples.end(), now.samples.begin(), now.samples.end());
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

}  // namespace bellwire::metrics
