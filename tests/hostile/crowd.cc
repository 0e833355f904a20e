#include "tests/hostile/crowd.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "cli/provider_credentials.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "crypto/device_key.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "rpc/grpc_status.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

using admin::v1::AdminService;

constexpr int kLowPriority = 10;
constexpr int kAppsPerDevice = 500;
constexpr int kMakers = 8;
constexpr int kMessagesPerBatch = 100;
constexpr size_t kPayloadBytes = 1000;

// On `threads` threads, of which each gets its number; waits for them.
void RunThreads(int threads, const std::function<void(int)>& run) {
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([&run, i] {
      // Of this thread alone, as Linux has it.
      (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kLowPriority);
      run(i);
    });
  }
  for (std::thread& thread : all) thread.join();
}

std::string AddressOf(int n) {
  return absl::StrCat("127.", 1 + n / 65025, ".", n / 255 % 255, ".", 2 + n % 253);
}

// The first error of several threads.
class FirstError {
 public:
  void Note(absl::Status status) {
    absl::MutexLock lock(&mutex_);
    if (status_.ok()) status_ = std::move(status);
  }
  absl::Status Get() {
    absl::MutexLock lock(&mutex_);
    return status_;
  }

 private:
  absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

template <typename Method, typename Request, typename Response>
absl::Status CallAdmin(const Fleet& fleet, AdminService::Stub* stub, Method method,
                       const Request& request, Response* response) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(RealClock()->WallNow() + kPatience));
  fleet.Authorize(&context);
  return FromGrpcStatus((stub->*method)(&context, request, response));
}

struct Made {
  std::string app_id;
  std::string authorization;
  std::string made_up;
};

absl::StatusOr<Made> MakeTeam(const Fleet& fleet, AdminService::Stub* admin, int n) {
  Made made = {.app_id = absl::StrCat("com.crowd.app", n)};
  admin::v1::CreateTeamRequest team_request;
  team_request.set_name(absl::StrCat("crowd ", n));
  admin::v1::Team team;
  BELLWIRE_RETURN_IF_ERROR(
      CallAdmin(fleet, admin, &AdminService::Stub::CreateTeam, team_request, &team));
  admin::v1::CreateAppRequest app_request;
  app_request.set_team_id(team.team_id());
  app_request.set_app_id(made.app_id);
  admin::v1::App app;
  BELLWIRE_RETURN_IF_ERROR(
      CallAdmin(fleet, admin, &AdminService::Stub::CreateApp, app_request, &app));
  admin::v1::CreateKeyRequest key_request;
  key_request.set_team_id(team.team_id());
  admin::v1::CreateKeyResponse key;
  BELLWIRE_RETURN_IF_ERROR(
      CallAdmin(fleet, admin, &AdminService::Stub::CreateKey, key_request, &key));
  const auto sign = [&](const std::string& key_id) {
    return cli::SignProviderJwt(
        {.team_id = team.team_id(), .key_id = key_id, .private_key_pem = key.private_key_pem()},
        RealClock()->WallNow());
  };
  BELLWIRE_ASSIGN_OR_RETURN(const std::string jwt, sign(key.key().key_id()));
  BELLWIRE_ASSIGN_OR_RETURN(const std::string made_up, sign(NewShortId()));
  made.authorization = absl::StrCat("Bearer ", jwt);
  made.made_up = absl::StrCat("Bearer ", made_up);
  return made;
}

}  // namespace

DeviceCrowdReport RunDeviceCrowd(const Fleet& fleet, const DeviceCrowd& crowd) {
  const std::string address = fleet.device_address();
  const std::string ca_file = fleet.ca_file();
  const std::string no_room =
      absl::StrCat("GoAway ", static_cast<int>(device::v1::GoAway::NO_NEW_DEVICES));
  std::atomic<int64_t> let_in = 0, turned_away = 0, other = 0;
  const MonotonicTime began = RealClock()->Monotonic();
  RunThreads(crowd.threads, [&](int thread) {
    for (int n = thread; n < crowd.devices; n += crowd.threads) {
      const auto key = DeviceKey::Generate();
      if (!key.ok()) {
        ++other;
        continue;
      }
      const auto login =
          RawDevice::Login(address, ca_file, **key, 1, {}, AddressOf(n % crowd.addresses));
      if (login.ok()) {
        ++let_in;
      } else if (absl::StrContains(login.status().message(), no_room)) {
        ++turned_away;
      } else {
        ++other;
      }
    }
  });
  return {.let_in = let_in,
          .turned_away = turned_away,
          .other = other,
          .took = RealClock()->Monotonic() - began};
}

