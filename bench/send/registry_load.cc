// The registry in this process, over a store on disk, with all of its calls and none of their
// transport: how many of each it does in a second. Devices are numbered, so that a later run finds
// those of an earlier one.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/limits.h"
#include "crypto/token_sealer.h"
#include "nlohmann/json.hpp"
#include "ops/data_dir.h"
#include "ops/main_support.h"
#include "registry/server/server.h"

namespace bellwire::bench {
namespace {

constexpr char kTeam[] = "benchaaaaa";
constexpr char kApp[] = "com.example.bench";

struct Flags {
  std::string data_dir;
  uint64_t first_device = 0;
  uint64_t devices = 1000;
  uint64_t per_device = 50;
  int in_flight = 1000;
  int payload_bytes = 256;
  bool fill = false;
  bool caller_ids = false;
};

// Spread over the key space as hashes are.
std::string DeviceIdOf(uint64_t number) {
  std::string id;
  for (uint64_t salt : {1, 2}) {
    uint64_t x = number * 2 + salt;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    x ^= x >> 31;
    id.append(reinterpret_cast<const char*>(&x), sizeof(x));
  }
  return id;
}

// Counts the calls in flight, and says at the first error what it was.
class Calls {
 public:
  explicit Calls(int max_in_flight) : max_in_flight_(max_in_flight) {}

  // Runs `call` for 0 … count-1, and answers how many were done in a second.
  double Run(uint64_t count, const std::function<void(uint64_t i)>& call) {
    const MonotonicTime began = RealClock()->Monotonic();
    for (uint64_t i = 0; i < count; ++i) {
      {
        absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(this, &Calls::HasRoom));
        ++in_flight_;
      }
      call(i);
    }
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &Calls::Idle));
    return static_cast<double>(count) / absl::ToDoubleSeconds(RealClock()->Monotonic() - began);
  }

  // What a call ends with.
  template <typename Response>
  Done<Response> Then(std::function<void(const Response&)> on_ok = nullptr) {
    return [this, on_ok = std::move(on_ok)](absl::StatusOr<Response> response) {
      if (!response.ok()) {
        std::cerr << "registry_load: " << response.status() << std::endl;
        std::_Exit(1);
      }
      if (on_ok) on_ok(*response);
      absl::MutexLock lock(&mutex_);
      --in_flight_;
    };
  }

 private:
  // Waking the caller for each answer would cost more than the answer: it comes back for many.
  bool HasRoom() const {
    return filling_ ? (filling_ = in_flight_ < max_in_flight_)
                    : (filling_ = in_flight_ <= max_in_flight_ / 2);
  }
  bool Idle() const { return in_flight_ == 0; }

  const int max_in_flight_;
  absl::Mutex mutex_;
  int in_flight_ = 0;
  mutable bool filling_ = true;
};

uint64_t LogBytes(const std::string& directory) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (absl::EndsWith(entry.path().string(), ".log")) bytes += entry.file_size();
  }
  return bytes;
}

class RegistryLoad {
 public:
  RegistryLoad(const Flags& flags, RegistryApi* registry)
      : flags_(flags), registry_(registry), calls_(flags.in_flight), registrations_(flags.devices) {
    absl::BitGen random;
    payload_.resize(static_cast<size_t>(flags.payload_bytes));
    for (char& c : payload_) c = static_cast<char>(absl::Uniform<uint8_t>(random));
  }

