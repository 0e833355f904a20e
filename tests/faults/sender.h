#ifndef BELLWIRE_TESTS_FAULTS_SENDER_H_
#define BELLWIRE_TESTS_FAULTS_SENDER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "tests/faults/ledger.h"
#include "tests/faults/send_transport.h"

namespace bellwire::tests {

// A lane as its backend sees it.
struct SendLane {
  size_t lane = 0;
  // A device token, or the endpoint of a subscription.
  std::string token;
};

// An app backend on a thread of its own: sends on its lanes, on each one message at a time (that is
// what defines their order), all lanes' next messages together. A message that is not answered OK
// is sent again with the same id, through the other gateway, until it is, or is refused for good.
class Sender {
 public:
  // `ledger` outlives it. Sends at most `Allow`ed messages.
  Sender(std::unique_ptr<SendTransport> transport, std::vector<SendLane> lanes, Ledger* ledger);
  // Gives up what isn't answered.
  ~Sender();

  // Raises the number of messages that may be sent in all.
  void Allow(int64_t messages) { allowed_ = messages; }
  // Takes no new messages; true once every message is answered OK.
  bool Finish();

  int64_t accepted() const { return accepted_; }
  // Sent again.
  int64_t retries() const { return retries_; }
  // Sent, with an answer that was lost: the message may have been taken.
  int64_t lost_answers() const { return lost_answers_; }
  // Answered OK as something that was accepted before.
  int64_t duplicates() const { return duplicates_; }
  // Answers that no backend should get, at most a few.
  std::vector<std::string> refusals() const;

 private:
  struct Pending {
    std::string message_id;  // Empty: nothing is unanswered.
    bool refused = false;
  };

  void Run();
  void SendRound();
  void TakeAnswer(size_t index, const SendOutcome& outcome);
  void Refuse(size_t index, const std::string& why);

  const std::unique_ptr<SendTransport> transport_;
  const std::vector<SendLane> lanes_;
  Ledger* const ledger_;
  // Of the sender's thread.
  std::vector<Pending> pending_;
  int gateway_ = 0;
  int64_t taken_up_ = 0;

  std::atomic<int64_t> allowed_{0};
  std::atomic<int64_t> accepted_{0};
  std::atomic<int64_t> retries_{0};
  std::atomic<int64_t> lost_answers_{0};
  std::atomic<int64_t> duplicates_{0};
  std::atomic<bool> finishing_{false};
  std::atomic<bool> finished_{false};
  std::atomic<bool> stopping_{false};
  mutable absl::Mutex mutex_;
  std::vector<std::string> refusals_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_FAULTS_SENDER_H_