absl::StatusOr<std::unique_ptr<TeamCrowd>> TeamCrowd::Make(const Fleet& fleet, int teams) {
  std::unique_ptr<TeamCrowd> crowd(new TeamCrowd(fleet));
  std::vector<Made> made(static_cast<size_t>(teams));
  FirstError error;
  RunThreads(kMakers, [&](int thread) {
    const auto admin = fleet.Admin();
    for (int n = thread; n < teams; n += kMakers) {
      absl::StatusOr<Made> one = MakeTeam(fleet, admin.get(), n);
      if (!one.ok()) return error.Note(one.status());
      made[static_cast<size_t>(n)] = *std::move(one);
    }
  });
  BELLWIRE_RETURN_IF_ERROR(error.Get());
  std::unique_ptr<RawDevice> device;
  for (size_t n = 0; n < made.size(); ++n) {
    if (n % kAppsPerDevice == 0) {
      BELLWIRE_ASSIGN_OR_RETURN(const auto key, DeviceKey::Generate());
      BELLWIRE_ASSIGN_OR_RETURN(device,
                                RawDevice::Login(fleet.device_address(), fleet.ca_file(), *key, 1));
    }
    BELLWIRE_ASSIGN_OR_RETURN(std::string token, device->RegisterApp(made[n].app_id));
    crowd->teams_.push_back({.app_id = made[n].app_id,
                             .token = std::move(token),
                             .authorization = made[n].authorization,
                             .made_up = made[n].made_up});
  }
  return crowd;
}

TeamCrowdReport TeamCrowd::Abuse(int batches, int threads) const {
  std::atomic<int64_t> accepted = 0, over_quota = 0, overloaded = 0, made_up_refused = 0, other = 0;
  FirstError error;
  const auto count = [&](const absl::Status& status, int64_t messages) {
    const std::string reason = ErrorReason(status);
    if (status.ok()) {
      accepted += messages;
    } else if (reason == "QUOTA_EXCEEDED" || reason == "MAILBOX_FULL") {
      over_quota += messages;
    } else if (reason == "OVERLOADED") {
      overloaded += messages;
    } else {
      other += messages;
      error.Note(status);
    }
  };
  const MonotonicTime began = RealClock()->Monotonic();
  RunThreads(threads, [&](int thread) {
    const auto stub = push::v1::PushService::NewStub(fleet_.Channel());
    const auto call = [&](const std::string& authorization, auto method, const auto& request,
                          auto* response) {
      grpc::ClientContext context;
      context.set_deadline(absl::ToChronoTime(RealClock()->WallNow() + kPatience));
      context.set_wait_for_ready(true);
      context.AddMetadata("authorization", authorization);
      return FromGrpcStatus((stub.get()->*method)(&context, request, response));
    };
    for (int batch = 0; batch < batches; ++batch) {
      for (size_t n = static_cast<size_t>(thread); n < teams_.size();
           n += static_cast<size_t>(threads)) {
        const Team& team = teams_[n];
        push::v1::SendBatchRequest request;
        for (int i = 0; i < kMessagesPerBatch; ++i) {
          push::v1::SendRequest* const message = request.add_requests();
          message->set_token(team.token);
          message->set_payload(std::string(kPayloadBytes, 'x'));
        }
        push::v1::SendBatchResponse response;
        const absl::Status status =
            call(team.authorization, &push::v1::PushService::Stub::SendBatch, request, &response);
        if (!status.ok()) {
          count(status, kMessagesPerBatch);
        } else {
          for (const auto& result : response.results()) {
            count(result.has_error()
                      ? MakeError(static_cast<absl::StatusCode>(result.error().code()),
                                  result.error().reason(), result.error().message())
                      : absl::OkStatus(),
                  1);
          }
        }
        push::v1::SendResponse answer;
        if (absl::IsUnauthenticated(call(team.made_up, &push::v1::PushService::Stub::Send,
                                         request.requests(0), &answer))) {
          ++made_up_refused;
        }
      }
    }
  });
  TeamCrowdReport report;
  report.offered = int64_t{kMessagesPerBatch} * batches * static_cast<int64_t>(teams_.size());
  report.made_up = int64_t{batches} * static_cast<int64_t>(teams_.size());
  report.accepted = accepted;
  report.over_quota = over_quota;
  report.overloaded = overloaded;
  report.made_up_refused = made_up_refused;
  report.other = other;
  report.last_error = error.Get().ToString();
  report.took = RealClock()->Monotonic() - began;
  return report;
}

}  // namespace bellwire::tests
