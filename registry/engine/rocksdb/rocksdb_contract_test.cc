// RocksDbEngine keeps what every engine promises; also where the tables hear of writes at once.

#include <cstdint>
#include <memory>

#include "common/limits.h"
#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/testing/engine_contract.h"

namespace bellwire::registry {
namespace {

class RocksDbEngineUnderTest final : public EngineUnderTest {
 public:
  explicit RocksDbEngineUnderTest(uint64_t max_recent_writes_bytes)
      : max_recent_writes_bytes_(max_recent_writes_bytes) {
    Restart();
  }
  KvEngine& engine() override { return *engine_; }
  void Restart() override {
    engine_.reset();
    auto engine = RocksDbEngine::Open({.directory = directory_.path("store"),
                                       .clock = &clock_,
                                       .max_recent_writes_bytes = max_recent_writes_bytes_});
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

 private:
  const uint64_t max_recent_writes_bytes_;
  TempDir directory_;
  SimulatedClock clock_;
  std::unique_ptr<RocksDbEngine> engine_;
};

template <uint64_t bytes>
std::unique_ptr<EngineUnderTest> NewEngine() {
  return std::make_unique<RocksDbEngineUnderTest>(bytes);
}

INSTANTIATE_TEST_SUITE_P(RocksDb, EngineContractTest,
                         testing::Values(NewEngine<kMaxRecentWritesBytes>, NewEngine<500>,
                                         NewEngine<0>));

}  // namespace
}  // namespace bellwire::registry
