#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "crypto/token_sealer.h"
#include "gateway/send/message_calls.h"
#include "gateway/send/send_engine.h"
#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"
#include "registry/server/group_commit.h"
#include "registry/server/kv_store.h"
#include "registry/server/service.h"

namespace bellwire {
namespace {

// Two gateways before one registry, which runs a batch in each step: the real send path from
// admission to the store, on a simulated clock and in one thread.
class SendPath {
 public:
  static constexpr absl::Duration kStep = absl::Milliseconds(10);

  SendPath() {
    for (int i = 0; i < 2; ++i) {
      gateways_.push_back(std::make_unique<gateway::SendEngine>(gateway::SendEngine::Options{
          .sealer = sealer_.get(), .mailboxes = &service_, .clock = &clock_}));
      calls_.push_back(std::make_unique<gateway::MessageCalls>(sealer_.get(), &service_,
                                                               gateways_.back()->calls(), &clock_));
    }
  }

  // Makes the team, its app, and tokens of that app on a few devices.
  void AddTeam(const std::string& team_id) {
    admin::v1::Team team;
    team.set_team_id(team_id);
    team.set_name(team_id);
    service_.PutTeam(team, [](auto put) { ASSERT_TRUE(put.ok()); });
    RunAll();
    admin::v1::App app;
    app.set_team_id(team_id);
    app.set_app_id(absl::StrCat("com.example.", team_id));
    service_.PutApp(app, [](auto put) { ASSERT_TRUE(put.ok()); });
    RunAll();
    for (char device = 'a'; device < 'e'; ++device) {
      internal::v1::RegisterAppRequest request;
      request.set_device_id(std::string(16, device));
      request.set_app_id(app.app_id());
      service_.RegisterApp(std::move(request), [this, team_id](auto registered) {
        ASSERT_TRUE(registered.ok()) << registered.status();
        tokens_[team_id].push_back(registered->token());
      });
    }
    RunAll();
  }

  struct Counts {
    size_t calls = 0;
    size_t ok = 0;
    size_t refused = 0;
    // The most batches that an answer took.
    size_t most_batches = 0;
  };

  // `ok_reason`: an error that is as good as an answer.
  template <typename Response>
  auto Counted(const std::string& team_id, const std::string& ok_reason = "none") {
    Counts& counts = counts_[team_id];
    ++counts.calls;
    return [this, &counts, ok_reason, began = batches_](absl::StatusOr<Response> response) {
      if (response.ok() || ErrorReason(response.status()) == ok_reason) {
        ++counts.ok;
        counts.most_batches = std::max(counts.most_batches, batches_ - began);
        return;
      }
      ++counts.refused;
      EXPECT_EQ(response.status().code(), absl::StatusCode::kResourceExhausted)
          << response.status();
      EXPECT_TRUE(RetryAfter(response.status()).has_value());
    };
  }

  void Send(const std::string& team_id, bool now_or_never = false) {
    push::v1::SendRequest request;
    request.set_token(NextToken(team_id));
    request.set_payload("hello");
    if (now_or_never) request.mutable_ttl();
    NextGateway().Send(team_id, std::move(request), Counted<push::v1::SendResponse>(team_id));
  }

  void GetMessage(const std::string& team_id) {
    push::v1::GetMessageRequest request;
    request.set_token(NextToken(team_id));
    request.set_message_id("11111111-2222-4333-8444-555555555555");
    calls_[next_++ % calls_.size()]->GetMessage(
        team_id, request, Counted<push::v1::GetMessageResponse>(team_id, "MESSAGE_NOT_FOUND"));
  }

  // Time passes; the registry runs a batch.
  void Step() {
    clock_.Advance(kStep);
    ++batches_;
    group_commit_.RunBatch();
  }

  // Runs all that still waits: its answers are none of a registry that shuts down.
  ~SendPath() { RunAll(); }

  const Counts& counts(const std::string& team_id) { return counts_[team_id]; }

 private:
  gateway::SendEngine& NextGateway() { return *gateways_[next_++ % gateways_.size()]; }
  const std::string& NextToken(const std::string& team_id) {
    const std::vector<std::string>& tokens = tokens_[team_id];
    return tokens[next_++ % tokens.size()];
  }
  void RunAll() {
    while (group_commit_.RunBatch().more) {
    }
  }

  SimulatedClock clock_;
  const std::unique_ptr<TokenSealer> sealer_ = TokenSealer::ForTesting();
  registry::KvStore store_{std::make_unique<registry::MemoryEngine>(),
                           {.clock = &clock_, .random = [this] { return ++random_; }}};
  std::map<std::string, Counts> counts_;
  // Before who may owe them an answer at the end.
  std::vector<std::unique_ptr<gateway::SendEngine>> gateways_;
  std::vector<std::unique_ptr<gateway::MessageCalls>> calls_;
  registry::GroupCommit group_commit_{&store_};
  registry::Service service_{&group_commit_, sealer_.get(), &clock_};
  std::map<std::string, std::vector<std::string>> tokens_;
  uint64_t random_ = 0;
  size_t next_ = 0;
  size_t batches_ = 0;
};

class OneTenantAgainstAnotherTest : public testing::TestWithParam<int> {};

// Whatever the noisy ones call, three times as much of it as the registry runs.
TEST_P(OneTenantAgainstAnotherTest, AQuietTeamIsNeverRefusedAndIsInTheNextBatch) {
  const int noisy = GetParam();
  SendPath path;
  path.AddTeam("quiet");
  for (int i = 0; i < noisy; ++i) path.AddTeam(absl::StrCat("noisy", i));
  constexpr int kSteps = 60;
  size_t sent = 0;
  for (int step = 0; step < kSteps; ++step) {
    for (size_t i = 0; i < 3 * kMaxSharedGroupCommitOperations; ++i) {
      const std::string team = absl::StrCat("noisy", i % static_cast<size_t>(noisy));
      switch (i / 7 % 3) {
        case 0:
          path.Send(team);
          break;
        case 1:
          path.Send(team, /*now_or_never=*/true);
          break;
        case 2:
          path.GetMessage(team);
          break;
      }
    }
    if (step % 5 == 4) {
      path.Send("quiet");
      path.GetMessage("quiet");
      sent += 2;
    }
    path.Step();
  }
  const SendPath::Counts& quiet = path.counts("quiet");
  EXPECT_EQ(quiet.refused, 0u);
  EXPECT_EQ(quiet.ok, sent);
  EXPECT_LE(quiet.most_batches, 1u);
  size_t refused = 0;
  for (int i = 0; i < noisy; ++i) refused += path.counts(absl::StrCat("noisy", i)).refused;
  EXPECT_GT(refused, 0u) << "there was an overload";
}

INSTANTIATE_TEST_SUITE_P(Noisy, OneTenantAgainstAnotherTest, testing::Values(1, 10, 100));

// A batch of a thousand, or a stream's window, is a team's own affair.
TEST(SendPathTest, ABatchDoesNotStandInFrontOfASend) {
  SendPath path;
  path.AddTeam("quiet");
  path.AddTeam("batches");
  for (size_t i = 0; i < kMaxBatchMessages; ++i) path.Send("batches");
  path.Send("quiet");
  path.Step();
  EXPECT_EQ(path.counts("quiet").ok, 1u);
  while (path.counts("batches").ok < kMaxBatchMessages) path.Step();
  EXPECT_EQ(path.counts("batches").refused, 0u) << "one batch alone is never refused";
}

}  // namespace
}  // namespace bellwire
