#include "rpc/registry_router.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/synchronization/mutex.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/log.h"
#include "rpc/partition_table.h"

namespace bellwire {
namespace {

using internal::v1::PartitionMap;

// Between two attempts to get a map after one that failed, and from a registry that has all.
constexpr absl::Duration kMapRetry = absl::Milliseconds(200);
// Calls that wait for a newer map; beyond it they are answered.
constexpr size_t kMaxDelayed = kMaxRegistryQueue;
// Of ListDevices, in one answer (admin/v1/devices.proto).
constexpr uint32_t kMaxListedDevices = 100;

// Places of clients that are no addresses: any of the registries, for other calls than those of
// sessions; and the one that has all, for those of sessions.
constexpr char kAny[] = "";
constexpr char kTheOnlyOne[] = "*";

// Where a call goes.
enum class Place {
  kDevice,
  // The owner of a team's feed.
  kFeed,
  // The owner of what belongs to no device.
  kHome,
  // Any registry.
  kAny,
  // All of them.
  kAll,
};

template <typename Request>
constexpr Place PlaceOf() {
  using namespace internal::v1;  // NOLINT
  if constexpr (requires(const Request& request) { request.device_id(); }) return Place::kDevice;
  if constexpr (std::is_same_v<Request, ReadReceiptsRequest>) return Place::kFeed;
  if constexpr (std::is_same_v<Request, EndWaitsRequest> ||
                std::is_same_v<Request, admin::v1::ListDevicesRequest>) {
    return Place::kAll;
  }
  // Reads of what is never in the memory of its owner alone.
  if constexpr (std::is_same_v<Request, admin::v1::ListTeamsRequest> ||
                std::is_same_v<Request, admin::v1::ListAppsRequest> ||
                std::is_same_v<Request, admin::v1::ListKeysRequest> ||
                std::is_same_v<Request, GetKeyRequest> ||
                std::is_same_v<Request, ListTopicsRequest> ||
                std::is_same_v<Request, PageSubscribersRequest> ||
                std::is_same_v<Request, GetPartitionMapRequest> ||
                std::is_same_v<Request, admin::v1::BackupRequest>) {
    return Place::kAny;
  }
  return Place::kHome;
}

absl::Status NobodyOwnsIt() {
  return WithRetryAfter(MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE",
                                  "no registry owns the device at the moment"),
                        kRegistryRetryAfter);
}

absl::Status RouterCloses() {
  return MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", "it is shutting down");
}

template <typename Api>
constexpr bool kOfSessions = std::is_same_v<Api, SessionApi>;

// What one registry has answered to a call of kAll, beside the others.
template <typename Request, typename Response>
void Merge(const Request&, Response*, Response) {}
void Merge(const admin::v1::ListDevicesRequest& request, admin::v1::ListDevicesResponse* into,
           admin::v1::ListDevicesResponse from) {
  auto* const devices = into->mutable_devices();
  for (admin::v1::Device& device : *from.mutable_devices()) *devices->Add() = std::move(device);
  std::sort(devices->begin(), devices->end(),
            [](const auto& a, const auto& b) { return a.device_id() < b.device_id(); });
  const bool bounded = request.max() != 0 && request.max() < kMaxListedDevices;
  const int max = static_cast<int>(bounded ? request.max() : kMaxListedDevices);
  into->set_more(into->more() || from.more() || devices->size() > max);
  if (devices->size() > max) devices->DeleteSubrange(max, devices->size() - max);
  // Each counts all of them, and knows those of the others as of some moments ago.
  into->set_total(std::max(into->total(), from.total()));
  into->set_max_devices(std::max(into->max_devices(), from.max_devices()));
}

class Router final : public RegistryRouter {
 public:
  explicit Router(Options options)
      : clock_(options.clock),
        connect_(std::move(options.connect)),
        thread_([this] { Loop(); }) {}

  ~Router() override {
    Close();
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    thread_.join();
    EndDelayed();
    absl::node_hash_map<std::string, Registry> registries;
    {
      absl::MutexLock lock(&mutex_);
      // Nobody begins to use one any more.
      const auto unused = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return std::none_of(registries_.begin(), registries_.end(),
                            [](const auto& registry) { return registry.second.users > 0; });
      };
      mutex_.Await(absl::Condition(&unused));
      registries.swap(registries_);
    }
    // Each cancels its calls and waits for them.
    registries.clear();
  }

#define BELLWIRE_ROUTE(Contract, Method, Request, Response)                             \
  void Method(Request request, Done<Response> done) override {                          \
    Start<Contract##Api, Request, Response>(&Contract##Api::Method, std::move(request), \
                                            std::move(done));                           \
  }
  BELLWIRE_REGISTRY_METHODS(BELLWIRE_ROUTE)
