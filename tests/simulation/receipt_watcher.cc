#include "tests/simulation/receipt_watcher.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "gateway/receipts/receipt_cursor.h"

namespace bellwire::simulation {

using internal::v1::ReadReceiptsRequest;
using internal::v1::ReadReceiptsResponse;

ReceiptWatcher::ReceiptWatcher(net::EventLoop* loop, Backbone* backbone, Model* model,
                               std::vector<GatewayProcess*> gateways, std::string team,
                               uint64_t seed)
    : loop_(loop),
      backbone_(backbone),
      model_(model),
      gateways_(std::move(gateways)),
      team_(std::move(team)),
      seed_(seed),
      random_(seed, absl::StrCat("watcher of ", team_)) {}

void ReceiptWatcher::Start() {
  plans_ = std::make_unique<Scheduler>(loop_);
  client_ = std::make_unique<GatewayClient>(backbone_, absl::StrCat("watcher of ", team_),
                                            gateways_, Random(seed_, team_, random_()));
  cursor_ = saved_cursor_;
  Read();
}

void ReceiptWatcher::Crash() {
  client_.reset();
  plans_.reset();
  Start();
}

void ReceiptWatcher::Read() {
  ReadReceiptsRequest request;
  request.set_team_id(team_);
  request.set_from_now(cursor_.empty());
  request.set_max_receipts(kMaxFeedBlockReceipts);
  request.set_wait_ms(absl::ToInt64Milliseconds(kMaxReceiptWait));
  if (!cursor_.empty()) {
    const auto position = gateway::DecodeReceiptCursor(team_, cursor_);
    if (!position.ok()) return model_->Violate(Trace::kEverybody, position.status().ToString());
    request.set_after_position(position->at(0));
  }
  client_->Call<ReadReceiptsResponse>(
      kRegistryCallTimeout + kMaxReceiptWait,
      [request](GatewayProcess::Life* gateway, GatewayProcess*, auto done) {
        gateway->registry->ReadReceipts(request, std::move(done));
      },
      [this](absl::StatusOr<ReadReceiptsResponse> read) { OnRead(std::move(read)); });
}

void ReceiptWatcher::ReadSoon() {
  plans_->After(random_.Between(absl::Milliseconds(1), absl::Seconds(20)), [this] { Read(); });
}

void ReceiptWatcher::OnRead(absl::StatusOr<ReadReceiptsResponse> read) {
  if (!read.ok()) {
    const absl::string_view reason = ErrorReason(read.status());
    if (reason == "CURSOR_TOO_OLD" || reason == "BAD_CURSOR") {
      model_->Violate(Trace::kEverybody, absl::StrCat("a good cursor: ", read.status().ToString()));
    }
    return ReadSoon();
  }
  for (const internal::v1::FeedReceipt& receipt : read->receipts()) {
    const std::string token =
        gateways_[0]->sealer().Seal({.device_id = *DeviceId::FromBytes(receipt.device_id()),
                                     .registration_id = receipt.registration_id(),
                                     .app_tag = AppTag(receipt.app_id())});
    model_->OnReceipt(team_, receipt.position(), token, MessageId::FromBytes(receipt.message_id()),
                      receipt.receipt().step());
  }
  cursor_ = gateway::EncodeReceiptCursor(team_, read->next_position());
  if (saved_cursor_.empty() || random_.Chance(0.3)) saved_cursor_ = cursor_;
  if (static_cast<size_t>(read->receipts_size()) == kMaxFeedBlockReceipts) return Read();
  ReadSoon();
}

}  // namespace bellwire::simulation
