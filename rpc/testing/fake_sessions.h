#ifndef BELLWIRE_RPC_TESTING_FAKE_SESSIONS_H_
#define BELLWIRE_RPC_TESTING_FAKE_SESSIONS_H_

#include <cstddef>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "rpc/registry_api.h"

namespace bellwire {

// A registry that notes which calls of sessions come, and answers them in their order when the test
// says so: with an empty response, or an error. Thread-safe.
class FakeSessions final : public SessionApi {
 public:
#define BELLWIRE_FAKE(Contract, Method, Request, Response)                       \
  void Method(Request, Done<Response> done) override {                           \
    Note(#Method, [done = std::move(done)](const absl::Status& status) mutable { \
      if (!status.ok()) return std::move(done)(status);                          \
      std::move(done)(Response());                                               \
    });                                                                          \
  }
  BELLWIRE_SESSION_METHODS(BELLWIRE_FAKE)
#undef BELLWIRE_FAKE

  // The names of all calls so far.
  std::vector<std::string> calls() const {
    absl::MutexLock lock(&mutex_);
    return calls_;
  }
  // Returns once there were so many.
  void AwaitCalls(size_t count) const {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count] {
      mutex_.AssertHeld();
      return calls_.size() >= count;
    };
    mutex_.Await(absl::Condition(&enough));
  }

  // Answers the oldest that is open. REQUIRES: there is one.
  void AnswerNext() { FailNext(absl::OkStatus()); }
  void FailNext(const absl::Status& status) {
    Answer answer;
    {
      absl::MutexLock lock(&mutex_);
      answer = std::move(open_.front());
      open_.pop_front();
    }
    std::move(answer)(status);
  }
  void AnswerAll() {
    std::deque<Answer> open;
    {
      absl::MutexLock lock(&mutex_);
      open.swap(open_);
    }
    for (Answer& answer : open) std::move(answer)(absl::OkStatus());
  }

 private:
  using Answer = absl::AnyInvocable<void(const absl::Status& status) &&>;

  void Note(const char* name, Answer answer) {
    absl::MutexLock lock(&mutex_);
    calls_.emplace_back(name);
    open_.push_back(std::move(answer));
  }

  mutable absl::Mutex mutex_;
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mutex_);
  std::deque<Answer> open_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_TESTING_FAKE_SESSIONS_H_
