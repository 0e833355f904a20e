#include "ops/overview/overview.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/time_text.h"
#include "ops/metrics/catalogue.h"

namespace bellwire::metrics {
namespace {

// As the alerts have them (deploy/prometheus/alerts.yml).
constexpr double kFullShare = 0.8;
constexpr double kScarceDescriptors = 0.9;
constexpr double kFailingShare = 0.01;
constexpr absl::Duration kSlowSend = absl::Seconds(1);
constexpr absl::Duration kSlowCommit = absl::Milliseconds(500);
constexpr absl::Duration kCertificateWarning = absl::Hours(14 * 24);
// Fewer events than that say nothing about a share or a quantile.
constexpr double kFewEvents = 20;

// How often something happened between two looks.
class Change {
 public:
  Change(const Snapshot& before, const Snapshot& now) : before_(before), now_(now) {}

  double seconds() const { return absl::ToDoubleSeconds(now_.time - before_.time); }
  // A program that started anew since then counts from zero.
  double Count(absl::string_view name, const LabelFilter& filter = {}) const {
    const double before = SumOf(before_.samples, name, filter).value_or(0);
    const double now = SumOf(now_.samples, name, filter).value_or(0);
    return now < before ? now : now - before;
  }
  double Rate(absl::string_view name, const LabelFilter& filter = {}) const {
    return Count(name, filter) / seconds();
  }
  std::optional<Latency> LatencyOf(absl::string_view name) const {
    const Buckets since = Since(BucketsOf(before_.samples, name), BucketsOf(now_.samples, name));
    if (CountOf(since) <= 0) return std::nullopt;
    return Latency{absl::Seconds(Quantile(since, 0.5)), absl::Seconds(Quantile(since, 0.99))};
  }

 private:
  const Snapshot& before_;
  const Snapshot& now_;
};

std::vector<QueueLevel> QueuesOf(const FlatSamples& samples) {
  // By name: the level of each program, in the order of their lines.
  std::map<std::string, std::vector<QueueLevel>> levels;
  for (const FlatSample& sample : samples) {
    const std::string* const queue = sample.Label("queue");
    if (queue == nullptr) continue;
    if (sample.name == kQueueLength.name) levels[*queue].push_back({*queue, sample.value, 0});
  }
  std::map<std::string, size_t> next;
  for (const FlatSample& sample : samples) {
    const std::string* const queue = sample.Label("queue");
    if (queue == nullptr || sample.name != kQueueBound.name) continue;
    const size_t index = next[*queue]++;
    if (index < levels[*queue].size()) levels[*queue][index].bound = sample.value;
  }
  const auto share = [](const QueueLevel& level) {
    return level.bound > 0 ? level.length / level.bound : 0;
  };
  const auto fuller = [share](const QueueLevel& a, const QueueLevel& b) {
    return share(a) > share(b);
  };
  std::vector<QueueLevel> fullest;
  for (auto& [name, of_programs] : levels) {
    if (of_programs.empty()) continue;
    fullest.push_back(*std::min_element(of_programs.begin(), of_programs.end(), fuller));
  }
  std::stable_sort(fullest.begin(), fullest.end(), fuller);
  return fullest;
}

std::vector<CertificateEnd> CertificatesOf(const FlatSamples& samples) {
  std::vector<CertificateEnd> certificates;
  for (const FlatSample& sample : samples) {
    const std::string* const name = sample.Label("certificate");
    if (name == nullptr || sample.name != kCertificateExpiry.name) continue;
    CertificateEnd end = {.name = *name};
    if (sample.value > 0) end.ends = absl::FromUnixSeconds(static_cast<int64_t>(sample.value));
    certificates.push_back(std::move(end));
  }
  std::stable_sort(certificates.begin(), certificates.end(),
                   [](const CertificateEnd& a, const CertificateEnd& b) {
                     return a.ends.value_or(absl::InfinitePast()) <
                            b.ends.value_or(absl::InfinitePast());
                   });
  return certificates;
}

std::string Percent(double share) { return absl::StrFormat("%.0f %%", share * 100); }

// Adds to `overview` what of it is wrong.
class Judge {
 public:
  Judge(absl::Time now, Overview* overview) : now_(now), overview_(overview) {}