#undef BELLWIRE_ROUTE

  void Open(const internal::v1::Attach& attach, ConnectorEnd* connector) override {
    attach_ = attach;
    connector_ = connector;
    absl::MutexLock lock(&mutex_);
    open_ = true;
    woken_ = true;
  }

  void Close() override {
    {
      // From here on the loop tells nobody.
      absl::MutexLock telling(&telling_mutex_);
      closed_telling_ = true;
    }
    std::vector<SessionStream*> streams;
    std::set<std::string> held;
    {
      absl::MutexLock lock(&mutex_);
      open_ = false;
      sessions_closed_ = true;
      woken_ = true;
      const auto unused = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return std::none_of(registries_.begin(), registries_.end(),
                            [](const auto& registry) { return registry.second.users > 0; });
      };
      mutex_.Await(absl::Condition(&unused));
      for (auto& [address, registry] : registries_) {
        if (!registry.opened) continue;
        streams.push_back(registry.client.sessions.get());
        // So that it is not dropped meanwhile.
        ++registry.users;
        held.insert(address);
      }
    }
    for (SessionStream* const stream : streams) stream->Close();
    EndDelayed();
    absl::MutexLock lock(&mutex_);
    for (auto& [address, registry] : registries_) {
      if (held.count(address) > 0) --registry.users;
    }
  }

 private:
  struct Delayed {
    MonotonicTime due;
    // `closes`: it is to be answered, and not to be tried again.
    absl::AnyInvocable<void(bool closes) &&> run;
  };

  // One registry, and the connector as its stream sees it.
  struct Registry final : public ConnectorEnd {
    Registry(Router* router, std::string of, Client with)
        : router(router), address(std::move(of)), client(std::move(with)) {}

    bool HandOver(internal::v1::ConnectorRequest request) override {
      return router->connector_->HandOver(std::move(request));
    }
    void OnStreamBroken(const Devices&) override {
      router->connector_->OnStreamBroken(router->DevicesOf(address));
    }
    void OnStreamOpened(const Devices&) override {
      router->connector_->OnStreamOpened(router->DevicesOf(address));
    }

    Router* const router;
    const std::string address;
    Client client;
    // Of the router's mutex. Calls that are being started: it is destroyed when there are none.
    int users = 0;
    // Whether its stream was opened; whether that call has returned.
    bool opened = false;
    bool ready = false;
  };

  // Whose stream it is.
  ConnectorEnd::Devices DevicesOf(const std::string& address) const {
    if (address == kTheOnlyOne) return {};
    return [table = table(), address](absl::string_view device_id) {
      return table->shared() && table->OwnerOf(table->OfDevice(device_id)) == address;
    };
  }

  // Opens the stream to it, if there is to be one. By whoever uses it first; others wait for that,
  // which takes no round trip.
  void OpenStream(Registry* registry) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (!open_ || registry->client.sessions == nullptr) return;
      if (std::exchange(registry->opened, true)) {
        mutex_.Await(absl::Condition(&registry->ready));
        return;
      }
    }
    registry->client.sessions->Open(attach_, registry);
    absl::MutexLock lock(&mutex_);
    registry->ready = true;
  }

  // Starts a call with a client of this registry. False: the router closes.
  template <typename Api, typename Use>
  bool With(const std::string& address, Use use) ABSL_LOCKS_EXCLUDED(mutex_) {
    Registry* const registry = Take(address, kOfSessions<Api>);
    if (registry == nullptr) return false;
    if constexpr (kOfSessions<Api>) {
      OpenStream(registry);
      use(static_cast<Api*>(registry->client.sessions.get()));
    } else {
      use(static_cast<Api*>(registry->client.unary.get()));
    }
    absl::MutexLock lock(&mutex_);
    --registry->users;
    return true;
  }
  Registry* Take(const std::string& address, bool for_session) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (stopping_ || (for_session && (sessions_closed_ || !open_))) return nullptr;
    auto it = registries_.find(address);
    if (it == registries_.end()) {
      const std::string target = address == kTheOnlyOne ? std::string() : address;
      it = registries_.try_emplace(address, this, address, connect_(target)).first;
    }
    ++it->second.users;
    return &it->second;
  }

  // Answers all calls that wait for another map.
  void EndDelayed() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::deque<Delayed> delayed;
    {
      absl::MutexLock lock(&mutex_);
      delayed.swap(delayed_);
    }
    for (Delayed& each : delayed) std::move(each.run)(/*closes=*/true);
  }

  // A call under way.
  template <typename Api, typename Request, typename Response>
  struct Call {
    void (Api::*method)(Request, Done<Response>);
    Request request;
    Done<Response> done;
    // Of kDevice, kFeed and kHome.
    int partition = 0;
    int follows = 0;
    int waits = 0;
    // Who has refused it last, under which map.
    std::string refused_by;
    uint64_t refused_version = 0;
    // Of kAny: who did not answer.
    std::string silent;
  };

  std::shared_ptr<const PartitionTable> table() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return table_;
  }

  template <typename Api, typename Request, typename Response>
  void Start(void (Api::*method)(Request, Done<Response>), Request request, Done<Response> done) {
    const std::shared_ptr<const PartitionTable> table = this->table();
    if (table->known() && !table->shared()) {
      const bool asked = With<Api>(kOfSessions<Api> ? kTheOnlyOne : kAny, [&](Api* client) {
        (client->*method)(std::move(request), std::move(done));
      });
      if (!asked) std::move(done)(RouterCloses());
      return;
    }
    constexpr Place kPlace = PlaceOf<Request>();
    if constexpr (kPlace == Place::kAll) {
      StartAll<Api, Request, Response>(method, request, std::move(done));
      return;
    }
    auto call = std::make_shared<Call<Api, Request, Response>>();
    call->method = method;
    call->done = std::move(done);
    std::string owner;
    if (table->shared()) {
      if constexpr (kPlace == Place::kDevice) {
        call->partition = table->OfDevice(request.device_id());
      }
      if constexpr (kPlace == Place::kFeed) call->partition = table->OfFeed(request.feed());
      if constexpr (kPlace == Place::kHome) call->partition = table->home();
      owner = kPlace == Place::kAny ? AnyBut("") : table->OwnerOf(call->partition);
      // Whoever is asked reads any feed.
      if (kPlace == Place::kFeed && owner.empty()) owner = AnyBut("");
    }
    call->request = std::move(request);
    // Sessions want to know whose stream it is.
    const bool unknown = table->shared() || kOfSessions<Api>;
    if (unknown && owner.empty()) return Wait(std::move(call));
    Ask(std::move(call), owner);
  }

  // To each, and to the entry if none is known. The first error is answered.
  template <typename Api, typename Request, typename Response>
  void StartAll(void (Api::*method)(Request, Done<Response>), const Request& request,
                Done<Response> done) {
    struct All {
      absl::Mutex mutex;
      size_t left ABSL_GUARDED_BY(mutex) = 0;
      absl::Status status ABSL_GUARDED_BY(mutex);
      Response response ABSL_GUARDED_BY(mutex);
      Request request;
      Done<Response> done;
    };
    std::vector<std::string> owners = table()->owners();
    if (owners.empty()) owners.emplace_back();
    auto all = std::make_shared<All>();
    all->request = request;
    all->done = std::move(done);
    {
      absl::MutexLock lock(&all->mutex);
      all->left = owners.size();
    }
    for (const std::string& owner : owners) {
      const auto answer = [all](absl::StatusOr<Response> answered) {
        absl::Status status;
        Response response;
        {
          absl::MutexLock lock(&all->mutex);
          all->status.Update(answered.status());
          if (answered.ok()) Merge(all->request, &all->response, *std::move(answered));
          if (--all->left > 0) return;
          status = all->status;
          response = std::move(all->response);
        }
        if (status.ok()) {
          std::move(all->done)(std::move(response));
        } else {
          std::move(all->done)(status);
        }
      };
      const bool asked =
          With<Api>(owner, [&](Api* client) { (client->*method)(request, answer); });
      if (!asked) answer(RouterCloses());
    }
  }

  template <typename Api, typename Request, typename Response>
  void Ask(std::shared_ptr<Call<Api, Request, Response>> call, const std::string& owner) {
    const bool asked = With<Api>(owner, [&](Api* client) {
      (client->*call->method)(
          Request(call->request), [this, call, owner](absl::StatusOr<Response> answer) mutable {
            OnAnswer(std::move(call), owner, std::move(answer));
          });
    });
    if (!asked) std::move(call->done)(RouterCloses());
  }

  template <typename Api, typename Request, typename Response>
  void OnAnswer(std::shared_ptr<Call<Api, Request, Response>> call, const std::string& owner,
                absl::StatusOr<Response> answer) {
    const std::string reason = ErrorReason(answer.status());
    if (reason == "REGISTRY_UNAVAILABLE") {
      AskForMap();
      if (PlaceOf<Request>() == Place::kAny && call->silent.empty() && !owner.empty()) {
        Avoid(owner);
        const std::string other = AnyBut(owner);
        call->silent = owner;
        if (!other.empty() && other != owner) return Ask(std::move(call), other);
      }
    }
    if (reason != "NOT_OWNER") return std::move(call->done)(std::move(answer));
    AskForMap();
    const std::string named = ErrorMetadata(answer.status(), "owner_address").value_or("");
    uint64_t version = 0;
    (void)absl::SimpleAtoi(ErrorMetadata(answer.status(), "map_version").value_or("0"), &version);
    call->refused_by = owner;
    call->refused_version = version;
    if (!named.empty() && named != owner && call->follows++ == 0) {
      Learn(call->partition, named, version);
      return Ask(std::move(call), named);
    }
    Wait(std::move(call));
  }

  // Until the map names somebody else than who has refused the call.
  template <typename Api, typename Request, typename Response>
  void Wait(std::shared_ptr<Call<Api, Request, Response>> call) {
    AskForMap();
    if (++call->waits > RegistryRouter::kMaxMoveWaits) {
      return std::move(call->done)(NobodyOwnsIt());
    }
    absl::AnyInvocable<void(bool)&&> run = [this, call](bool closes) mutable {
      if (closes) return std::move(call->done)(NobodyOwnsIt());
      Retry(std::move(call));
    };
    {
      absl::MutexLock lock(&mutex_);
      if (!stopping_ && delayed_.size() < kMaxDelayed) {
        delayed_.push_back({clock_->Monotonic() + RegistryRouter::kMoveWait, std::move(run)});
        woken_ = true;
        return;
      }
    }
    std::move(run)(/*closes=*/true);
  }

  template <typename Api, typename Request, typename Response>
  void Retry(std::shared_ptr<Call<Api, Request, Response>> call) {
    const std::shared_ptr<const PartitionTable> table = this->table();
    if (!table->known()) return Wait(std::move(call));
    if (!table->shared()) return Ask(std::move(call), kOfSessions<Api> ? kTheOnlyOne : kAny);
    if constexpr (PlaceOf<Request>() == Place::kDevice) {
      // The first map may have come only now.
      call->partition = table->OfDevice(call->request.device_id());
    } else if constexpr (PlaceOf<Request>() == Place::kHome) {
      call->partition = table->home();
    }
    const std::string owner =
        PlaceOf<Request>() == Place::kAny ? AnyBut("") : table->OwnerOf(call->partition);
    const bool refused = owner == call->refused_by && table->version() <= call->refused_version;
    if (owner.empty() || refused) return Wait(std::move(call));
    Ask(std::move(call), owner);
  }

  void Learn(int partition, const std::string& owner, uint64_t version) {
    absl::MutexLock lock(&mutex_);
    if (!table_->shared()) return;
    auto learned = std::make_shared<PartitionTable>(*table_);
    if (learned->Learn(partition, owner, version)) {
      moved_.insert(partition);
      woken_ = true;
    }
    table_ = std::move(learned);
  }

  void Avoid(const std::string& address) {
    absl::MutexLock lock(&mutex_);
    avoided_until_[address] = clock_->Monotonic() + RegistryRouter::kAvoidFor;
  }

  // Each in its turn; empty: none is known.
  std::string AnyBut(const std::string& other) {
    absl::MutexLock lock(&mutex_);
    const std::vector<std::string>& owners = table_->owners();
    const MonotonicTime now = clock_->Monotonic();
    std::string any;
    for (size_t i = 0; i < owners.size(); ++i) {
      const std::string& owner = owners[next_any_++ % owners.size()];
      if (owner == other) continue;
      any = owner;
      const auto avoided = avoided_until_.find(owner);
      if (avoided == avoided_until_.end() || avoided->second <= now) return owner;
    }
    return any;
  }

  // As soon as possible.
  void AskForMap() {
    absl::MutexLock lock(&mutex_);
    map_wanted_ = true;
    woken_ = true;
  }

  void Loop();
  // Asks one of the registries for its map.
  void StartMapCall(bool wait) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnMap(uint64_t call, const std::string& from, absl::StatusOr<PartitionMap> map)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Install(const PartitionMap& map) ABSL_LOCKS_EXCLUDED(mutex_);
  // Opens the streams that are missing.
  void OpenStreams() ABSL_LOCKS_EXCLUDED(mutex_);
  // Destroys clients of registries that are gone, on this thread.
  void DropClients() ABSL_LOCKS_EXCLUDED(mutex_);

  // Tells the connector of devices whose registry is another one now.
  void TellMoved(const std::set<int>& moved) ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock* const clock_;
  const std::function<Client(const std::string& address)> connect_;
  // Of sessions: set by Open, before any stream is there.
  internal::v1::Attach attach_;
  ConnectorEnd* connector_ = nullptr;

  // Held while the loop tells the connector.
  absl::Mutex telling_mutex_;
  bool closed_telling_ ABSL_GUARDED_BY(telling_mutex_) = false;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Never null.
  std::shared_ptr<const PartitionTable> table_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<PartitionTable>();
  // By address, and kAny and kTheOnlyOne. In places that stay.
  absl::node_hash_map<std::string, Registry> registries_ ABSL_GUARDED_BY(mutex_);
  // There are to be streams for sessions; there are to be none any more.
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  bool sessions_closed_ ABSL_GUARDED_BY(mutex_) = false;
  // Partitions of devices whose new owner was learned, and the connector not told.
  std::set<int> moved_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, MonotonicTime> avoided_until_ ABSL_GUARDED_BY(mutex_);
  size_t next_any_ ABSL_GUARDED_BY(mutex_) = 0;
  // In the order of `due`.
  std::deque<Delayed> delayed_ ABSL_GUARDED_BY(mutex_);
  // The loop has something new to look at.
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  // Somebody has found the map out of date.
  bool map_wanted_ ABSL_GUARDED_BY(mutex_) = false;
  // The latest call for a map, and whether it is unanswered.
  uint64_t map_call_ ABSL_GUARDED_BY(mutex_) = 0;
  bool map_under_way_ ABSL_GUARDED_BY(mutex_) = false;
  MonotonicTime next_map_call_ ABSL_GUARDED_BY(mutex_);
  std::optional<PartitionMap> new_map_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

