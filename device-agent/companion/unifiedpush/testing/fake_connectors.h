#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_TESTING_FAKE_CONNECTORS_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_TESTING_FAKE_CONNECTORS_H_

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "device-agent/companion/unifiedpush/connectors.h"

namespace bellwire::companion {

// Apps that do what the test says. Not thread-safe.
class FakeConnectors final : public Connectors {
 public:
  struct Pending {
    ConnectorCall call;
    std::function<void(CallOutcome)> done;
  };

  void FindOwner(const std::string& service,
                 std::function<void(const std::string& owner)> found) override {
    searches_.push_back({service, std::move(found)});
  }
  void Call(const ConnectorCall& call, std::function<void(CallOutcome)> done) override {
    calls.push_back({call, std::move(done)});
  }
  void Watch(const std::string& service) override { watched.insert(service); }
  void Unwatch(const std::string& service) override { watched.erase(service); }

  // Answers the searches for owners by `owners`.
  void RunSearches() {
    while (!searches_.empty()) {
      auto [service, found] = std::move(searches_.front());
      searches_.pop_front();
      const auto owner = owners.find(service);
      found(owner == owners.end() ? "" : owner->second);
    }
  }
  // The oldest call ends.
  void EndCall(CallOutcome outcome) {
    const std::function<void(CallOutcome)> done = std::move(calls.front().done);
    calls.pop_front();
    done(outcome);
  }

  // Well-known name to unique name.
  std::map<std::string, std::string> owners;
  // Calls that have not ended.
  std::deque<Pending> calls;
  std::multiset<std::string> watched;

 private:
  std::deque<std::pair<std::string, std::function<void(const std::string&)>>> searches_;
};

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_TESTING_FAKE_CONNECTORS_H_