  void JudgeAll(const Change* change) {
    if (overview_->store_ok == false) {
      Add("BellwireStoreFailing", true, "The store can't be read or written: Sends are refused.",
          "Make room on the registry's disk, or see to the disk. The registry tries again by "
          "itself.");
    }
    if (change != nullptr) JudgeSends(*change);
    if (!overview_->ready) {
      Add("BellwireNotReady", false, "A program says that it should not be given work.",
          "Its /readyz says why: it drains, or the store fails.");
    }
    for (const QueueLevel& queue : overview_->queues) {
      if (queue.bound <= 0 || queue.length <= kFullShare * queue.bound) continue;
      Add("BellwireQueueFull", false,
          absl::StrCat("\"", queue.name, "\" is ", Percent(queue.length / queue.bound),
                       " full; what comes beyond its bound is refused."),
          "The table of queues says what is in it, and what makes it larger.");
    }
    for (const CertificateEnd& end : overview_->certificates) JudgeCertificate(end);
    if (overview_->max_descriptors > 0 &&
        overview_->open_descriptors > kScarceDescriptors * overview_->max_descriptors) {
      Add("BellwireDescriptorsScarce", false,
          absl::StrCat(Percent(overview_->open_descriptors / overview_->max_descriptors),
                       " of the file descriptors are open; new connections are about to be "
                       "refused."),
          "Raise LimitNOFILE of the unit, or find out who connects.");
    }
    std::stable_sort(overview_->problems.begin(), overview_->problems.end(),
                     [](const Problem& a, const Problem& b) { return a.critical > b.critical; });
  }

 private:
  void Add(std::string alert, bool critical, std::string summary, std::string to_do) {
    overview_->problems.push_back(
        {std::move(alert), critical, std::move(summary), std::move(to_do)});
  }

  void JudgeSends(const Change& change) {
    const double all = change.Count(kMessages.name);
    if (all >= kFewEvents) {
      const double failed = change.Count(kMessages.name, {{"outcome", "unavailable"}}) +
                            change.Count(kMessages.name, {{"outcome", "internal"}});
      if (failed > kFailingShare * all) {
        Add("BellwireSendsFail", true,
            absl::StrCat(Percent(failed / all), " of all Sends fail through no fault of theirs."),
            "The gateway does not reach the registry, or the store fails; its log says which.");
      }
      const double refused = change.Count(kMessages.name, {{"outcome", "overloaded"}});
      if (refused > kFailingShare * all) {
        Add("BellwireOverloaded", false,
            absl::StrCat(Percent(refused / all), " of all Sends are refused for lack of room."),
            "Look which queue is full, and how long a commit takes. If one team sends it all, only "
            "that team is refused.");
      }
      if (overview_->send.has_value() && overview_->send->p99 > kSlowSend) {
        Add("BellwireSlowSends", false,
            absl::StrCat("One Send in a hundred takes more than ",
                         RenderDuration(overview_->send->p99), "."),
            "Most of it is the registry's commit: look at the disk, then at the processors.");
      }
    }
    if (overview_->commit.has_value() && overview_->commit->p99 > kSlowCommit) {
      Add("BellwireSlowCommits", false,
          absl::StrCat("One commit in a hundred takes more than ",
                       RenderDuration(overview_->commit->p99), "."),
          "The registry's disk is slow, or shared with others that write much.");
    }
    double failed = 0;
    for (const char* why : {"login_refused", "login_timeout", "overloaded", "protocol_error"}) {
      failed += change.Count(kLogins.name, {{"result", why}});
    }
    const double logged_in = change.Count(kLogins.name, {{"result", "ok"}});
    if (failed > logged_in + change.seconds() && failed >= kFewEvents) {
      Add("BellwireLoginsFail", false, "More phones fail to log in than succeed.",
          "The counts of logins by result say why: other software, a broken agent, or a flood.");
    }
  }

  void JudgeCertificate(const CertificateEnd& end) {
    constexpr char kToDo[] =
        "`bellwire cert renew` and `bellwire reload` renew those of the data directory; that of "
        "--https_cert is renewed by what made it.";
    if (!end.ends.has_value()) {
      return Add("BellwireCertificateExpires", true,
                 absl::StrCat("The certificate \"", end.name, "\" can't be read."), kToDo);
    }
    if (*end.ends <= now_) {
      return Add("BellwireCertificateExpires", true,
                 absl::StrCat("The certificate \"", end.name, "\" has ended."), kToDo);
    }
    if (*end.ends - now_ >= kCertificateWarning) return;
    Add("BellwireCertificateExpires", false,
        absl::StrCat("The certificate \"", end.name, "\" ends in ",
                     RenderDuration(*end.ends - now_), "."),
        kToDo);
  }

