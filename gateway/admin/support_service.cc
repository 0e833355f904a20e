#include "gateway/admin/support_service.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/error.h"
#include "gateway/auth/authenticator.h"
#include "gateway/receipts/receipt_stream.h"
#include "gateway/send/sender.h"

namespace bellwire::gateway {
namespace {

using admin::v1::GetTeamMessageRequest;
using admin::v1::GetTeamTopicMessageRequest;
using admin::v1::ListTeamTopicsRequest;
using admin::v1::SendTestRequest;
using admin::v1::WatchTeamReceiptsRequest;

constexpr absl::string_view kWatchReceipts = "WatchReceipts";

template <typename Request, typename Response>
using Call = std::shared_ptr<UnaryHandle<Request, Response>>;

template <typename Request, typename Response>
Done<Response> AnswerOf(Call<Request, Response> call) {
  return [call = std::move(call)](absl::StatusOr<Response> answer) {
    call->Finish(std::move(answer));
  };
}

Sender SenderOf(const std::string& team_id, absl::string_view token) {
  return team_id.empty() ? Sender::ToSubscription("", token) : Sender::Team(team_id);
}

absl::Status NoTeam() {
  return WithField(
      MakeError(absl::StatusCode::kNotFound, "TEAM_NOT_FOUND", "The request names no team."),
      "team_id");
}

// A call of WatchReceipts as ReceiptStream knows it: the request without the team.
class ReceiptsOfTeam final : public RpcCall {
 public:
  ReceiptsOfTeam(std::shared_ptr<RpcCall> call, std::string cursor)
      : call_(std::move(call)), cursor_(std::move(cursor)) {}

  const http::HeaderList& metadata() const override { return call_->metadata(); }
  const std::string& peer() const override { return call_->peer(); }
  void Read(google::protobuf::MessageLite* into, Done done) override {
    static_cast<push::v1::WatchReceiptsRequest*>(into)->set_cursor(cursor_);
    std::move(done)(true);
  }
  void Write(const google::protobuf::MessageLite* message, Done done) override {
    call_->Write(message, std::move(done));
  }
  void Idle(Done done) override { call_->Idle(std::move(done)); }
  using RpcCall::Finish;
  void Finish(absl::Status status, const google::protobuf::MessageLite* last,
              std::shared_ptr<const void> keep) override {
    call_->Finish(std::move(status), last, std::move(keep));
  }
  void Cancel() override { call_->Cancel(); }
  void InTurn(absl::AnyInvocable<void() &&> task) override { call_->InTurn(std::move(task)); }
  void OnCancel(absl::AnyInvocable<void() &&> on_cancel) override {
    call_->OnCancel(std::move(on_cancel));
  }

 private:
  const std::shared_ptr<RpcCall> call_;
  const std::string cursor_;
};

}  // namespace

void SupportService::AddTo(MethodTable* methods) {
  AdminGate* const gate = environment_.gate;
  gate->AddMethod<SendTestRequest, push::v1::SendResponse>(
      methods, "SupportService/SendTest", AdminRole::kOperator,
      [this](const Administrator&, Call<SendTestRequest, push::v1::SendResponse> call,
             SendTestRequest request) {
        const Sender sender = SenderOf(request.team_id(), request.message().token());
        environment_.engine->Send(sender, std::move(*request.mutable_message()), {},
                                  AnswerOf(std::move(call)));
      });
  gate->AddMethod<GetTeamMessageRequest, push::v1::GetMessageResponse>(
      methods, "SupportService/GetMessage", AdminRole::kReadOnly,
      [this](const Administrator&, Call<GetTeamMessageRequest, push::v1::GetMessageResponse> call,
             GetTeamMessageRequest request) {
        push::v1::GetMessageRequest inner;
        inner.set_token(std::move(*request.mutable_token()));
        inner.set_message_id(std::move(*request.mutable_message_id()));
        message_calls_.GetMessage(SenderOf(request.team_id(), inner.token()), inner,
                                  AnswerOf(std::move(call)));
      });
  gate->AddMethod<ListTeamTopicsRequest, push::v1::ListTopicsResponse>(
      methods, "SupportService/ListTopics", AdminRole::kReadOnly,
      [this](const Administrator&, Call<ListTeamTopicsRequest, push::v1::ListTopicsResponse> call,
             ListTeamTopicsRequest request) {
        if (request.team_id().empty()) return call->Finish(NoTeam());
        push::v1::ListTopicsRequest inner;
        inner.set_page_size(request.page_size());
        inner.set_page_token(std::move(*request.mutable_page_token()));
        environment_.topics->ListTopics(request.team_id(), inner, AnswerOf(std::move(call)));
      });
  gate->AddMethod<GetTeamTopicMessageRequest, push::v1::TopicMessage>(
      methods, "SupportService/GetTopicMessage", AdminRole::kReadOnly,
      [this](const Administrator&, Call<GetTeamTopicMessageRequest, push::v1::TopicMessage> call,
             GetTeamTopicMessageRequest request) {
        if (request.team_id().empty()) return call->Finish(NoTeam());
        push::v1::GetTopicMessageRequest inner;
        inner.set_message_id(std::move(*request.mutable_message_id()));
        environment_.topics->GetTopicMessage(request.team_id(), inner, AnswerOf(std::move(call)));
      });
  gate->ListMethod("SupportService/WatchReceipts", AdminRole::kReadOnly, /*of_team=*/true);
  methods->Add(
      "/bellwire.admin.v1.SupportService/WatchReceipts",
      {.start = [this](std::shared_ptr<RpcCall> call) { WatchReceipts(std::move(call)); }});
}

void SupportService::WatchReceipts(std::shared_ptr<RpcCall> call) {
  const absl::StatusOr<Administrator> who = environment_.gate->Admit(
      call->metadata(), call->peer(), kWatchReceipts, AdminRole::kReadOnly);
  if (!who.ok()) return call->Finish(who.status());
  const auto request = std::make_shared<WatchTeamReceiptsRequest>();
  call->Read(request.get(), [this, call, request, who = *who](bool ok) {
    if (!ok) {
      return call->Finish(MakeError(absl::StatusCode::kInvalidArgument, "MISSING_REQUEST",
                                    "The call has no request message."));
    }
    const absl::Status allowed = AdminGate::CheckTeam(who, request->team_id());
    if (!allowed.ok()) return call->Finish(allowed);
    if (request->team_id().empty()) return call->Finish(NoTeam());
    ReceiptStream::Start(
        {.authenticate =
             [this, team_id = request->team_id(), peer = call->peer()](absl::string_view token,
                                                                       Authenticator::Done done) {
               const absl::StatusOr<Administrator> admitted =
                   environment_.gate->AdmitToken(token, peer, kWatchReceipts, AdminRole::kReadOnly);
               if (!admitted.ok()) return std::move(done)(admitted.status());
               const absl::Status allowed = AdminGate::CheckTeam(*admitted, team_id);
               if (!allowed.ok()) return std::move(done)(allowed);
               std::move(done)(
                   ProviderIdentity{.team_id = team_id,
                                    .expires_at = absl::InfiniteFuture(),
                                    .recheck_at = environment_.clock->Monotonic() + kAdminRecheck});
             },
         .drain = environment_.drain,
         .sealer = environment_.sealer,
         .feeds = environment_.feeds,
         .streams = &receipt_streams_,
         .clock = environment_.clock},
        std::make_shared<ReceiptsOfTeam>(call, request->cursor()));
  });
}

}  // namespace bellwire::gateway
