#include "tests/faults/storm.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "tests/faults/send_transport.h"
#include "tests/faults/sender.h"
#include "tests/support/app.h"
#include "tests/support/companion.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {
namespace {

constexpr char kRegistry[] = "registry/bellwire-registry";
constexpr char kFragileRegistry[] = "tests/faults/fragile_registry";

// Out of a hundred kills. The rest are agents.
constexpr int kRegistryShare = 20, kConnectorShare = 20, kGatewayShare = 15;
// Out of a hundred registries, those on a fragile disk.
constexpr int kFragileShare = 75;
// Out of a hundred kills, those that hit a second process before the first is back.
constexpr int kDoubleShare = 15;
constexpr absl::Duration kLongestDowntime = absl::Milliseconds(500);
// After the storm, without a single message taken.
constexpr absl::Duration kDrainPatience = absl::Seconds(60);
constexpr absl::Duration kProgressEvery = absl::Seconds(10);

// Where the endpoints of subscriptions lie. Nobody asks for this host: senders know the gateways.
constexpr char kPublicUrl[] = "https://push.example.com";
// Of each phone's subscriptions: with an Idempotency-Key for each message, and without.
constexpr int kKeyedPerPhone = 2;
constexpr int kBarePerPhone = 1;

std::string AppId(int app) { return absl::StrCat("com.example.app", app); }

class Storm {
 public:
  explicit Storm(const StormOptions& options)
      : options_(options),
        ledger_(static_cast<size_t>(options.phones * (options.apps_per_phone + kKeyedPerPhone))),
        bare_ledger_(static_cast<size_t>(options.phones * kBarePerPhone)),
        random_(options.seed),
        started_(RealClock()->Monotonic()) {}

  absl::StatusOr<StormReport> Run() {
    BELLWIRE_RETURN_IF_ERROR(SetUp());
    while (!Reached()) {
      BELLWIRE_RETURN_IF_ERROR(KillSomebody());
      Progress();
      if (!senders_.front()->refusals().empty()) break;
    }
    BELLWIRE_RETURN_IF_ERROR(CalmDown());
    Judge();
    return std::move(report_);
  }