  const absl::Time now_;
  Overview* const overview_;
};

nlohmann::ordered_json ToJson(const Latency& latency) {
  return {{"p50", absl::ToDoubleSeconds(latency.p50)}, {"p99", absl::ToDoubleSeconds(latency.p99)}};
}

}  // namespace

Overview MakeOverview(const Snapshot* before, const Snapshot& now) {
  const FlatSamples& samples = now.samples;
  Overview overview;
  for (const FlatSample& sample : samples) {
    if (sample.name == kBuildInfo.name) {
      if (const std::string* version = sample.Label("version")) overview.version = *version;
    } else if (sample.name == kReady.name && sample.value == 0) {
      overview.ready = false;
    } else if (sample.name == kStoreOk.name) {
      overview.store_ok = overview.store_ok.value_or(true) && sample.value != 0;
    } else if (sample.name == kStartTime.name && sample.value > 0) {
      const absl::Time started = absl::FromUnixMillis(static_cast<int64_t>(sample.value * 1000));
      overview.started = std::max(overview.started.value_or(started), started);
    }
  }
  const auto whole = [&samples](const Metric& metric) -> std::optional<int64_t> {
    const std::optional<double> sum = SumOf(samples, metric.name);
    if (!sum.has_value()) return std::nullopt;
    return static_cast<int64_t>(*sum);
  };
  overview.sessions = whole(kSessions);
  overview.bytes_in_flight = whole(kBytesInFlight);
  overview.resident_bytes = SumOf(samples, kResidentBytes.name).value_or(0);
  overview.open_descriptors = SumOf(samples, kOpenDescriptors.name).value_or(0);
  overview.max_descriptors = SumOf(samples, kMaxDescriptors.name).value_or(0);
  overview.queues = QueuesOf(samples);
  overview.certificates = CertificatesOf(samples);

  std::optional<Change> change;
  if (before != nullptr && now.time > before->time) change.emplace(*before, now);
  if (change.has_value()) {
    Overview::Rates& rates = overview.rates.emplace();
    rates.sends = change->Rate(kMessages.name);
    for (const char* outcome : {"invalid", "bad_token", "unregistered", "mailbox_full", "quota"}) {
      rates.refused += change->Rate(kMessages.name, {{"outcome", outcome}});
    }
    for (const char* outcome : {"overloaded", "unavailable", "internal"}) {
      rates.failed += change->Rate(kMessages.name, {{"outcome", outcome}});
    }
    rates.to_phone = change->Rate(kSteps.name, {{"step", "agent_acked"}});
    rates.to_app = change->Rate(kSteps.name, {{"step", "app_acked"}});
    rates.logins = change->Rate(kLogins.name, {{"result", "ok"}});
    rates.cpus = change->Rate(kCpuSeconds.name);
    overview.send = change->LatencyOf(kSendSeconds.name);
    overview.commit = change->LatencyOf(kCommitSeconds.name);
    overview.to_phone = change->LatencyOf(kToAgentSeconds.name);
    overview.to_app = change->LatencyOf(kToAppSeconds.name);
  }
  Judge(now.wall_time, &overview).JudgeAll(change.has_value() ? &*change : nullptr);
  return overview;
}

nlohmann::ordered_json ToJson(const Overview& overview) {
  nlohmann::ordered_json json = {{"version", overview.version}, {"ready", overview.ready}};
  if (overview.started.has_value()) json["started"] = RenderTimeForJson(*overview.started);
  if (overview.sessions.has_value()) json["sessions"] = *overview.sessions;
  if (overview.bytes_in_flight.has_value()) json["bytes_in_flight"] = *overview.bytes_in_flight;
  if (overview.store_ok.has_value()) json["store_ok"] = *overview.store_ok;
  if (overview.rates.has_value()) {
    const Overview::Rates& rates = *overview.rates;
    json["rates"] = {{"sends", rates.sends},   {"refused", rates.refused},
                     {"failed", rates.failed}, {"to_phone", rates.to_phone},
                     {"to_app", rates.to_app}, {"logins", rates.logins},
                     {"cpus", rates.cpus}};
  }
  if (overview.send.has_value()) json["send"] = ToJson(*overview.send);
  if (overview.commit.has_value()) json["commit"] = ToJson(*overview.commit);
  if (overview.to_phone.has_value()) json["to_phone"] = ToJson(*overview.to_phone);
  if (overview.to_app.has_value()) json["to_app"] = ToJson(*overview.to_app);
  json["resident_bytes"] = overview.resident_bytes;
  json["open_descriptors"] = overview.open_descriptors;
  json["max_descriptors"] = overview.max_descriptors;
  json["queues"] = nlohmann::ordered_json::array();
  for (const QueueLevel& queue : overview.queues) {
    json["queues"].push_back(
        {{"name", queue.name}, {"length", queue.length}, {"bound", queue.bound}});
  }
  json["certificates"] = nlohmann::ordered_json::array();
  for (const CertificateEnd& end : overview.certificates) {
    nlohmann::ordered_json entry = {{"name", end.name}};
    if (end.ends.has_value()) entry["ends"] = RenderTimeForJson(*end.ends);
    json["certificates"].push_back(std::move(entry));
  }
  json["problems"] = nlohmann::ordered_json::array();
  for (const Problem& problem : overview.problems) {
    json["problems"].push_back({{"alert", problem.alert},
                                {"severity", problem.critical ? "critical" : "warning"},
                                {"summary", problem.summary},
                                {"to_do", problem.to_do}});
  }
  return json;
}

}  // namespace bellwire::metrics