void Router::StartMapCall(bool wait) {
  // One that is not answering is passed by.
  const std::string from = AnyBut("");
  internal::v1::GetPartitionMapRequest request;
  uint64_t number = 0;
  {
    absl::MutexLock lock(&mutex_);
    number = ++map_call_;
    map_under_way_ = true;
    request.set_known_version(table_->version());
  }
  if (wait) request.set_wait_ms(absl::ToInt64Milliseconds(kMaxMapWait));
  With<PartitionApi>(from, [&](PartitionApi* client) {
    client->GetMap(std::move(request), [this, number, from](absl::StatusOr<PartitionMap> map) {
      OnMap(number, from, std::move(map));
    });
  });
}

void Router::OnMap(uint64_t call, const std::string& from, absl::StatusOr<PartitionMap> map) {
  if (!map.ok() && !from.empty()) Avoid(from);
  absl::MutexLock lock(&mutex_);
  if (call == map_call_) {
    map_under_way_ = false;
    if (!map.ok()) next_map_call_ = clock_->Monotonic() + kMapRetry;
  }
  woken_ = true;
  if (map.ok()) {
    new_map_ = *std::move(map);
  } else if (absl::IsUnimplemented(map.status())) {
    // A registry from before there were several.
    new_map_ = PartitionMap();
    next_map_call_ = clock_->Monotonic() + absl::Minutes(1);
  }
}