  nlohmann::json Run() {
    admin::v1::Team team;
    team.set_team_id(kTeam);
    team.set_name("Bench");
    calls_.Run(1, [&](uint64_t) { registry_->PutTeam(team, calls_.Then<admin::v1::Team>()); });
    admin::v1::App app;
    app.set_team_id(kTeam);
    app.set_app_id(kApp);
    calls_.Run(1, [&](uint64_t) { registry_->PutApp(app, calls_.Then<admin::v1::App>()); });
    nlohmann::json out;
    out["registrations_per_second"] = calls_.Run(flags_.devices, [&](uint64_t i) {
      internal::v1::RegisterAppRequest request;
      request.set_device_id(Device(i));
      request.set_app_id(kApp);
      registry_->RegisterApp(std::move(request),
                             calls_.Then<internal::v1::RegisterAppResponse>(
                                 [this, i](const internal::v1::RegisterAppResponse& response) {
                                   registrations_[i] = response.registration_id();
                                 }));
    });
    if (flags_.fill) {
      // A device's messages together: they share its records.
      out["appends_per_second"] = calls_.Run(flags_.devices * flags_.per_device, [&](uint64_t i) {
        Append(i / flags_.per_device, /*validate_only=*/false);
      });
      return out;
    }
    const uint64_t messages = flags_.devices * flags_.per_device;
    const std::string store = DataDir(flags_.data_dir).registry();
    // One for each session to be handed: a Bind that hands nothing out waits for others' syncs.
    calls_.Run(flags_.devices, [&](uint64_t i) { Append(i, /*validate_only=*/false); });
    out["binds_per_second"] = calls_.Run(flags_.devices, [&](uint64_t i) {
      internal::v1::BindRequest request;
      request.set_device_id(Device(i));
      *request.mutable_route() = RouteOf(i);
      request.set_max_bytes(64 * 1024);
      request.set_max_messages(64);
      registry_->Bind(std::move(request), calls_.Then<internal::v1::BindResponse>(
                                              [this, i](const internal::v1::BindResponse& bound) {
                                                first_seqs_[i] = bound.page().messages(0).seq();
                                              }));
    });
    const uint64_t log_before = LogBytes(store);
    out["appends_per_second"] = calls_.Run(
        messages, [&](uint64_t i) { Append(i % flags_.devices, /*validate_only=*/false); });
    out["log_bytes_per_append"] =
        (static_cast<double>(LogBytes(store)) - static_cast<double>(log_before)) /
        static_cast<double>(messages);
    out["token_lookups_per_second"] = calls_.Run(
        messages, [&](uint64_t i) { Append(i % flags_.devices, /*validate_only=*/true); });
    out["pages_per_second"] = calls_.Run(flags_.devices * 4, [&](uint64_t i) {
      internal::v1::PullRequest request;
      request.set_device_id(Device(i % flags_.devices));
      request.set_max_bytes(64 * 1024);
      request.set_max_messages(64);
      registry_->Pull(std::move(request), calls_.Then<internal::v1::PullResponse>());
    });
    out["acks_per_second"] = calls_.Run(messages, [&](uint64_t i) {
      internal::v1::AckRequest request;
      request.set_device_id(Device(i % flags_.devices));
      *request.mutable_route() = RouteOf(i % flags_.devices);
      internal::v1::AckRequest::Item* item = request.add_items();
      item->set_seq(first_seqs_[i % flags_.devices] + i / flags_.devices);
      item->set_sent_at_ms(absl::ToUnixMillis(RealClock()->WallNow()));
      registry_->Ack(std::move(request), calls_.Then<internal::v1::AckResponse>());
    });
    return out;
  }

 private:
  std::string Device(uint64_t i) const { return DeviceIdOf(flags_.first_device + i); }

  internal::v1::Route RouteOf(uint64_t device) const {
    internal::v1::Route route;
    route.set_connector_address("bench:0");
    route.set_connector_incarnation(1);
    route.set_session_id(device + 1);
    route.set_login_number(1);
    return route;
  }

  void Append(uint64_t device, bool validate_only) {
    internal::v1::AppendRequest request;
    request.set_device_id(Device(device));
    request.set_registration_id(registrations_[device]);
    request.set_team_id(kTeam);
    request.set_validate_only(validate_only);
    request.set_message_id_is_new(!flags_.caller_ids);
    internal::v1::Envelope* message = request.mutable_message();
    message->set_message_id(std::string(NewMessageId().bytes()));
    message->set_registration_id(registrations_[device]);
    message->set_payload(payload_);
    message->set_priority(push::v1::PRIORITY_HIGH);
    message->set_accepted_at_ms(absl::ToUnixMillis(RealClock()->WallNow()));
    message->set_expires_at_ms(message->accepted_at_ms() + absl::ToInt64Milliseconds(kMaxTtl));
    registry_->Append(std::move(request), calls_.Then<internal::v1::AppendResponse>());
  }

  const Flags& flags_;
  RegistryApi* const registry_;
  Calls calls_;
  std::vector<uint64_t> registrations_;
  // Of each device, what Bind handed out first.
  std::vector<uint64_t> first_seqs_ = std::vector<uint64_t>(flags_.devices);
  std::string payload_;
};

int Run(const Flags& flags) {
  const DataDir dir(flags.data_dir);
  const auto sealer = TokenSealer::FromFile(dir.token_keys());
  if (!sealer.ok()) return std::cerr << sealer.status() << "\n", 1;
  registry::RegistryServer::Options options;
  options.data_dir = dir.registry();
  options.sealer = sealer->get();
  options.clock = RealClock();
  auto server = registry::RegistryServer::Start(std::move(options));
  if (!server.ok()) return std::cerr << server.status() << "\n", 1;
  std::cout << RegistryLoad(flags, (*server)->api()).Run() << std::endl;
  return 0;
}

}  // namespace
}  // namespace bellwire::bench

int main(int argc, char** argv) {
  CLI::App app("registry_load: the calls of a registry in this process, each for itself");
  bellwire::bench::Flags flags;
  app.add_option("--data_dir", flags.data_dir, "Made by `bellwire init`")->required();
  app.add_option("--first_device", flags.first_device, "Number of the first device")
      ->capture_default_str();
  app.add_option("--devices", flags.devices, "How many")->capture_default_str();
  app.add_option("--per_device", flags.per_device, "Messages of each device")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--in_flight", flags.in_flight, "Calls at a time")
      ->check(CLI::Range(1, 16000))
      ->capture_default_str();
  app.add_option("--payload_bytes", flags.payload_bytes, "Of one message")->capture_default_str();
  app.add_flag("--fill", flags.fill, "Only append, and leave the messages in their mailboxes");
  app.add_flag("--caller_ids", flags.caller_ids,
               "As if callers had made the message ids: the registry looks whether it knows them");
  CLI11_PARSE(app, argc, argv);
  bellwire::SkipDeadlockDetection();
  return bellwire::bench::Run(flags);
}
