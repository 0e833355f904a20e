#include "tests/simulation/backbone.h"

#include "absl/status/status.h"
#include "common/error.h"
#include "common/limits.h"

namespace bellwire::simulation {
namespace {

constexpr char kRegistry[] = "registry";

absl::Status Unreachable() {
  return WithRetryAfter(MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE",
                                  "the registry can't be reached"),
                        kRegistryRetryAfter);
}

class RegistryClient final : public UnaryRegistryApi {
 public:
  RegistryClient(Backbone* backbone, std::string caller, std::function<RegistryApi*()> find)
      : backbone_(backbone), caller_(std::move(caller)), find_(std::move(find)), calls_(backbone) {}

#define BELLWIRE_CALL(Contract, Method, Request, Response)              \
  void Method(Request request, Done<Response> done) override {          \
    Start(&Contract##Api::Method, std::move(request), std::move(done)); \
  }
  BELLWIRE_UNARY_METHODS(BELLWIRE_CALL)
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

}  // namespace

std::unique_ptr<UnaryRegistryApi> NewRegistryClient(Backbone* backbone, std::string caller,
                                               std::function<RegistryApi*()> find) {
  return std::make_unique<RegistryClient>(backbone, std::move(caller), std::move(find));
}

}  // namespace bellwire::simulation
