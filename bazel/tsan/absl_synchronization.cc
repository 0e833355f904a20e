// Tells ThreadSanitizer what Abseil's locks order. Debian's Abseil isn't instrumented, and its
// locks are futexes, so without this every access guarded by one looks like a race. Each function
// here takes the place of Abseil's own (the executable comes first in symbol lookup), calls that
// one, and announces the edge.
//
// Linked into tests and programs with --config=tsan only (bazel/defs.bzl).

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
}

// Abseil's inline namespace, which Debian names by its ABI.
#define NAMESPACE "_ZN4absl7debian3"
#define CONST_NAMESPACE "_ZNK4absl7debian3"
#define CONDITION "ERKNS0_9ConditionE"
#define DURATION "NS0_8DurationE"
#define TIME "NS0_4TimeE"

// The function of Abseil's library with this mangled name; members take `this` first.
#define REAL(name, Result, ...) \
  static const auto real = reinterpret_cast<Result (*)(__VA_ARGS__)>(dlsym(RTLD_NEXT, name))

namespace absl {
ABSL_NAMESPACE_BEGIN
namespace {

void Acquire(const void* object) { __tsan_acquire(const_cast<void*>(object)); }
void Release(const void* object) { __tsan_release(const_cast<void*>(object)); }

// Abseil evaluates the conditions of waiters on whichever thread holds the lock, after we have
// announced that it lets go.
class IgnoreConditions {
 public:
  IgnoreConditions() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~IgnoreConditions() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
};

}  // namespace

void Mutex::Lock() {
  REAL(NAMESPACE "5Mutex4LockEv", void, Mutex*);
  real(this);
  Acquire(this);
}

bool Mutex::TryLock() {
  REAL(NAMESPACE "5Mutex7TryLockEv", bool, Mutex*);
  const bool locked = real(this);
  if (locked) Acquire(this);
  return locked;
}

void Mutex::Unlock() {
  REAL(NAMESPACE "5Mutex6UnlockEv", void, Mutex*);
  Release(this);
  const IgnoreConditions ignore;
  real(this);
}

void Mutex::ReaderLock() {
  REAL(NAMESPACE "5Mutex10ReaderLockEv", void, Mutex*);
  real(this);
  Acquire(this);
}

bool Mutex::ReaderTryLock() {
  REAL(NAMESPACE "5Mutex13ReaderTryLockEv", bool, Mutex*);
  const bool locked = real(this);
  if (locked) Acquire(this);
  return locked;
}

void Mutex::ReaderUnlock() {
  REAL(NAMESPACE "5Mutex12ReaderUnlockEv", void, Mutex*);
  Release(this);
  const IgnoreConditions ignore;
  real(this);
}

void Mutex::Await(const Condition& condition) {
  REAL(NAMESPACE "5Mutex5Await" CONDITION, void, Mutex*, const Condition&);
  Release(this);
  {
    const IgnoreConditions ignore;
    real(this, condition);
  }
  Acquire(this);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  REAL(NAMESPACE "5Mutex16AwaitWithTimeout" CONDITION DURATION, bool, Mutex*, const Condition&,
       Duration);
  Release(this);
  bool met;
  {
    const IgnoreConditions ignore;
    met = real(this, condition, timeout);
  }
  Acquire(this);
  return met;
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  REAL(NAMESPACE "5Mutex17AwaitWithDeadline" CONDITION TIME, bool, Mutex*, const Condition&, Time);
  Release(this);
  bool met;
  {
    const IgnoreConditions ignore;
    met = real(this, condition, deadline);
  }
  Acquire(this);
  return met;
}

void Mutex::LockWhen(const Condition& condition) {
  REAL(NAMESPACE "5Mutex8LockWhen" CONDITION, void, Mutex*, const Condition&);
  {
    const IgnoreConditions ignore;
    real(this, condition);
  }
  Acquire(this);
}

bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  REAL(NAMESPACE "5Mutex19LockWhenWithTimeout" CONDITION DURATION, bool, Mutex*, const Condition&,
       Duration);
  bool met;
  {
    const IgnoreConditions ignore;
    met = real(this, condition, timeout);
  }
  Acquire(this);
  return met;
}

void CondVar::Wait(Mutex* mutex) {
  REAL(NAMESPACE "7CondVar4WaitEPNS0_5MutexE", void, CondVar*, Mutex*);
  Release(mutex);
  {
    const IgnoreConditions ignore;
    real(this, mutex);
  }
  Acquire(mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  REAL(NAMESPACE "7CondVar15WaitWithTimeoutEPNS0_5MutexE" DURATION, bool, CondVar*, Mutex*,
       Duration);
  Release(mutex);
  bool timed_out;
  {
    const IgnoreConditions ignore;
    timed_out = real(this, mutex, timeout);
  }
  Acquire(mutex);
  return timed_out;
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  REAL(NAMESPACE "7CondVar16WaitWithDeadlineEPNS0_5MutexE" TIME, bool, CondVar*, Mutex*, Time);
  Release(mutex);
  bool timed_out;
  {
    const IgnoreConditions ignore;
    timed_out = real(this, mutex, deadline);
  }
  Acquire(mutex);
  return timed_out;
}

void Notification::Notify() {
  REAL(NAMESPACE "12Notification6NotifyEv", void, Notification*);
  Release(this);
  real(this);
}

void Notification::WaitForNotification() const {
  REAL(CONST_NAMESPACE "12Notification19WaitForNotificationEv", void, const Notification*);
  real(this);
  Acquire(this);
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  REAL(CONST_NAMESPACE "12Notification30WaitForNotificationWithTimeoutE" DURATION, bool,
       const Notification*, Duration);
  const bool notified = real(this, timeout);
  if (notified) Acquire(this);
  return notified;
}

bool BlockingCounter::DecrementCount() {
  REAL(NAMESPACE "15BlockingCounter14DecrementCountEv", bool, BlockingCounter*);
  Release(this);
  return real(this);
}

void BlockingCounter::Wait() {
  REAL(NAMESPACE "15BlockingCounter4WaitEv", void, BlockingCounter*);
  real(this);
  Acquire(this);
}

ABSL_NAMESPACE_END
}  // namespace absl
