#include "gateway/doors/json/json_call.h"

#include <string>
#include <utility>

#include "gateway/doors/json/message_json.h"
#include "gateway/doors/json/rest_error.h"

namespace bellwire::gateway {

void JsonCall::Read(google::protobuf::MessageLite* into, Done done) {
  if (!fill_) return std::move(done)(false);
  FillRequest fill = std::exchange(fill_, nullptr);
  // Whatever PushService reads is a full message.
  absl::Status filled = std::move(fill)(request_, static_cast<google::protobuf::Message*>(into));
  std::string().swap(request_.body);
  if (!filled.ok()) Finish(std::move(filled));
  std::move(done)(!finished_);
}

void JsonCall::Finish(absl::Status status, const google::protobuf::MessageLite* last,
                      std::shared_ptr<const void>) {
  if (std::exchange(finished_, true)) return;
  if (!status.ok()) return responder_.Send(ErrorReply(status));
  http::Reply reply{.status = 200, .headers = {{"content-type", "application/json"}}};
  if (last != nullptr) {
    reply.body = MessageToJson(*static_cast<const google::protobuf::Message*>(last)) + "\n";
  }
  responder_.Send(std::move(reply));
}

}  // namespace bellwire::gateway
