#ifndef BELLWIRE_GATEWAY_TOPICS_HAND_OVER_H_
#define BELLWIRE_GATEWAY_TOPICS_HAND_OVER_H_

#include <string>
#include <utility>

#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "rpc/connector_api.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// Mailboxes whose messages are handed over to their devices' sessions, as SendEngine does with what
// it sends. What gets lost on the way is fetched by the session. Thread-safe.
class HandOver final : public MailboxApi {
 public:
  // Not owned; both outlive the answers.
  HandOver(MailboxApi* mailboxes, ConnectorDirectory* connectors)
      : mailboxes_(mailboxes), connectors_(connectors) {}

  void Append(internal::v1::AppendRequest request,
              Done<internal::v1::AppendResponse> done) override {
    internal::v1::ConnectorRequest deliver;
    deliver.set_device_id(request.device_id());
    *deliver.mutable_deliver()->mutable_message() = request.message();
    mailboxes_->Append(
        std::move(request),
        [connectors = connectors_, deliver = std::move(deliver),
         done = std::move(done)](absl::StatusOr<internal::v1::AppendResponse> appended) mutable {
          // Who sent a duplicate may have died before handing it over.
          if (appended.ok() && appended->seq() != 0 && appended->has_route() &&
              (appended->state() == push::v1::ACCEPTED || appended->state() == push::v1::STORED ||
               appended->state() == push::v1::SENT)) {
            deliver.mutable_deliver()->mutable_message()->set_seq(appended->seq());
            Tell(connectors, appended->route(), std::move(deliver));
          }
          std::move(done)(std::move(appended));
        });
  }

  void Recall(internal::v1::RecallRequest request,
              Done<internal::v1::RecallResponse> done) override {
    internal::v1::ConnectorRequest tell;
    tell.set_device_id(request.device_id());
    tell.mutable_recall()->set_message_id(request.message_id());
    tell.mutable_recall()->set_registration_id(request.registration_id());
    mailboxes_->Recall(std::move(request),
                       [connectors = connectors_, tell = std::move(tell), done = std::move(done)](
                           absl::StatusOr<internal::v1::RecallResponse> recalled) mutable {
                         if (recalled.ok() && recalled->has_route() &&
                             recalled->outcome() == push::v1::RecallResponse::REQUESTED) {
                           tell.mutable_recall()->set_seq(recalled->seq());
                           Tell(connectors, recalled->route(), std::move(tell));
                         }
                         std::move(done)(std::move(recalled));
                       });
  }

  void Resolve(internal::v1::ResolveRequest request,
               Done<internal::v1::ResolveResponse> done) override {
    mailboxes_->Resolve(std::move(request), std::move(done));
  }
  void GetMessage(internal::v1::GetMessageRequest request,
                  Done<internal::v1::GetMessageResponse> done) override {
    mailboxes_->GetMessage(std::move(request), std::move(done));
  }

 private:
  static void Tell(ConnectorDirectory* connectors, const internal::v1::Route& route,
                   internal::v1::ConnectorRequest request) {
    *request.mutable_route() = route;
    connectors->Find(route.connector_address())
        ->Exchange(std::move(request), [](internal::v1::ConnectorResponse::Outcome) {});
  }

  MailboxApi* const mailboxes_;
  ConnectorDirectory* const connectors_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TOPICS_HAND_OVER_H_
