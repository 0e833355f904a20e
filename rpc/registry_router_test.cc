// A fleet of registries in this process: what the router asks whom.

#include "rpc/registry_router.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/error.h"
#include "common/limits.h"
#include "gtest/gtest.h"
#include "rpc/partition_hash.h"

namespace bellwire {
namespace {

constexpr int kPartitions = 8;
constexpr char kKey[] = "secret";

// Who owns what, as all registries of a test know it, and what they were asked.
class Fleet {
 public:
  void SetShared(bool shared) {
    absl::MutexLock lock(&mutex_);
    shared_ = shared;
  }
  void Own(const std::string& address, const std::vector<int>& partitions) {
    absl::MutexLock lock(&mutex_);
    for (const int partition : partitions) owners_[partition] = address;
    ++version_;
  }
  // What is true already, and not yet in the map.
  void OwnInSecret(const std::string& address, int partition) {
    absl::MutexLock lock(&mutex_);
    secret_owners_[partition] = address;
  }
  // The owner is not ready: it says so, and names nobody.
  void SetReady(bool ready) {
    absl::MutexLock lock(&mutex_);
    ready_ = ready;
  }
  void Kill(const std::string& address) {
    absl::MutexLock lock(&mutex_);
    dead_ = address;
  }

  absl::StatusOr<internal::v1::PartitionMap> Map(const std::string& of) {
    absl::MutexLock lock(&mutex_);
    if (of == dead_) return Unavailable();
    internal::v1::PartitionMap map;
    map.set_version(version_);
    map.set_partitions(shared_ ? kPartitions : 1);
    if (!shared_) return map;
    map.set_key(kKey);
    std::map<std::string, std::vector<int>> of_owner;
    for (const auto& [partition, owner] : owners_) of_owner[owner].push_back(partition);
    for (const auto& [address, partitions] : of_owner) {
      auto* owner = map.add_owners();
      owner->set_address(address);
      for (const int p : partitions) owner->add_partitions(static_cast<uint32_t>(p));
    }
    return map;
  }
  // What `address` says to a call about this partition.
  absl::Status Answer(const std::string& address, const std::string& method, int partition) {
    absl::MutexLock lock(&mutex_);
    asked_.push_back(absl::StrCat(method, "@", address));
    if (address == dead_) return Unavailable();
    if (!shared_ || partition < 0) return absl::OkStatus();
    const auto secret = secret_owners_.find(partition);
    const std::string owner = secret != secret_owners_.end() ? secret->second : owners_[partition];
    if (owner == address && ready_) return absl::OkStatus();
    absl::Status status =
        MakeError(absl::StatusCode::kUnavailable, "NOT_OWNER", "it is another one's");
    status = WithMetadata(status, "map_version", absl::StrCat(version_ + secret_owners_.size()));
    return owner == address ? status : WithMetadata(status, "owner_address", owner);
  }
  // The connector, as the stream of a registry has it; null: there is none.
  void SetStream(const std::string& address, ConnectorEnd* connector) {
    absl::MutexLock lock(&mutex_);
    streams_[address] = connector;
  }
  ConnectorEnd* StreamOf(const std::string& address) {
    absl::MutexLock lock(&mutex_);
    return streams_[address];
  }
  void SetDevices(const std::string& address, std::vector<std::string> ids) {
    absl::MutexLock lock(&mutex_);
    devices_[address] = std::move(ids);
  }
  admin::v1::ListDevicesResponse Devices(const std::string& address) {
    absl::MutexLock lock(&mutex_);
    admin::v1::ListDevicesResponse response;
    for (const std::string& id : devices_[address]) response.add_devices()->set_device_id(id);
    return response;
  }
  std::vector<std::string> TakeAsked() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(asked_, {});
  }

 private:
  static absl::Status Unavailable() {
    return MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", "it is dead");
  }

