#include "tests/simulation/registry_process.h"

#include <string>
#include <utility>

#include "common/limits.h"
#include "registry/keys/keys.h"
#include "registry/testing/shared_engine.h"

namespace bellwire::simulation {

// One life of the process: what a crash takes with it.
struct RegistryProcess::Life final : RegistryApi {
  explicit Life(RegistryProcess* process)
      : process(process),
        port(this,
             [this](uint64_t incarnation) {
               service.dispatcher()->OnConnectorGone(incarnation);
               CommitSoon();
             }),
        store(std::make_unique<registry::SharedEngine>(&process->disk_),
              {.clock = &process->clock_,
               .random = [process] { return process->random_(); },
               .numbers_after = process->numbers_after_,
               .on_hand_over =
                   [this](internal::v1::ConnectorRequest request) {
                     service.dispatcher()->HandOver(std::move(request));
                   },
               .on_receipts = [this](const std::string& team_id) { service.OnReceipts(team_id); },
               .on_claimable = [this] { service.OnClaimable(); }}),
        group_commit(&store),
        service(&group_commit, process->sealer_, &process->clock_),
        commit_timer(process->loop_->NewTimer([this] { RunBatch(); })),
        relay_timer(process->loop_->NewTimer([this] { Relay(); })),
        sweep_timer(process->loop_->NewTimer([this] { Sweep(); })) {
    service.dispatcher()->SetConnectors(&port);
    sweep_timer->Arm(kSweepInterval);
  }
  // Nobody is told any more.
  ~Life() override {
    service.dispatcher()->SetConnectors(nullptr);
    port.Close();
  }

  void CommitSoon() {
    if (commit_timer->armed()) return;
    commit_timer->Arm(process->random_.Between(absl::Milliseconds(1), absl::Milliseconds(4)));
  }
  void RunBatch() {
    if (group_commit.RunBatch().more) CommitSoon();
    if (!relay_timer->armed()) relay_timer->Arm(kRelayInterval);
  }
  // With the next commit, as WriterThread does it (registry/server/writer_thread.cc).
  void Relay() {
    const auto relayed = store.RelayReceipts(kMaxRelayEntries);
    group_commit.RunBatch();
    if (relayed.ok() && relayed->more) relay_timer->Arm(kRelayInterval);
  }
  void Sweep() {
    const auto swept = store.Sweep(kMaxSweepEntries);
    const bool more = swept.ok() && store.Commit().ok() && swept->more;
    service.ExpireWaits();
    if (!relay_timer->armed()) relay_timer->Arm(kRelayInterval);
    sweep_timer->Arm(more ? absl::Milliseconds(1) : kSweepInterval);
  }

  // As the port does: everything goes to the service, and the writer wakes.
#define BELLWIRE_CALL(Contract, Method, Request, Response)     \
  void Method(Request request, Done<Response> done) override { \
    service.Method(std::move(request), std::move(done));       \
    CommitSoon();                                              \
  }
  BELLWIRE_REGISTRY_METHODS(BELLWIRE_CALL)
#undef BELLWIRE_CALL

  RegistryProcess* const process;
  SessionPort port;
  registry::KvStore store;
  registry::GroupCommit group_commit;
  registry::Service service;
  const std::unique_ptr<net::Timer> commit_timer;
  const std::unique_ptr<net::Timer> relay_timer;
  const std::unique_ptr<net::Timer> sweep_timer;
};

RegistryProcess::RegistryProcess(net::EventLoop* loop, Backbone* backbone,
                                 const TokenSealer* sealer, uint64_t seed)
    : loop_(loop),
      backbone_(backbone),
      sealer_(sealer),
      random_(seed, "registry"),
      clock_(&loop->clock()) {}

RegistryProcess::~RegistryProcess() = default;

void RegistryProcess::Start() {
  numbers_after_ = registry::NumbersOfStart(clock_.WallNow(), numbers_after_);
  on_start_(numbers_after_);
  life_ = std::make_unique<Life>(this);
}

void RegistryProcess::Crash(bool in_commit) {
  if (in_commit) {
    disk_.set_fault(registry::MemoryEngine::Fault::kBeforeSync);
    life_->RunBatch();
  }
  life_.reset();
  disk_.Crash(random_.Chance(0.5) ? registry::MemoryEngine::Unsynced::kKept
                                  : registry::MemoryEngine::Unsynced::kLost);
}

RegistryApi* RegistryProcess::api() { return life_.get(); }
SessionPort* RegistryProcess::session_port() { return life_ == nullptr ? nullptr : &life_->port; }

absl::StatusOr<push::v1::GetMessageResponse> RegistryProcess::Look(const TokenContents& token,
                                                                   const std::string& team_id,
                                                                   const MessageId& message) {
  return life_->store.GetMessage(
      {.device = token.device_id, .registration_id = token.registration_id, .team_id = team_id},
      message);
}

}  // namespace bellwire::simulation
