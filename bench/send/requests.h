#ifndef BELLWIRE_BENCH_SEND_REQUESTS_H_
#define BELLWIRE_BENCH_SEND_REQUESTS_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"

namespace bellwire::bench {

// Makes the requests: to each token in turn.
class Requests {
 public:
  Requests(std::vector<std::string> tokens, int payload_bytes)
      : tokens_(std::move(tokens)), filler_(static_cast<size_t>(payload_bytes), '\0') {
    absl::BitGen random;
    // What can be compressed by nobody.
    for (char& c : filler_) c = static_cast<char>(absl::Uniform<uint8_t>(random));
  }

  void Fill(MonotonicTime began, push::v1::SendRequest* request) {
    request->set_token(tokens_[next_.fetch_add(1, std::memory_order_relaxed) % tokens_.size()]);
    request->set_priority(push::v1::PRIORITY_HIGH);
    std::string* payload = request->mutable_payload();
    *payload = filler_;
    const int64_t began_ns = began.nanoseconds();
    std::memcpy(payload->data(), &began_ns, std::min(payload->size(), sizeof(began_ns)));
  }

 private:
  const std::vector<std::string> tokens_;
  std::string filler_;
  std::atomic<uint64_t> next_{0};
};

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_SEND_REQUESTS_H_
