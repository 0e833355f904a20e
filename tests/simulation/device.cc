#include "tests/simulation/device.h"

#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/random/bit_gen_ref.h"
#include "absl/strings/str_cat.h"
#include "tests/simulation/seeded_key.h"

namespace bellwire::simulation {
namespace {

constexpr char kAgentAddress[] = "agent";
constexpr char kAgentAddressForItsUser[] = "agent, for its user";
constexpr uid_t kAgentUid = 1000;
constexpr uid_t kAppUid = 2000;
// From phones whose radio is up often to those that NORMAL messages wait the longest for.
constexpr absl::Duration kHeartbeats[] = {absl::Minutes(5), absl::Minutes(12), absl::Minutes(28)};

absl::Duration HeartbeatOf(int device) {
  return kHeartbeats[static_cast<size_t>(device) % std::size(kHeartbeats)];
}
bool TellsActivity(int device) { return device % 5 != 4; }

std::optional<std::string> Read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

void Write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace

Device::Device(net::EventLoop* loop, net::SimulatedNetwork* network, Model* model, Trace* trace,
               Options options)
    : world_(loop),
      network_(network),
      model_(model),
      trace_(trace),
      options_(std::move(options)),
      loop_(loop),
      local_(&loop_, options_.seed + static_cast<uint64_t>(options_.index)),
      random_(options_.seed, "device", static_cast<uint64_t>(options_.index)),
      key_(SeededKey(Random(options_.seed, "key", static_cast<uint64_t>(options_.index)),
                     PathOf("key"))) {
  local_.set_link_options({.latency = absl::ZeroDuration()});
  for (int app = 0; app < options_.apps; ++app) {
    apps_.push_back(std::make_unique<App>(&loop_, &local_, model, AppName{options_.index, app},
                                          kAgentAddress, options_.seed));
  }
  if (TellsActivity(options_.index)) {
    power_manager_ = std::make_unique<PowerManager>(&loop_, &local_, model, options_.index,
                                                    kAgentAddressForItsUser, options_.seed);
  }
  model_->rules().SetHeartbeat(options_.index, HeartbeatOf(options_.index));
}

Device::~Device() { Detach(); }

void Device::Detach() {
  local_.StopListening(kAgentAddress);
  local_.StopListening(kAgentAddressForItsUser);
  for (const auto& app : apps_) app->Disconnect();
  if (power_manager_ != nullptr) power_manager_->Disconnect();
}

std::string Device::PathOf(const std::string& file) const {
  return absl::StrCat(options_.directory, "/", file, options_.index);
}

void Device::Boot() {
  trace_->Add(options_.index, "agent starts");
  absl::StatusOr<std::unique_ptr<agent::Inbox>> inbox =
      agent::Inbox::Open(PathOf("inbox"), &loop_.clock());
  if (!inbox.ok()) {
    return model_->Violate(options_.index,
                           absl::StrCat("the inbox does not open: ", inbox.status().ToString()));
  }
  inbox_ = *std::move(inbox);
  heartbeat_ = std::make_unique<agent::FixedHeartbeat>(HeartbeatOf(options_.index));
  std::vector<std::string> servers = options_.servers;
  std::swap(servers[0], servers[random_.Below(servers.size())]);
  core_ = std::make_unique<agent::AgentCore>(
      &loop_, inbox_.get(), key_.get(), heartbeat_.get(), absl::BitGenRef(random_),
      agent::AgentCore::Options{.servers = std::move(servers),
                                .dial =
                                    [this](const std::string& address) {
                                      // For the login.
                                      model_->rules().OnRadio(options_.index);
                                      return std::make_unique<PhoneStream>(
                                          network_->Connect(address, &ticket_), world_, &stream_,
                                          [this] { model_->rules().OnRadio(options_.index); });
                                    },
                                .agent_uid = kAgentUid});
  local_.Listen(kAgentAddress, [this](std::unique_ptr<net::Stream> stream) {
    core_->AcceptApp(std::move(stream), kAppUid);
  });
  local_.Listen(kAgentAddressForItsUser, [this](std::unique_ptr<net::Stream> stream) {
    core_->AcceptApp(std::move(stream), kAgentUid);
  });
  core_->Start();
  model_->rules().OnAgentStart(options_.index);
  for (const auto& app : apps_) app->Connect();
  if (power_manager_ != nullptr) power_manager_->Connect();
}

void Device::Crash(bool power_cut) {
  trace_->Add(options_.index, power_cut ? "power cut" : "agent is killed");
  if (power_cut && stream_ != nullptr) network_->Vanish(stream_->end());
  model_->rules().OnAway(options_.index);
  Detach();
  core_.reset();
  // Closing the inbox in good order writes to it; a process that is killed doesn't.
  const std::string path = PathOf("inbox");
  const std::optional<std::string> database = Read(path);
  const std::optional<std::string> log = Read(path + "-wal");
  inbox_.reset();
  if (database.has_value()) Write(path, *database);
  if (log.has_value()) Write(path + "-wal", *log);
}

void Device::Suspend() {
  trace_->Add(options_.index, "phone sleeps");
  loop_.Suspend();
  if (stream_ != nullptr) stream_->Suspend();
  model_->rules().OnAway(options_.index);
}

void Device::Resume() {
  trace_->Add(options_.index, "phone wakes up");
  loop_.Resume();
  if (stream_ != nullptr) stream_->Resume();
  model_->OnWake(options_.index);
}

void Device::UseForGood() {
  if (power_manager_ != nullptr) power_manager_->UseForGood();
}

}  // namespace bellwire::simulation
