// A store whose payloads are sealed passes the contract of all stores, while keys are rotated under
// it.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "crypto/payload_keys.h"
#include "gtest/gtest.h"
#include "registry/check/check.h"
#include "registry/engine/memory_engine.h"
#include "registry/sealing/sealed_engine.h"
#include "registry/server/kv_store.h"
#include "registry/testing/quotas_contract.h"
#include "registry/testing/shared_engine.h"
#include "registry/testing/store_contract.h"
#include "registry/testing/topics_contract.h"

namespace bellwire::registry {
namespace {

std::vector<std::string> ProblemsOf(const KvReader& reader) {
  CheckReport report;
  CheckRecords(
      reader, [](uint64_t) {}, &report);
  std::vector<std::string> problems;
  for (const CheckProblem& p : report.problems) problems.push_back(p.where + ": " + p.what);
  return problems;
}

// Each start brings another key: the contract's tests run in the midst of rotations.
class SealedStoreUnderTest final : public StoreUnderTest {
 public:
  SealedStoreUnderTest() { Open(); }

  Store& store() override { return *store_; }
  void Restart() override {
    engine_.Crash(MemoryEngine::Unsynced::kLost);
    Open();
  }
  std::vector<std::string> Problems() override { return ProblemsOf(*sealed_); }

 private:
  void Open() {
    keys_.insert(keys_.begin(), static_cast<uint8_t>(keys_.size() + 1));
    store_.reset();
    auto sealed = SealedEngine::Open(std::make_unique<SharedEngine>(&engine_),
                                     {.clock = &clock, .keys = PayloadKeys::ForTesting(keys_)});
    ASSERT_TRUE(sealed.ok()) << sealed.status();
    sealed_ = sealed->get();
    store_ = std::make_unique<KvStore>(
        *std::move(sealed),
        KvStore::Options{
            .clock = &clock,
            .random = [this] { return ++random_ * 0x9e3779b97f4a7c15; },
            .on_hand_over =
                [this](ConnectorRequest request) { handed_over.push_back(std::move(request)); },
            .chores = {sealed_}});
  }

  MemoryEngine engine_;
  std::vector<uint8_t> keys_;
  uint64_t random_ = 0;
  std::unique_ptr<KvStore> store_;
  // The store's.
  SealedEngine* sealed_ = nullptr;
};

std::unique_ptr<StoreUnderTest> NewSealedStore() {
  return std::make_unique<SealedStoreUnderTest>();
}
INSTANTIATE_TEST_SUITE_P(Sealed, StoreContractTest, testing::Values(NewSealedStore));
INSTANTIATE_TEST_SUITE_P(Sealed, TopicsContractTest, testing::Values(NewSealedStore));
INSTANTIATE_TEST_SUITE_P(Sealed, QuotasContractTest, testing::Values(NewSealedStore));

}  // namespace
}  // namespace bellwire::registry
