#ifndef BELLWIRE_TESTS_SIMULATION_REGISTRY_PROCESS_H_
#define BELLWIRE_TESTS_SIMULATION_REGISTRY_PROCESS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/ids.h"
#include "crypto/token_sealer.h"
#include "net/loop/event_loop.h"
#include "registry/engine/memory_engine.h"
#include "registry/server/group_commit.h"
#include "registry/server/kv_store.h"
#include "registry/server/service.h"
#include "rpc/registry_api.h"
#include "tests/simulation/backbone.h"
#include "tests/simulation/random.h"
#include "tests/simulation/session_link.h"
#include "tests/simulation/skewed_clock.h"

namespace bellwire::simulation {

// The registry: the real store, group commit and service over a disk that survives it. A group
// commit takes a few milliseconds, in which more gets into the next one. Single-threaded.
class RegistryProcess {
 public:
  // All must outlive it.
  RegistryProcess(net::EventLoop* loop, Backbone* backbone, const TokenSealer* sealer,
                  uint64_t seed);
  ~RegistryProcess();

  // Called by each Start, with the number above which that life numbers.
  void set_on_start(std::function<void(uint64_t numbers_after)> on_start) {
    on_start_ = std::move(on_start);
  }
  void Start();
  // The process dies, or the machine with it: in the middle of a commit if `in_commit`, of which
  // the disk then has all or nothing.
  void Crash(bool in_commit);
  bool up() const { return life_ != nullptr; }

  // Null while it is down.
  RegistryApi* api();
  // What connectors dial.
  SessionPort* session_port();
  // Looks without disturbing anything. REQUIRES: up().
  absl::StatusOr<push::v1::GetMessageResponse> Look(const TokenContents& token,
                                                    const std::string& team_id,
                                                    const MessageId& message);
  SkewedClock* clock() { return &clock_; }

 private:
  struct Life;

  net::EventLoop* const loop_;
  Backbone* const backbone_;
  const TokenSealer* const sealer_;
  Random random_;
  SkewedClock clock_;
  registry::MemoryEngine disk_;
  // As the store would keep it.
  uint64_t numbers_after_ = 0;
  std::function<void(uint64_t)> on_start_ = [](uint64_t) {};
  std::unique_ptr<Life> life_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_REGISTRY_PROCESS_H_
