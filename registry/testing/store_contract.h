#ifndef BELLWIRE_REGISTRY_TESTING_STORE_CONTRACT_H_
#define BELLWIRE_REGISTRY_TESTING_STORE_CONTRACT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/ids.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "registry/server/store.h"

// What every Store promises, as tests (*_contract.cc, a file a subject). An implementation passes
// them by instantiating StoreContractTest with a factory of its own:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreContractTest, testing::Values(NewMemoryStoreUnderTest));
namespace bellwire::registry {

// A store, and what the suite needs around it.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual Store& store() = 0;
  // The process dies and comes back: the store holds what was committed, and nothing else.
  virtual void Restart() = 0;
  // What is wrong with what was committed, for an implementation that can tell
  // (registry/check/check.h). Asked at the end of each test: no operation may leave records behind
  // that don't fit to each other.
  virtual std::vector<std::string> Problems() { return {}; }

  SimulatedClock clock;
  // What `on_hand_over` was called with.
  std::vector<ConnectorRequest> handed_over;
};

using StoreFactory = std::function<std::unique_ptr<StoreUnderTest>()>;

class StoreContractTest : public testing::TestWithParam<StoreFactory> {
 protected:
  using Strings = std::vector<std::string>;

  static constexpr char kTeam[] = "teamaaaaaa";
  static constexpr char kOtherTeam[] = "teambbbbbb";
  static constexpr char kApp[] = "com.example.mail";
  static constexpr char kApp2[] = "com.example.chat";

  void SetUp() override;
  void TearDown() override;

  Store& store() { return under_test_->store(); }
  SimulatedClock& clock() { return under_test_->clock; }
  int64_t NowMs() { return WallNowMs(clock()); }
  void Commit() { ASSERT_TRUE(store().Commit().ok()); }
  void Restart() { under_test_->Restart(); }
  // Sweeps until nothing more is due.
  void Sweep();

  static DeviceId Device(uint8_t n);
  static MessageId Id(uint32_t n);
  static Route RouteOf(uint64_t login_number);
  static PageBounds Wide() { return {.max_bytes = 1 << 20, .max_messages = 1000}; }

  void PutApp(const std::string& app_id, admin::v1::OverflowPolicy policy);
  // Registers an app of kTeam that PutApp has put.
  TokenRef Register(const DeviceId& device, const std::string& app_id = kApp);
  // Subscribes, and answers the token in the hands of a sender that holds its key.
  TokenRef Subscribe(const DeviceId& device, const Subscription& wanted);
  // The reason why the message with this number is refused. Empty: it was taken.
  std::string WhyNot(const TokenRef& token, uint32_t id);
  Envelope Message(uint32_t id, absl::Duration ttl = absl::Hours(1));
  AppendResult Append(const TokenRef& token, const Envelope& message);
  // Appends messages `first` to `last`.
  void Fill(const TokenRef& token, uint32_t first, uint32_t last);
  BindResult Bind(const DeviceId& device, uint64_t login_number);
  // Everything in the mailbox, in order: "12" for a message (its number), "gap 3" for a notice.
  Strings Mailbox(const DeviceId& device);
  void Ack(const DeviceId& device, const std::vector<uint64_t>& seqs);
  void AppAck(const TokenRef& token, uint32_t id, Step step = push::v1::APP_ACKED);
  // What was handed over since the last call, in order: "12" for a message, "gap 3" for a notice,
  // "recall 12", "evicted by 2" for the end of a session.
  Strings HandedOver();
  // "ACCEPTED STORED …"
  std::string Steps(const TokenRef& token, uint32_t id);

  std::unique_ptr<StoreUnderTest> under_test_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TESTING_STORE_CONTRACT_H_