void Router::Install(const PartitionMap& map) {
  const auto table = std::make_shared<PartitionTable>(map);
  std::set<int> moved;
  {
    absl::MutexLock lock(&mutex_);
    if (table_->known() && table->version() <= table_->version() &&
        table->shared() == table_->shared()) {
      return;
    }
    table->KeepNewer(*table_);
    if (table->shared() && table_->shared()) moved = table->MovedSince(*table_);
    moved_.insert(moved.begin(), moved.end());
    table_ = table;
  }
  if (!table->shared()) return;
  LogInfo("partition_map", {{"version", table->version()},
                            {"registries", table->owners().size()},
                            {"moved", moved.size()}});
}

void Router::TellMoved(const std::set<int>& moved) {
  absl::MutexLock telling(&telling_mutex_);
  if (closed_telling_) return;
  const ConnectorEnd::Devices devices = [table = table(), moved](absl::string_view device_id) {
    return table->shared() && moved.count(table->OfDevice(device_id)) > 0;
  };
  connector_->OnStreamBroken(devices);
  connector_->OnStreamOpened(devices);
}

void Router::OpenStreams() {
  const std::shared_ptr<const PartitionTable> table = this->table();
  if (!table->known()) return;
  std::vector<std::string> addresses = table->owners();
  if (!table->shared()) addresses = {kTheOnlyOne};
  for (const std::string& address : addresses) {
    Registry* const registry = Take(address, /*for_session=*/true);
    if (registry == nullptr) return;
    OpenStream(registry);
    absl::MutexLock lock(&mutex_);
    --registry->users;
  }
}