  absl::Mutex mutex_;
  bool shared_ ABSL_GUARDED_BY(mutex_) = true;
  bool ready_ ABSL_GUARDED_BY(mutex_) = true;
  uint64_t version_ ABSL_GUARDED_BY(mutex_) = 1;
  std::string dead_ ABSL_GUARDED_BY(mutex_);
  std::map<int, std::string> owners_ ABSL_GUARDED_BY(mutex_);
  std::map<int, std::string> secret_owners_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> asked_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, ConnectorEnd*> streams_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<std::string>> devices_ ABSL_GUARDED_BY(mutex_);
};

template <typename Request, typename Response>
void Serve(Fleet* fleet, const std::string& address, const std::string& method,
           const Request& request, Done<Response> done) {
  if constexpr (std::is_same_v<Response, internal::v1::PartitionMap>) {
    std::move(done)(fleet->Map(address));
  } else {
    int partition = -1;
    if constexpr (requires { request.device_id(); }) {
      partition = PartitionOfDevice(request.device_id(), kKey, kPartitions);
    } else if (method == "PutTeam") {
      partition = kPartitions;
    }
    const absl::Status status = fleet->Answer(address, method, partition);
    if (!status.ok()) return std::move(done)(status);
    Response response;
    if constexpr (std::is_same_v<Response, admin::v1::ListDevicesResponse>) {
      response = fleet->Devices(address);
    }
    std::move(done)(std::move(response));
  }
}

#define BELLWIRE_FAKE(Contract, Method, Request, Response)                           \
  void Method(Request request, Done<Response> done) override {                       \
    Serve<Request, Response>(fleet_, address_, #Method, request, std::move(done));   \
  }

class FakeRegistry final : public UnaryRegistryApi {
 public:
  FakeRegistry(Fleet* fleet, std::string address) : fleet_(fleet), address_(std::move(address)) {}
  BELLWIRE_UNARY_METHODS(BELLWIRE_FAKE)

 private:
  Fleet* const fleet_;
  const std::string address_;
};

// A stream is there as soon as it is opened. The entry is at "a", as the client of that is.
class FakeStream final : public SessionStream {
 public:
  FakeStream(Fleet* fleet, std::string address) : fleet_(fleet), address_(std::move(address)) {}
  ~FakeStream() override { Close(); }
  BELLWIRE_SESSION_METHODS(BELLWIRE_FAKE)

  void Open(const internal::v1::Attach&, ConnectorEnd* connector) override {
    connector_ = connector;
    fleet_->SetStream(address_, connector);
    connector->OnStreamOpened({});
  }
  void Close() override {
    if (connector_ == nullptr) return;
    fleet_->SetStream(address_, nullptr);
    std::exchange(connector_, nullptr)->OnStreamBroken({});
  }

 private:
  Fleet* const fleet_;
  const std::string address_;
  ConnectorEnd* connector_ = nullptr;
};
#undef BELLWIRE_FAKE

class RegistryRouterTest : public testing::Test, public ConnectorEnd {
 protected:
  void Start() {
    router_ = RegistryRouter::New(
        {.connect = [this](const std::string& address) {
           return Client(address.empty() ? "a" : address);
         },
         .clock = RealClock()});
    AwaitRouting();
  }
  RegistryRouter::Client Client(const std::string& address) {
    return {.unary = std::make_unique<FakeRegistry>(&fleet_, address),
            .sessions = std::make_unique<FakeStream>(&fleet_, address)};
  }
  // Until the router has the map: then a call asks the right one at once.
  void AwaitRouting() {
    do {
      (void)Recall(7);
    } while (fleet_.TakeAsked().size() > 1);
  }

  // --- The connector's sessions: one of a device in each partition.
  bool HandOver(internal::v1::ConnectorRequest request) override {
    Note(absl::StrCat("handed over ", request.device_id()));
    return true;
  }
  void OnStreamBroken(const Devices& devices) override { Note("broken" + Names(devices)); }
  void OnStreamOpened(const Devices& devices) override { Note("opened" + Names(devices)); }
  void Note(std::string what) {
    absl::MutexLock lock(&mutex_);
    notes_.push_back(std::move(what));
  }
  static std::string Names(const Devices& devices) {
    if (!devices) return " all";
    std::string names;
    for (int p = 0; p < kPartitions; ++p) {
      if (devices(Device(p))) absl::StrAppend(&names, " ", p);
    }
    return names;
  }
  // What was told, once so many things were.
  std::vector<std::string> AwaitNotes(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return notes_.size() >= count;
    };
    mutex_.Await(absl::Condition(&enough));
    return std::exchange(notes_, {});
  }

  static std::string Device(int partition) {
    for (int n = 0;; ++n) {
      std::string device = absl::StrCat("device ", n);
      if (PartitionOfDevice(device, kKey, kPartitions) == partition) return device;
    }
  }
  template <typename Api, typename Request, typename Response>
  absl::Status Call(void (Api::*method)(Request, Done<Response>), Request request) {
    absl::Notification answered;
    absl::Status status;
    (static_cast<Api*>(router_.get())->*method)(std::move(request),
                                                [&](absl::StatusOr<Response> response) {
                                                  status = response.status();
                                                  answered.Notify();
                                                });
    answered.WaitForNotification();
    return status;
  }
  absl::Status Recall(int partition) {
    internal::v1::RecallRequest request;
    request.set_device_id(Device(partition));
    return Call(&MailboxApi::Recall, std::move(request));
  }
  using Asked = std::vector<std::string>;

  Fleet fleet_;
  absl::Mutex mutex_;
  std::vector<std::string> notes_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<RegistryRouter> router_;
};

TEST_F(RegistryRouterTest, TheOnlyRegistryIsAskedForEverything) {
  fleet_.SetShared(false);
  Start();
  EXPECT_TRUE(Recall(3).ok());
  EXPECT_TRUE(Call(&CatalogueApi::PutTeam, admin::v1::Team()).ok());
  EXPECT_TRUE(Call(&MailboxApi::EndWaits, internal::v1::EndWaitsRequest()).ok());
  EXPECT_EQ(fleet_.TakeAsked(), (Asked{"Recall@a", "PutTeam@a", "EndWaits@a"}));
}

TEST_F(RegistryRouterTest, EachCallGoesToTheOwner) {
  fleet_.Own("a", {0, 1, 2, 3});
  fleet_.Own("b", {4, 5, 6, 7, kPartitions});
  Start();
  EXPECT_TRUE(Recall(0).ok());
  EXPECT_TRUE(Recall(4).ok());
  EXPECT_TRUE(Call(&CatalogueApi::PutTeam, admin::v1::Team()).ok());
  EXPECT_EQ(fleet_.TakeAsked(), (Asked{"Recall@a", "Recall@b", "PutTeam@b"}));
  EXPECT_TRUE(Call(&MailboxApi::EndWaits, internal::v1::EndWaitsRequest()).ok());
  EXPECT_EQ(fleet_.TakeAsked(), (Asked{"EndWaits@a", "EndWaits@b"}));
}

TEST_F(RegistryRouterTest, WhatAnyoneCanTellIsAskedOfEachInItsTurn) {
  fleet_.Own("a", {0, 1, 2, 3, kPartitions});
  fleet_.Own("b", {4, 5, 6, 7});
  Start();
  std::map<std::string, int> asked;
  for (int n = 0; n < 10; ++n) {
    EXPECT_TRUE(Call(&KeysApi::GetKey, internal::v1::GetKeyRequest()).ok());
  }
  for (const std::string& who : fleet_.TakeAsked()) ++asked[who];
  EXPECT_GT(asked["GetKey@a"], 2);
  EXPECT_GT(asked["GetKey@b"], 2);
  fleet_.Kill("b");
  for (int n = 0; n < 10; ++n) {
    EXPECT_TRUE(Call(&KeysApi::GetKey, internal::v1::GetKeyRequest()).ok());
  }
}

// The one that has refused is not asked again.
TEST_F(RegistryRouterTest, ACallFollowsToTheNewOwnerOnce) {
  fleet_.Own("a", {0, 1, 2, 3, kPartitions});
  fleet_.Own("b", {4, 5, 6, 7});
  Start();
  fleet_.OwnInSecret("b", 0);
  EXPECT_TRUE(Recall(0).ok());
  EXPECT_EQ(fleet_.TakeAsked(), (Asked{"Recall@a", "Recall@b"}));
  EXPECT_TRUE(Recall(0).ok());
  EXPECT_EQ(fleet_.TakeAsked(), (Asked{"Recall@b"})) << "it has learned that";
}

TEST_F(RegistryRouterTest, ACallWaitsForAnOwnerThatIsNotReadyAndAsksNobodyMeanwhile) {
  fleet_.Own("a", {0, 1, 2, 3, kPartitions});
  fleet_.Own("b", {4, 5, 6, 7});
  Start();
  fleet_.SetReady(false);
  const absl::Status status = Recall(4);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrorReason(status), "REGISTRY_UNAVAILABLE") << "no reason of the fleet's own";
  EXPECT_TRUE(RetryAfter(status).has_value());
  EXPECT_EQ(fleet_.TakeAsked(), (Asked{"Recall@b"}));
}

