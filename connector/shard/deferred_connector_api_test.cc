#include "connector/shard/deferred_connector_api.h"

#include <optional>
#include <vector>

#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using internal::v1::ConnectorRequest;
using internal::v1::ConnectorResponse;

class Target final : public ConnectorApi {
 public:
  void Exchange(ConnectorRequest request, ExchangeDone done) override {
    ids.push_back(request.correlation_id());
    std::move(done)(ConnectorResponse::TAKEN);
  }
  std::vector<uint64_t> ids;
};

ConnectorRequest Request(uint64_t id) {
  ConnectorRequest request;
  request.set_correlation_id(id);
  return request;
}

TEST(DeferredConnectorApiTest, RequestsWaitAndGoOnInOrder) {
  Target target;
  DeferredConnectorApi api;
  int taken = 0;
  const auto count = [&taken](ConnectorResponse::Outcome outcome) {
    taken += outcome == ConnectorResponse::TAKEN ? 1 : 0;
  };
  api.Exchange(Request(1), count);
  api.Exchange(Request(2), count);
  EXPECT_TRUE(target.ids.empty());
  api.Set(&target);
  api.Exchange(Request(3), count);
  EXPECT_EQ(target.ids, (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(taken, 3);
}

TEST(DeferredConnectorApiTest, IsBoundedAndAnswersAtTheEnd) {
  int overloaded = 0;
  int no_session = 0;
  {
    DeferredConnectorApi api;
    for (size_t i = 0; i <= kMaxConnectorInFlight; ++i) {
      api.Exchange(Request(i), [&](ConnectorResponse::Outcome outcome) {
        overloaded += outcome == ConnectorResponse::OVERLOADED ? 1 : 0;
        no_session += outcome == ConnectorResponse::NO_SESSION ? 1 : 0;
      });
    }
    EXPECT_EQ(overloaded, 1);
    EXPECT_EQ(no_session, 0);
  }
  EXPECT_EQ(no_session, static_cast<int>(kMaxConnectorInFlight));
}

}  // namespace
}  // namespace bellwire::connector