 private:
  absl::Status SetUp();
  bool Reached() const {
    return report_.kills() >= options_.kills && report_.power_cuts >= options_.power_cuts &&
           Accepted() >= options_.messages;
  }
  int64_t Accepted() const {
    int64_t sum = 0;
    for (const auto& sender : senders_) sum += sender->accepted();
    return sum;
  }
  int Random(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
  // Waits for a random time between nothing and `longest`; shorter if `enough` holds.
  void Pause(absl::Duration longest) {
    WaitUntil([] { return false; }, longest * std::uniform_real_distribution<>(0, 1)(random_));
  }

  // Lets as many messages be sent as there should have been before the next kill, and waits for
  // them. Subscriptions of every phone, and their senders.
  absl::Status Subscribe();
  void KeepTheLoadUp();
  absl::Status KillSomebody();
  void KillOne();
  absl::Status StartAll();
  // The registry that comes next.
  void ChooseRegistry();
  absl::Status CalmDown();
  void Judge();
  void Progress();

  const StormOptions options_;
  // Apps' lanes first, then those of subscriptions whose senders say ids.
  Ledger ledger_;
  // Of subscriptions whose senders say none.
  Ledger bare_ledger_;
  std::mt19937_64 random_;
  const MonotonicTime started_;
  MonotonicTime next_progress_;
  StormReport report_;

  // In the order in which they are made; torn down from the end.
  std::unique_ptr<Fleet> fleet_;
  bool fragile_ = false;
  std::vector<std::unique_ptr<Phone>> phones_;
  std::vector<std::unique_ptr<App>> apps_;  // By lane.
  std::vector<std::string> tokens_;         // By lane.
  std::vector<std::unique_ptr<Companion>> companions_;
  std::vector<std::unique_ptr<Sender>> senders_;
  // Of senders_: the one that says no ids.
  Sender* bare_sender_ = nullptr;
};

absl::Status Storm::SetUp() {
  BELLWIRE_ASSIGN_OR_RETURN(fleet_,
                            Fleet::Start(Deployment::kSeparate,
                                         {.more_connector_arguments = {"--public_url", kPublicUrl},
                                          .more_gateway_arguments = {"--public_url", kPublicUrl}}));
  std::vector<std::string> app_ids;
  for (int app = 0; app < options_.apps_per_phone; ++app) app_ids.push_back(AppId(app));
  BELLWIRE_ASSIGN_OR_RETURN(const Provider provider, Provider::Create(*fleet_, app_ids));
  for (int i = 0; i < options_.phones; ++i) {
    phones_.push_back(std::make_unique<Phone>(*fleet_, absl::StrCat("phone-", i),
                                              std::vector<int>{i % 2, 1 - i % 2}));
    phones_.back()->SetMoreArguments({"--reconnect_max_seconds", "1"});
    BELLWIRE_RETURN_IF_ERROR(phones_.back()->Start());
    for (const std::string& app_id : app_ids) {
      const size_t lane = apps_.size();
      apps_.push_back(std::make_unique<App>(
          phones_.back()->socket_path(), app_id,
          [this, lane](const std::string& payload) { ledger_.Take(lane, payload); }));
    }
  }
  std::vector<std::vector<SendLane>> shares(static_cast<size_t>(options_.senders));
  for (size_t lane = 0; lane < apps_.size(); ++lane) {
    tokens_.push_back(apps_[lane]->WaitForToken());
    if (tokens_.back().empty()) return absl::DeadlineExceededError("an app got no token");
    shares[lane % shares.size()].push_back({.lane = lane, .token = tokens_.back()});
  }
  for (const std::vector<SendLane>& share : shares) {
    senders_.push_back(std::make_unique<Sender>(NewGrpcTransport(provider), share, &ledger_));
  }
  BELLWIRE_RETURN_IF_ERROR(Subscribe());
  next_progress_ = RealClock()->Monotonic() + kProgressEvery;
  return absl::OkStatus();
}

absl::Status Storm::Subscribe() {
  std::vector<SendLane> keyed;
  std::vector<SendLane> bare;
  for (const auto& phone : phones_) {
    struct Target {
      std::vector<SendLane>* lanes;
      Ledger* ledger;
      size_t lane;
    };
    // By instance.
    std::map<std::string, Target> targets;
    std::vector<std::string> instances;
    for (int i = 0; i < kKeyedPerPhone; ++i) {
      instances.push_back(absl::StrCat("keyed-", i));
      targets[instances.back()] = {&keyed, &ledger_,
                                   apps_.size() + keyed.size() + static_cast<size_t>(i)};
    }
    for (int i = 0; i < kBarePerPhone; ++i) {
      instances.push_back(absl::StrCat("bare-", i));
      targets[instances.back()] = {&bare, &bare_ledger_, bare.size() + static_cast<size_t>(i)};
    }
    companions_.push_back(std::make_unique<Companion>(
        phone->socket_path(), instances,
        [targets](const std::string& instance, const std::string& body) {
          const auto it = targets.find(instance);
          if (it != targets.end()) it->second.ledger->Take(it->second.lane, PayloadOfWebPush(body));
        }));
    for (const std::string& instance : instances) {
      const std::string endpoint = companions_.back()->WaitForEndpoint(instance);
      if (endpoint.empty()) return absl::DeadlineExceededError("a subscription got no endpoint");
      const Target& target = targets[instance];
      target.lanes->push_back({.lane = target.lane, .token = endpoint});
    }
  }
  senders_.push_back(std::make_unique<Sender>(NewWebPushTransport(fleet_.get(), /*with_ids=*/true),
                                              std::move(keyed), &ledger_));
  senders_.push_back(std::make_unique<Sender>(NewWebPushTransport(fleet_.get(), /*with_ids=*/false),
                                              std::move(bare), &bare_ledger_));
  bare_sender_ = senders_.back().get();
  return absl::OkStatus();
}

void Storm::KeepTheLoadUp() {
  const int64_t per_kill = options_.messages / std::max(1, options_.kills) + 1;
  const int64_t due = per_kill * (report_.kills() + 1);
  // One kill's worth ahead: the load must not pause when the kill comes.
  const int64_t share = (due + per_kill) / static_cast<int64_t>(senders_.size()) + 1;
  for (const auto& sender : senders_) sender->Allow(share);
  WaitUntil([&] { return Accepted() >= std::min(due, options_.messages); });
}

absl::Status Storm::KillSomebody() {
  KeepTheLoadUp();
  Pause(2 * options_.kill_interval);
  KillOne();
  if (Random(100) < kDoubleShare) {
    Pause(kLongestDowntime);
    KillOne();
  }
  Pause(kLongestDowntime);
  return StartAll();
}

void Storm::KillOne() {
  int dice = Random(100);
  if ((dice -= kRegistryShare) < 0) {
    if (!fleet_->registry().running()) return;
    fleet_->registry().Kill();
    ++(fragile_ ? report_.power_cuts : report_.registry_kills);
    ChooseRegistry();
  } else if ((dice -= kConnectorShare) < 0) {
    fleet_->connector(Random(2)).Kill();
    ++report_.connector_kills;
  } else if ((dice -= kGatewayShare) < 0) {
    fleet_->gateway(Random(2)).Kill();
    ++report_.gateway_kills;
  } else {
    phones_[static_cast<size_t>(Random(options_.phones))]->agent().Kill();
    ++report_.agent_kills;
  }
}

void Storm::ChooseRegistry() {
  fragile_ = Random(100) < kFragileShare;
  if (fragile_) {
    fleet_->UseRegistry(kFragileRegistry, {"--disk_seed", absl::StrCat(random_() >> 1)});
  } else {
    fleet_->UseRegistry(kRegistry);
  }
}

absl::Status Storm::StartAll() {
  BELLWIRE_RETURN_IF_ERROR(fleet_->StartAll());
  for (const auto& phone : phones_) {
    if (phone->agent().running()) continue;
    BELLWIRE_RETURN_IF_ERROR(phone->Start());
  }
  return absl::OkStatus();
}

absl::Status Storm::CalmDown() {
  const auto finished = [this] {
    bool all = true;
    for (const auto& sender : senders_) all &= sender->Finish();
    return all;
  };
  if (!WaitUntil(finished, kDrainPatience)) {
    report_.violations.push_back("Sends are not answered OK although everything runs");
  }
  const auto lost = [this] { return ledger_.Count().lost + bare_ledger_.Count().lost; };
  const auto all_taken = [this] { return ledger_.Count().taken + bare_ledger_.Count().taken; };
  int64_t taken = -1;
  while (lost() > 0 && all_taken() != taken) {
    taken = all_taken();
    WaitUntil([&] { return lost() == 0 || all_taken() != taken; }, kDrainPatience);
  }
  return absl::OkStatus();
}

void Storm::Judge() {
  report_.tally = ledger_.Count();
  report_.duration = RealClock()->Monotonic() - started_;
  std::vector<std::string>& violations = report_.violations;
  const Ledger::Tally& tally = report_.tally;
  if (tally.lost > 0) violations.push_back(absl::StrCat(tally.lost, " accepted messages lost"));
  for (const std::string& lost : ledger_.SomeLost(10)) violations.push_back("lost: " + lost);
  if (tally.twice > 0) violations.push_back(absl::StrCat(tally.twice, " messages shown twice"));
  if (tally.out_of_order > 0) {
    violations.push_back(absl::StrCat(tally.out_of_order, " messages shown out of order"));
  }
  if (tally.strays > 0) violations.push_back(absl::StrCat(tally.strays, " messages astray"));
  const Ledger::Tally& bare = report_.bare = bare_ledger_.Count();
  for (size_t lane = apps_.size(); lane < ledger_.lanes(); ++lane) {
    report_.web_pushes += ledger_.Accepted(lane);
  }
  if (bare.lost > 0 || bare.out_of_order > 0 || bare.strays > 0) {
    violations.push_back(absl::StrCat("of Web Pushes without ids ", bare.lost, " lost, ",
                                      bare.out_of_order, " out of order, ", bare.strays,
                                      " astray"));
  }
  if (bare.twice > bare_sender_->lost_answers()) {
    violations.push_back(absl::StrCat(bare.twice, " Web Pushes without ids shown again, and ",
                                      bare_sender_->lost_answers(), " answers were lost"));
  }
  for (const auto& sender : senders_) {
    report_.retries += sender->retries();
    report_.duplicates += sender->duplicates();
    for (const std::string& refusal : sender->refusals()) violations.push_back(refusal);
  }
  for (size_t lane = 0; lane < apps_.size(); ++lane) {
    report_.dropped += apps_[lane]->dropped();
    if (apps_[lane]->WaitForToken() != tokens_[lane]) {
      violations.push_back(absl::StrCat("the token of lane ", lane, " changed"));
    }
  }
  if (report_.dropped > 0) {
    violations.push_back(absl::StrCat("apps were told of ", report_.dropped, " dropped messages"));
  }
}

void Storm::Progress() {
  if (options_.progress == nullptr || RealClock()->Monotonic() < next_progress_) return;
  next_progress_ = RealClock()->Monotonic() + kProgressEvery;
  const Ledger::Tally tally = ledger_.Count();
  options_.progress(absl::StrFormat(
      "%6.0f s  %d kills, %d of them power cuts; %d accepted, %d under way, %d twice, %d out of "
      "order",
      absl::ToDoubleSeconds(RealClock()->Monotonic() - started_), report_.kills(),
      report_.power_cuts, tally.accepted, tally.lost, tally.twice, tally.out_of_order));
}

}  // namespace

absl::StatusOr<StormReport> RunStorm(const StormOptions& options) { return Storm(options).Run(); }

std::string StormReport::ToString() const {
  std::string text;
  const auto row = [&text](absl::string_view name, int64_t value) {
    absl::StrAppendFormat(&text, "%-34s %10d\n", name, value);
  };
  row("kills", kills());
  row("  gateway", gateway_kills);
  row("  connector", connector_kills);
  row("  agent", agent_kills);
  row("  registry", registry_kills);
  row("  registry, as a power cut", power_cuts);
  row("messages answered OK", tally.accepted);
  row("  sent again", retries);
  row("  known already when sent again", duplicates);
  row("messages taken by apps", tally.taken);
  row("  of them Web Pushes", web_pushes);
  row("Web Pushes without ids", bare.accepted);
  row("  taken", bare.taken);
  row("  shown again", bare.twice);
  row("lost", tally.lost);
  row("shown twice", tally.twice);
  row("shown out of order", tally.out_of_order);
  row("astray", tally.strays);
  row("dropped, by gap notices", static_cast<int64_t>(dropped));
  row("seconds", absl::ToInt64Seconds(duration));
  for (const std::string& violation : violations)
    absl::StrAppend(&text, "VIOLATION: ", violation, "\n");
  return text;
}

}  // namespace bellwire::tests
