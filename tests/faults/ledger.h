#ifndef BELLWIRE_TESTS_FAULTS_LEDGER_H_
#define BELLWIRE_TESTS_FAULTS_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace bellwire::tests {

// What was answered OK to the senders, and what the apps took: the two must agree, whatever dies.
//
// A lane is a token: one sender sends its messages 1, 2, 3, … one after the other, each until it is
// answered OK; so the app must take 1, 2, 3, …, each once. Thread-safe.
class Ledger {
 public:
  // What went wrong, all zero if nothing did; and how much went.
  struct Tally {
    int64_t accepted = 0;
    int64_t taken = 0;
    int64_t lost = 0;          // Answered OK and not taken.
    int64_t twice = 0;         // Taken again.
    int64_t out_of_order = 0;  // Taken before an earlier one.
    int64_t strays = 0;        // Of another lane, or not what was sent.

    bool clean() const { return lost == 0 && twice == 0 && out_of_order == 0 && strays == 0; }
  };

  explicit Ledger(size_t lanes);

  size_t lanes() const { return lanes_.size(); }
  // The payload of a message: says which it is, and can't be mistaken for another. 10 to 4,000
  // bytes.
  static std::string Payload(size_t lane, int64_t number);

  // The lane's next message was answered OK.
  void Accept(size_t lane);
  // The app of `lane` took a message.
  void Take(size_t lane, absl::string_view payload);

  int64_t Accepted(size_t lane) const;
  // Answered OK and not taken yet.
  int64_t Outstanding(size_t lane) const;
  // At this moment: what is under way counts as lost.
  Tally Count() const;
  // Numbers of a few that count as lost, "lane/number" each, for whoever looks for the reason.
  std::vector<std::string> SomeLost(size_t limit) const;

 private:
  struct Lane {
    mutable absl::Mutex mutex;
    int64_t accepted ABSL_GUARDED_BY(mutex) = 0;
    // All before it were taken.
    int64_t next ABSL_GUARDED_BY(mutex) = 1;
    // Taken ahead of `next`.
    std::set<int64_t> early ABSL_GUARDED_BY(mutex);
    Tally wrong ABSL_GUARDED_BY(mutex);
  };
  // Accepted and not taken.
  static int64_t Missing(const Lane& lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lane.mutex);

  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_FAULTS_LEDGER_H_
