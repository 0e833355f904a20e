#ifndef BELLWIRE_TESTS_HOSTILE_BYSTANDER_H_
#define BELLWIRE_TESTS_HOSTILE_BYSTANDER_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/fleet.h"

namespace bellwire::tests {

// A provider that goes about its business beside an attack: one Send every 20 ms on one connection
// of its own, each with a deadline. It starts with its construction.
class Bystander {
 public:
  static constexpr absl::Duration kDeadline = absl::Seconds(3);

  struct Report {
    size_t sent = 0;
    size_t served = 0;
    absl::Duration slowest;
    // Of a hundred, one takes longer.
    absl::Duration p99;
    // What the last failed Send was answered.
    std::string last_error;
  };

  // `provider`'s apps own `token`. All must outlive the bystander. `gateway` is 0 or 1.
  Bystander(const Fleet& fleet, const Provider& provider, std::string token, int gateway = 0);
  ~Bystander() { Stop(); }

  // Sends that were answered OK in time so far.
  size_t served() const { return served_; }
  // Ends it and says how it was served.
  Report Stop();

 private:
  void Run();

  const Provider& provider_;
  const std::string token_;
  const std::shared_ptr<grpc::Channel> channel_;
  Report report_;
  std::vector<absl::Duration> times_;
  std::atomic<size_t> served_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

// Of a process, from /proc.
struct ProcessSize {
  size_t resident_bytes = 0;
  // The most it ever was, since the start or ResetPeak.
  size_t peak_bytes = 0;
  size_t threads = 0;
};
ProcessSize SizeOf(pid_t pid);
void ResetPeak(pid_t pid);

// Watches how many threads a process has, from its construction on.
class ThreadWatch {
 public:
  explicit ThreadWatch(pid_t pid);
  ~ThreadWatch();
  size_t most() const { return most_; }

 private:
  std::atomic<size_t> most_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_HOSTILE_BYSTANDER_H_
