#ifndef BELLWIRE_REGISTRY_TESTING_COMMIT_LOG_CONTRACT_H_
#define BELLWIRE_REGISTRY_TESTING_COMMIT_LOG_CONTRACT_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "registry/engine/commit_log.h"

// What every CommitLog promises, as tests (commit_log_contract.cc). A log passes them by
// instantiating CommitLogContractTest with a factory of its own.
namespace bellwire::registry {

// A log, and what the suite does to it.
class CommitLogUnderTest {
 public:
  virtual ~CommitLogUnderTest() = default;
  virtual CommitLog& log() = 0;
  // Makes the commit that Append and TrimTo have added to since the last one.
  virtual absl::Status Commit() = 0;
  // The process dies, with whatever it has not committed, and comes back.
  virtual void Restart() = 0;
};

using CommitLogFactory = std::function<std::unique_ptr<CommitLogUnderTest>()>;

class CommitLogContractTest : public testing::TestWithParam<CommitLogFactory> {
 protected:
  void SetUp() override { under_test_ = GetParam()(); }

  CommitLog& log() { return under_test_->log(); }
  void Commit() { ASSERT_TRUE(under_test_->Commit().ok()); }
  void Restart() { under_test_->Restart(); }

 private:
  std::unique_ptr<CommitLogUnderTest> under_test_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TESTING_COMMIT_LOG_CONTRACT_H_
