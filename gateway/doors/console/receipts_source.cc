#include "gateway/doors/console/receipts_source.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/admin/v1/support.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "gateway/call/rpc_call.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/json/message_json.h"
#include "google/protobuf/util/time_util.h"

namespace bellwire::gateway {
namespace {

using push::v1::WatchReceiptsResponse;

constexpr absl::string_view kMethod = "/bellwire.admin.v1.SupportService/WatchReceipts";

absl::Time TimeOf(const WatchReceiptsResponse& response) {
  return absl::FromUnixNanos(google::protobuf::util::TimeUtil::TimestampToNanoseconds(
      response.receipt().time()));
}

}  // namespace

// The call of WatchReceipts. What the service writes waits here until it is taken; once there are
// kMaxReceiptsAtOnce, or after kReceiptTurnsAtOnce, the service waits too, and reads nothing from
// the registry meanwhile.
class ReceiptsSource::Call final : public RpcCall {
 public:
  Call(const Options& options, absl::string_view admin_token, std::string cursor)
      : metadata_{{"authorization", absl::StrCat("Bearer ", admin_token)}},
        peer_(options.peer),
        thread_(options.thread),
        counted_(options.counted) {
    request_.set_team_id(options.team_id);
    request_.set_cursor(std::move(cursor));
  }

  // What was written since the last time.
  struct Taken {
    std::vector<WatchReceiptsResponse> receipts;
    std::string cursor;
    // The call has ended, and nothing comes after `receipts`.
    std::optional<absl::Status> end;
  };
  Taken Take() {
    Taken taken;
    std::optional<Done> held;
    Turn turn;
    {
      absl::MutexLock lock(&mu_);
      taken.receipts.swap(receipts_);
      taken.cursor.swap(cursor_);
      taken.end = end_;
      held.swap(held_);
      turn = std::exchange(turn_, nullptr);
      turns_ = 0;
    }
    if (held.has_value()) std::move(*held)(true);
    if (turn) InTurn(std::move(turn));
    return taken;
  }

  // Nobody takes anything any more.
  void Abandon() {
    absl::AnyInvocable<void() &&> on_cancel;
    {
      absl::MutexLock lock(&mu_);
      on_cancel = std::exchange(on_cancel_, nullptr);
    }
    if (on_cancel) std::move(on_cancel)();
    Cancel();
  }

  // --- As the service sees it.
  const http::HeaderList& metadata() const override { return metadata_; }
  const std::string& peer() const override { return peer_; }
  void Read(google::protobuf::MessageLite* into, Done done) override {
    const bool is_first = !std::exchange(was_read_, true);
    if (is_first) static_cast<admin::v1::WatchTeamReceiptsRequest*>(into)->CopyFrom(request_);
    std::move(done)(is_first);
  }
  void Write(const google::protobuf::MessageLite* message, Done done) override {
    const auto& response = *static_cast<const WatchReceiptsResponse*>(message);
    bool goes_on;
    {
      absl::MutexLock lock(&mu_);
      goes_on = !end_.has_value();
      if (goes_on) {
        cursor_ = response.cursor();
        if (response.has_receipt()) receipts_.push_back(response);
        if (receipts_.size() >= kMaxReceiptsAtOnce) {
          held_ = std::move(done);
          return;
        }
      }
    }
    std::move(done)(goes_on);
  }
  using RpcCall::Finish;
  void Finish(absl::Status status, const google::protobuf::MessageLite*,
              std::shared_ptr<const void>) override {
    std::optional<Done> held;
    // Dropped: there is nothing to go on with.
    Turn turn;
    {
      absl::MutexLock lock(&mu_);
      if (end_.has_value()) return;
      end_ = std::move(status);
      on_cancel_ = nullptr;
      held.swap(held_);
      turn = std::exchange(turn_, nullptr);
    }
    if (held.has_value()) std::move(*held)(false);
  }
  void Cancel() override { Finish(absl::CancelledError("The call was cancelled.")); }
  void InTurn(absl::AnyInvocable<void() &&> task) override {
    {
      absl::MutexLock lock(&mu_);
      if (!end_.has_value() && turns_ >= kReceiptTurnsAtOnce) {
        turn_ = std::move(task);
        return;
      }
      ++turns_;
    }
    thread_->PostInTurn(std::move(task));
  }
  void OnCancel(absl::AnyInvocable<void() &&> on_cancel) override {
    absl::MutexLock lock(&mu_);
    if (!end_.has_value()) on_cancel_ = std::move(on_cancel);
  }

 private:
  using Turn = absl::AnyInvocable<void() &&>;

  const http::HeaderList metadata_;
  const std::string peer_;
  const std::shared_ptr<http::CallThread> thread_;
  const std::shared_ptr<const void> counted_;
  admin::v1::WatchTeamReceiptsRequest request_;
  // Touched by Read only.
  bool was_read_ = false;

  // Never held while anything is called that may call back.
  absl::Mutex mu_;
  std::vector<WatchReceiptsResponse> receipts_ ABSL_GUARDED_BY(mu_);
  // Of the last Write since Take.
  std::string cursor_ ABSL_GUARDED_BY(mu_);
  // Of the Write that waits for Take.
  std::optional<Done> held_ ABSL_GUARDED_BY(mu_);
  // Since Take.
  int turns_ ABSL_GUARDED_BY(mu_) = 0;
  // That waits for Take.
  Turn turn_ ABSL_GUARDED_BY(mu_);
  absl::AnyInvocable<void() &&> on_cancel_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
};

ReceiptsSource::~ReceiptsSource() {
  if (call_ != nullptr) call_->Abandon();
}

void ReceiptsSource::Ask(Then then) {
  const absl::StatusOr<std::string> token = options_.still_logged_in();
  if (!token.ok()) return std::move(then)(token.status());
  if (call_ == nullptr) {
    call_ = std::make_shared<Call>(options_, *token, begun_ ? "" : options_.cursor);
    begun_ = true;
    options_.methods->Find(kMethod)->start(call_);
  }
  const Call::Taken taken = call_->Take();
  if (taken.cursor.empty()) {
    if (!taken.end.has_value()) return std::move(then)(Answer{});
    if (!taken.end->ok()) return std::move(then)(*taken.end);
    return std::move(then)(Answer{.last = true});
  }
  const bool is_behind =
      taken.receipts.size() >= kMaxReceiptsAtOnce &&
      options_.clock->WallNow() - TimeOf(taken.receipts.back()) > kMaxReceiptsLag;
  if (is_behind) {
    call_->Abandon();
    call_ = nullptr;
  }
  const std::string receipts =
      absl::StrJoin(taken.receipts, ",", [](std::string* out, const WatchReceiptsResponse& one) {
        absl::StrAppend(out, MessageToJson(one));
      });
  std::move(then)(Answer{.data = absl::StrCat("{\"receipts\":[", receipts,
                                              "],\"cursor\":", DumpJson(taken.cursor),
                                              is_behind ? ",\"left_out\":true" : "", "}")});
}

}  // namespace bellwire::gateway
