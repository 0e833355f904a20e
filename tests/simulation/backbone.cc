#include "tests/simulation/backbone.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/error.h"
#include "common/limits.h"
#include "rpc/hand_over_buffer.h"

namespace bellwire::simulation {
namespace {

constexpr char kRegistry[] = "registry";

absl::Status Unreachable() {
  return WithRetryAfter(MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE",
                                  "the registry can't be reached"),
                        kRegistryRetryAfter);
}

class RegistryClient final : public RegistryApi {
 public:
  RegistryClient(Backbone* backbone, std::string caller, std::function<RegistryApi*()> find)
      : backbone_(backbone), caller_(std::move(caller)), find_(std::move(find)), calls_(backbone) {}

#define BELLWIRE_CALL(Contract, Method, Request, Response)              \
  void Method(Request request, Done<Response> done) override {          \
    Start(&Contract##Api::Method, std::move(request), std::move(done)); \
  }
  BELLWIRE_REGISTRY_METHODS(BELLWIRE_CALL)
#undef BELLWIRE_CALL

 private:
  template <typename Api, typename Request, typename Response>
  void Start(void (Api::*method)(Request, Done<Response>), Request request, Done<Response> done) {
    using Answer = absl::StatusOr<Response>;
    Calls::Reply<Answer> reply =
        calls_.Begin<Answer>(std::move(done), kRegistryCallTimeout + WaitOf(request),
                             [] { return Answer(Unreachable()); });
    const std::optional<absl::Duration> there = backbone_->Travel(caller_, kRegistry);
    if (!there.has_value()) return;
    backbone_->scheduler().After(*there, [backbone = backbone_, caller = caller_, find = find_,
                                          method, reply, request = std::move(request)]() mutable {
      // The way back, which the answer takes even if who asked is gone.
      auto answer = [backbone, caller, reply](Answer result) {
        const std::optional<absl::Duration> back = backbone->Travel(kRegistry, caller);
        if (!back.has_value()) return;
        auto carried = std::make_shared<Answer>(std::move(result));
        backbone->scheduler().After(*back, [reply, carried] { reply(std::move(*carried)); });
      };
      RegistryApi* const registry = find();
      if (registry == nullptr) return answer(Unreachable());
      (registry->*method)(std::move(request), std::move(answer));
    });
  }

  Backbone* const backbone_;
  const std::string caller_;
  const std::function<RegistryApi*()> find_;
  Calls calls_;
};

using Outcome = internal::v1::ConnectorResponse::Outcome;

// How long it takes until both ends of a stream know that it broke.
constexpr absl::Duration kBreakNoticed = absl::Seconds(20);
// A stream is slow and its buffer small, so that a burst runs over it.
constexpr absl::Duration kWriteTime = absl::Milliseconds(1);
constexpr size_t kBufferBytes = size_t{8} * 1024;

class ConnectorStream final : public ConnectorApi {
 public:
  ConnectorStream(Backbone* backbone, std::string caller, std::string address,
                  std::function<ConnectorApi*(const std::string&)> find)
      : backbone_(backbone),
        caller_(std::move(caller)),
        address_(std::move(address)),
        find_(std::move(find)),
        calls_(backbone) {}
  // The caller dies.
  ~ConnectorStream() override { TellMissed(); }

  void Exchange(internal::v1::ConnectorRequest request, ExchangeDone done) override {
    Calls::Reply<Outcome> reply = calls_.Begin<Outcome>(
        std::move(done), kBreakNoticed, [] { return internal::v1::ConnectorResponse::NO_SESSION; });
    request.set_correlation_id(++last_id_);
    if (!buffer_.Push(std::move(request))) {
      return reply(internal::v1::ConnectorResponse::OVERLOADED);
    }
    replies_.emplace(last_id_, std::move(reply));
    Write();
  }

 private:
  void Write() {
    if (writing_ || buffer_.empty()) return;
    writing_ = true;
    backbone_->scheduler().After(kWriteTime, [this, alive = std::weak_ptr(alive_)] {
      if (alive.expired()) return;
      writing_ = false;
      Write();
    });
    internal::v1::ConnectorRequest request = buffer_.Pop();
    // A mark of the buffer's own has none.
    auto found = replies_.extract(request.correlation_id());
    const Calls::Reply<Outcome> reply =
        found.empty() ? Calls::Reply<Outcome>([](Outcome) {}) : std::move(found.mapped());
    const std::optional<absl::Duration> there = backbone_->Travel(caller_, address_);
    if (!there.has_value()) return TellMissed();
    // Nothing overtakes anything on one stream.
    const MonotonicTime now = backbone_->Now();
    last_arrival_ = std::max(last_arrival_, now + *there);
    backbone_->scheduler().After(
        last_arrival_ - now, [backbone = backbone_, caller = caller_, address = address_,
                              find = find_, reply, request = std::move(request)]() mutable {
          auto answer = [backbone, caller, address, reply](Outcome outcome) {
            const std::optional<absl::Duration> back = backbone->Travel(address, caller);
            if (!back.has_value()) return;
            backbone->scheduler().After(*back, [reply, outcome] { reply(outcome); });
          };
          ConnectorApi* const connector = find(address);
          if (connector == nullptr) return answer(internal::v1::ConnectorResponse::NO_SESSION);
          connector->Exchange(std::move(request), std::move(answer));
        });
  }

  // The connector's end of the stream notices that it broke.
  void TellMissed() {
    backbone_->scheduler().After(kBreakNoticed, [find = find_, address = address_] {
      ConnectorApi* const connector = find(address);
      if (connector == nullptr) return;
      internal::v1::ConnectorRequest request;
      request.mutable_missed();
      connector->Exchange(std::move(request), [](Outcome) {});
    });
  }

  Backbone* const backbone_;
  const std::string caller_;
  const std::string address_;
  const std::function<ConnectorApi*(const std::string&)> find_;
  Calls calls_;
  HandOverBuffer buffer_{kBufferBytes};
  std::map<uint64_t, Calls::Reply<Outcome>> replies_;
  uint64_t last_id_ = 0;
  bool writing_ = false;
  MonotonicTime last_arrival_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class ConnectorClients final : public ConnectorDirectory {
 public:
  ConnectorClients(Backbone* backbone, std::string caller,
                   std::function<ConnectorApi*(const std::string&)> find)
      : backbone_(backbone), caller_(std::move(caller)), find_(std::move(find)) {}

  std::shared_ptr<ConnectorApi> Find(absl::string_view address) override {
    std::shared_ptr<ConnectorApi>& stream = streams_[std::string(address)];
    if (stream == nullptr) {
      stream = std::make_shared<ConnectorStream>(backbone_, caller_, std::string(address), find_);
    }
    return stream;
  }

 private:
  Backbone* const backbone_;
  const std::string caller_;
  const std::function<ConnectorApi*(const std::string&)> find_;
  std::map<std::string, std::shared_ptr<ConnectorApi>> streams_;
};

}  // namespace

std::unique_ptr<RegistryApi> NewRegistryClient(Backbone* backbone, std::string caller,
                                               std::function<RegistryApi*()> find) {
  return std::make_unique<RegistryClient>(backbone, std::move(caller), std::move(find));
}

std::unique_ptr<ConnectorDirectory> NewConnectorClients(
    Backbone* backbone, std::string caller,
    std::function<ConnectorApi*(const std::string& address)> find) {
  return std::make_unique<ConnectorClients>(backbone, std::move(caller), std::move(find));
}

}  // namespace bellwire::simulation