TEST_F(RegistryRouterTest, ANewerMapNamesWhoIsAskedNext) {
  fleet_.Own("a", {0, 1, 2, 3, 4, 5, 6, kPartitions});
  fleet_.Own("b", {7});
  Start();
  fleet_.SetReady(false);
  internal::v1::RecallRequest request;
  request.set_device_id(Device(4));
  absl::Notification answered;
  router_->Recall(std::move(request), [&](absl::StatusOr<internal::v1::RecallResponse> response) {
    EXPECT_TRUE(response.ok()) << response.status();
    answered.Notify();
  });
  fleet_.SetReady(true);
  fleet_.Own("b", {4});
  answered.WaitForNotification();
  EXPECT_EQ(fleet_.TakeAsked(), (Asked{"Recall@a", "Recall@b"}));
}

TEST_F(RegistryRouterTest, ADeadOwnerIsToldAtOnceAndItsHeirIsFound) {
  fleet_.Own("a", {0, 1, 2, 3, kPartitions});
  fleet_.Own("b", {4, 5, 6, 7});
  Start();
  fleet_.Kill("a");
  EXPECT_EQ(ErrorReason(Recall(0)), "REGISTRY_UNAVAILABLE");
  EXPECT_EQ(fleet_.TakeAsked(), (Asked{"Recall@a"}));
  fleet_.Own("b", {0, 1, 2, 3, kPartitions});
  while (!Recall(0).ok()) {
  }
}

