#include "registry/engine/memory_engine.h"

#include <memory>

#include "gtest/gtest.h"
#include "registry/testing/engine_contract.h"

namespace bellwire::registry {
namespace {

class MemoryEngineUnderTest final : public EngineUnderTest {
 public:
  KvEngine& engine() override { return engine_; }
  void Restart() override { engine_.Crash(MemoryEngine::Unsynced::kLost); }

 private:
  MemoryEngine engine_;
};

INSTANTIATE_TEST_SUITE_P(Memory, EngineContractTest,
                         testing::Values([] { return std::make_unique<MemoryEngineUnderTest>(); }));

}  // namespace
}  // namespace bellwire::registry