void Router::DropClients() {
  std::vector<absl::node_hash_map<std::string, Registry>::node_type> leaving;
  {
    absl::MutexLock lock(&mutex_);
    const std::vector<std::string>& owners = table_->owners();
    for (auto it = registries_.begin(); it != registries_.end();) {
      const auto next = std::next(it);
      // Where one registry has all, it has one stream: that of its address would be a second one.
      const bool stays = it->first == kAny ||
                         (table_->shared() ? std::find(owners.begin(), owners.end(), it->first) !=
                                                 owners.end()
                                           : it->first == kTheOnlyOne);
      if (!stays && it->second.users == 0) {
        leaving.push_back(registries_.extract(it));
        avoided_until_.erase(leaving.back().key());
      }
      it = next;
    }
  }
  // Without the lock: each answers what is unanswered, and its stream tells that it broke.
  leaving.clear();
}

void Router::Loop() {
  while (true) {
    std::optional<PartitionMap> map;
    std::vector<Delayed> due;
    bool call = false, hurry = false;
    {
      absl::MutexLock lock(&mutex_);
      const MonotonicTime now = clock_->Monotonic();
      MonotonicTime next = now + absl::Seconds(1);
      if (!delayed_.empty()) next = std::min(next, delayed_.front().due);
      if (!map_under_way_ || map_wanted_) next = std::min(next, std::max(now, next_map_call_));
      woken_ = false;
      mutex_.AwaitWithTimeout(absl::Condition(
                                  +[](Router* self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) {
                                    return self->stopping_ || self->woken_ ||
                                           self->new_map_.has_value();
                                  },
                                  this),
                              next - now);
      if (stopping_) return;
      map = std::exchange(new_map_, std::nullopt);
      const MonotonicTime after = clock_->Monotonic();
      while (!delayed_.empty() && delayed_.front().due <= after) {
        due.push_back(std::move(delayed_.front()));
        delayed_.pop_front();
      }
      if (after >= next_map_call_ && (!map_under_way_ || map_wanted_)) {
        call = true;
        hurry = std::exchange(map_wanted_, false);
        next_map_call_ = after + RegistryRouter::kMoveWait;
      }
    }
    if (map.has_value()) {
      Install(*map);
      DropClients();
    }
    OpenStreams();
    std::set<int> moved;
    {
      absl::MutexLock lock(&mutex_);
      moved.swap(moved_);
      if (!open_) moved.clear();
    }
    if (!moved.empty()) TellMoved(moved);
    if (call) StartMapCall(/*wait=*/!hurry);
    for (Delayed& each : due) std::move(each.run)(/*closes=*/false);
  }
}

}  // namespace

std::unique_ptr<RegistryRouter> RegistryRouter::New(Options options) {
  return std::make_unique<Router>(std::move(options));
}

}  // namespace bellwire
