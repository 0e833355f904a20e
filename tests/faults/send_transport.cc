#include "tests/faults/send_transport.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gateway/doors/http/testing/h2_test_client.h"
#include "grpcpp/grpcpp.h"
#include "nghttp2/nghttp2.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

// What a backend repeats (push.proto).
bool IsWorthRetrying(int code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::RESOURCE_EXHAUSTED ||
         code == grpc::StatusCode::DEADLINE_EXCEEDED;
}

SendOutcome Refused(std::string why) {
  return {.kind = SendOutcome::Kind::kRefused, .why = std::move(why)};
}

class GrpcTransport final : public SendTransport {
 public:
  explicit GrpcTransport(Provider provider) : provider_(std::move(provider)) {}

  std::vector<SendOutcome> Send(const std::vector<SendItem>& items, int gateway,
                                bool* reached) override {
    push::v1::SendBatchRequest batch;
    for (const SendItem& item : items) {
      push::v1::SendRequest& request = *batch.add_requests();
      request.set_token(item.to);
      request.set_message_id(item.message_id);
      request.set_priority(push::v1::PRIORITY_HIGH);
      request.set_payload(item.payload);
    }
    const auto answer = provider_.SendBatch(batch, gateway);
    *reached = answer.ok();
    std::vector<SendOutcome> outcomes(items.size());
    for (size_t i = 0; i < items.size(); ++i) {
      if (!answer.ok()) {
        if (!IsWorthRetrying(static_cast<int>(answer.status().code()))) {
          outcomes[i] = Refused(answer.status().ToString());
        }
      } else if (answer->results_size() != batch.requests_size()) {
        outcomes[i] = Refused("a batch with too few results");
      } else {
        outcomes[i] = OutcomeOf(items[i], answer->results(static_cast<int>(i)));
      }
    }
    return outcomes;
  }

  void RenewCredential() override { provider_.RenewCredential().IgnoreError(); }

 private:
  static SendOutcome OutcomeOf(const SendItem& item, const push::v1::SendResult& result) {
    if (result.has_error()) {
      if (IsWorthRetrying(result.error().code())) return {};
      return Refused(absl::StrCat(result.error().reason(), ": ", result.error().message()));
    }
    if (result.response().outcome() != push::v1::SendResponse::ACCEPTED ||
        result.response().message_id() != item.message_id) {
      return Refused(absl::StrCat("answered ", result.response().ShortDebugString()));
    }
    return {.kind = SendOutcome::Kind::kAccepted, .duplicate = result.response().duplicate()};
  }

  Provider provider_;
};

class WebPushTransport final : public SendTransport {
 public:
  WebPushTransport(const Fleet* fleet, bool with_ids) : fleet_(fleet), with_ids_(with_ids) {}

  std::vector<SendOutcome> Send(const std::vector<SendItem>& items, int gateway,
                                bool* reached) override {
    std::vector<SendOutcome> outcomes(items.size());
    if (gateway != gateway_ || connection_ == nullptr) Connect(gateway);
    *reached = connection_ != nullptr;
    if (connection_ == nullptr) return outcomes;
    std::vector<int32_t> streams;
    for (const SendItem& item : items) {
      http::Fields fields = {{"ttl", "86400"},
                             {"urgency", "high"},
                             {"content-encoding", "aesgcm"},
                             {"encryption", "salt=c2FsdA"},
                             {"crypto-key", "dh=a2V5"}};
      if (with_ids_) fields.emplace_back("idempotency-key", item.message_id);
      const size_t path = item.to.find("/wpush/");
      streams.push_back(client_->Request(http::PostFields(item.to.substr(path), fields),
                                         WebPushBody(item.payload)));
    }
    *reached = AwaitAnswers(streams);
    for (size_t i = 0; i < items.size(); ++i) {
      const http::H2TestClient::Response& response = client_->response(streams[i]);
      outcomes[i] = OutcomeOf(response);
    }
    if (!*reached) connection_.reset();
    return outcomes;
  }

 private:
  void Connect(int gateway) {
    gateway_ = gateway;
    connection_.reset();
    auto connection = RawConnection::ConnectTls(fleet_->provider_address(gateway),
                                                {.ca_file = fleet_->ca_file(), .alpn = "\x02h2"});
    if (!connection.ok()) return;
    connection_ = std::move(*connection);
    client_ = std::make_unique<http::H2TestClient>();
  }

  // False: the connection ended before all were answered, or says that it is about to.
  bool AwaitAnswers(const std::vector<int32_t>& streams) {
    const auto answered = [&] {
      for (const int32_t stream : streams) {
        if (!client_->response(stream).closed) return false;
      }
      return true;
    };
    while (!answered()) {
      connection_->Write(client_->Output());
      const absl::StatusOr<std::string> bytes = connection_->Read();
      if (!bytes.ok() || !client_->Input(*bytes)) return false;
    }
    return !client_->goaway().has_value();
  }

  static SendOutcome OutcomeOf(const http::H2TestClient::Response& response) {
    const std::string status = response.Get(":status");
    if (status == "201") return {.kind = SendOutcome::Kind::kAccepted};
    if (response.error == NGHTTP2_REFUSED_STREAM || status == "429" || status == "408" ||
        absl::StrContains(response.body, "OVERLOADED")) {
      return {};
    }
    // With any other 5xx the gateway doesn't know what the registry did.
    if (response.error != 0 || !response.closed || status.empty() || status[0] == '5') {
      return {.kind = SendOutcome::Kind::kLost};
    }
    return Refused(absl::StrCat("status ", status, ": ", response.body));
  }

  const Fleet* const fleet_;
  const bool with_ids_;
  int gateway_ = -1;
  std::unique_ptr<RawConnection> connection_;
  std::unique_ptr<http::H2TestClient> client_;
};

// aesgcm has 18 bytes at least, and a payload of a lane 10.
constexpr absl::string_view kPadding = "aesgcm: ";

}  // namespace

std::unique_ptr<SendTransport> NewGrpcTransport(Provider provider) {
  return std::make_unique<GrpcTransport>(std::move(provider));
}

std::unique_ptr<SendTransport> NewWebPushTransport(const Fleet* fleet, bool with_ids) {
  return std::make_unique<WebPushTransport>(fleet, with_ids);
}

std::string WebPushBody(const std::string& payload) { return absl::StrCat(kPadding, payload); }

std::string PayloadOfWebPush(const std::string& body) {
  return absl::StartsWith(body, kPadding) ? body.substr(kPadding.size()) : "";
}

}  // namespace bellwire::tests
