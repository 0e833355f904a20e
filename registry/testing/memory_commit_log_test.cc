#include "registry/testing/memory_commit_log.h"

#include <memory>

#include "registry/testing/commit_log_contract.h"

namespace bellwire::registry {
namespace {

class MemoryCommitLogUnderTest final : public CommitLogUnderTest {
 public:
  CommitLog& log() override { return log_; }
  absl::Status Commit() override {
    log_.Commit();
    return absl::OkStatus();
  }
  void Restart() override { log_.Crash(); }

 private:
  MemoryCommitLog log_;
};

INSTANTIATE_TEST_SUITE_P(Memory, CommitLogContractTest, testing::Values([] {
                           return std::make_unique<MemoryCommitLogUnderTest>();
                         }));

}  // namespace
}  // namespace bellwire::registry
