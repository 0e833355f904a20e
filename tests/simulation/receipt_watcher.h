#ifndef BELLWIRE_TESTS_SIMULATION_RECEIPT_WATCHER_H_
#define BELLWIRE_TESTS_SIMULATION_RECEIPT_WATCHER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "net/loop/event_loop.h"
#include "tests/simulation/backbone.h"
#include "tests/simulation/gateway_process.h"
#include "tests/simulation/model.h"
#include "tests/simulation/random.h"
#include "tests/simulation/scheduler.h"

namespace bellwire::simulation {

// A team's backend that follows its receipts as WatchReceipts gives them
// (gateway/receipts/receipt_stream.h without gRPC), and writes its cursor down now and then: after
// a crash it goes on from there. Single-threaded.
class ReceiptWatcher {
 public:
  // All must outlive it.
  ReceiptWatcher(net::EventLoop* loop, Backbone* backbone, Model* model,
                 std::vector<GatewayProcess*> gateways, std::string team, uint64_t seed);

  void Start();
  // It dies, and comes back.
  void Crash();
  // Whether it has been told where the feed begins.
  bool following() const { return !saved_cursor_.empty(); }

 private:
  void Read();
  void ReadSoon();
  void OnRead(absl::StatusOr<internal::v1::ReadReceiptsResponse> read);

  net::EventLoop* const loop_;
  Backbone* const backbone_;
  Model* const model_;
  const std::vector<GatewayProcess*> gateways_;
  const std::string team_;
  const uint64_t seed_;
  Random random_;
  // On its disk.
  std::string saved_cursor_;

  // Of one life.
  std::string cursor_;
  std::unique_ptr<Scheduler> plans_;
  std::unique_ptr<GatewayClient> client_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_RECEIPT_WATCHER_H_
