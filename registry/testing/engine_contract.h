#ifndef BELLWIRE_REGISTRY_TESTING_ENGINE_CONTRACT_H_
#define BELLWIRE_REGISTRY_TESTING_ENGINE_CONTRACT_H_

#include <functional>
#include <memory>

#include "gtest/gtest.h"
#include "registry/engine/kv_engine.h"

// What every KvEngine promises, as tests (engine_contract.cc). An engine passes them by
// instantiating EngineContractTest with a factory of its own:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, EngineContractTest,
//   testing::Values(NewMemoryEngineUnderTest));
namespace bellwire::registry {

// An engine, and what the suite does to it.
class EngineUnderTest {
 public:
  virtual ~EngineUnderTest() = default;
  virtual KvEngine& engine() = 0;
  // The process dies and comes back: the engine holds what was committed, and nothing else.
  virtual void Restart() = 0;
};

using EngineFactory = std::function<std::unique_ptr<EngineUnderTest>()>;

class EngineContractTest : public testing::TestWithParam<EngineFactory> {
 protected:
  void SetUp() override { under_test_ = GetParam()(); }

  KvEngine& engine() { return under_test_->engine(); }
  void Restart() { under_test_->Restart(); }

 private:
  std::unique_ptr<EngineUnderTest> under_test_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TESTING_ENGINE_CONTRACT_H_