using Notes = std::vector<std::string>;

TEST_F(RegistryRouterTest, TheOnlyRegistryHasTheOneStream) {
  fleet_.SetShared(false);
  Start();
  router_->Open(internal::v1::Attach(), this);
  EXPECT_EQ(AwaitNotes(1), Notes{"opened all"});
  internal::v1::PullRequest pull;
  pull.set_device_id(Device(3));
  EXPECT_TRUE(Call(&SessionApi::Pull, pull).ok());
  router_->Close();
  EXPECT_EQ(AwaitNotes(1), Notes{"broken all"});
  EXPECT_EQ(ErrorReason(Call(&SessionApi::Pull, pull)), "REGISTRY_UNAVAILABLE");
}

TEST_F(RegistryRouterTest, EachRegistryHasAStreamForItsDevices) {
  fleet_.Own("a", {0, 1, 2, 3, kPartitions});
  fleet_.Own("b", {4, 5, 6, 7});
  Start();
  router_->Open(internal::v1::Attach(), this);
  Notes opened = AwaitNotes(2);
  std::sort(opened.begin(), opened.end());
  EXPECT_EQ(opened, (Notes{"opened 0 1 2 3", "opened 4 5 6 7"}));
  internal::v1::PullRequest pull;
  pull.set_device_id(Device(5));
  EXPECT_TRUE(Call(&SessionApi::Pull, pull).ok());
  EXPECT_EQ(fleet_.TakeAsked(), (Asked{"Pull@b"}));
  internal::v1::ConnectorRequest request;
  request.set_device_id("x");
  EXPECT_TRUE(fleet_.StreamOf("b")->HandOver(request));
  EXPECT_EQ(AwaitNotes(1), Notes{"handed over x"});
  // One stream breaks, and is there again.
  fleet_.StreamOf("b")->OnStreamBroken({});
  fleet_.StreamOf("b")->OnStreamOpened({});
  EXPECT_EQ(AwaitNotes(2), (Notes{"broken 4 5 6 7", "opened 4 5 6 7"}));
}

TEST_F(RegistryRouterTest, DevicesThatMoveHearOfIt) {
  fleet_.Own("a", {0, 1, 2, 3, kPartitions});
  fleet_.Own("b", {4, 5, 6, 7});
  Start();
  router_->Open(internal::v1::Attach(), this);
  AwaitNotes(2);
  fleet_.Own("b", {2});
  while (!Recall(2).ok()) {
  }
  EXPECT_EQ(AwaitNotes(2), (Notes{"broken 2", "opened 2"}));
}

// Also where a call has found out before the map.
TEST_F(RegistryRouterTest, DevicesWhoseMoveWasLearnedHearOfIt) {
  fleet_.Own("a", {0, 1, 2, 3, kPartitions});
  fleet_.Own("b", {4, 5, 6, 7});
  Start();
  router_->Open(internal::v1::Attach(), this);
  AwaitNotes(2);
  fleet_.OwnInSecret("b", 1);
  EXPECT_TRUE(Recall(1).ok());
  EXPECT_EQ(AwaitNotes(2), (Notes{"broken 1", "opened 1"}));
}

TEST_F(RegistryRouterTest, DevicesOfAllRegistriesAreListedAsOne) {
  fleet_.Own("a", {0, 1, 2, 3, kPartitions});
  fleet_.Own("b", {4, 5, 6, 7});
  Start();
  fleet_.SetDevices("a", {"01", "04", "05"});
  fleet_.SetDevices("b", {"02", "03"});
  admin::v1::ListDevicesRequest request;
  request.set_max(3);
  absl::Notification answered;
  router_->ListDevices(request, [&](absl::StatusOr<admin::v1::ListDevicesResponse> response) {
    ASSERT_TRUE(response.ok()) << response.status();
    std::vector<std::string> ids;
    for (const auto& device : response->devices()) ids.push_back(device.device_id());
    EXPECT_EQ(ids, (std::vector<std::string>{"01", "02", "03"}));
    EXPECT_TRUE(response->more()) << "04 is after the last one";
    answered.Notify();
  });
  answered.WaitForNotification();
}

}  // namespace
}  // namespace bellwire
