#ifndef BELLWIRE_BENCH_LOAD_LOAD_SESSION_H_
#define BELLWIRE_BENCH_LOAD_LOAD_SESSION_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bench/load/load_protocol.h"
#include "bench/load/tls_swarm.h"
#include "common/clock.h"
#include "net/loop/epoll_loop.h"
#include "nlohmann/json.hpp"

namespace bellwire::bench {

// What device_load is told to do, one command after the other; its --help lists them. On the loop's
// thread.
class LoadSession {
 public:
  using Answer = std::function<void(const nlohmann::json&)>;
  // All of them outlive it. `answer` gets one object for each command, perhaps much later.
  LoadSession(net::EpollLoop* loop, LoadProtocol* protocol, TlsSwarm* swarm, Answer answer);

  // A command as it was typed. Commands wait for the one before them.
  void OnLine(absl::string_view line);

 private:
  using Arguments = std::map<std::string, std::string>;
  struct Running {
    // Whether it is complete.
    std::function<bool()> done;
    std::function<nlohmann::json()> result;
    MonotonicTime started;
    MonotonicTime deadline;
  };

  void StartNext();
  void Start(const std::string& name, const Arguments& arguments);
  void Connect(const Arguments& arguments);
  void Await(const Arguments& arguments);
  void Heartbeats(const Arguments& arguments);
  void Register(const Arguments& arguments);
  void Run(const Arguments& arguments, std::function<bool()> done,
           std::function<nlohmann::json()> result);
  void Finish(const nlohmann::json& answer);
  void OnTick();
  void OnLost(size_t member);
  nlohmann::json Counts() const;
  double Seconds() const;

  net::EpollLoop* const loop_;
  LoadProtocol* const protocol_;
  TlsSwarm* const swarm_;
  const Answer answer_;
  const std::unique_ptr<net::Timer> tick_;
  std::deque<std::string> waiting_;
  std::unique_ptr<Running> running_;
  absl::BitGen random_;

  // Members that come back by themselves, and when.
  bool reconnect_ = false;
  std::multimap<MonotonicTime, size_t> comebacks_;
  std::deque<int> attempts_;
};

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_LOAD_LOAD_SESSION_H_
