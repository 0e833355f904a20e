#include "gateway/doors/console/inner_call.h"

namespace bellwire::gateway {

void InnerCall::Read(google::protobuf::MessageLite* into, Done done) {
  if (!fill_) return std::move(done)(false);
  Fill fill = std::exchange(fill_, nullptr);
  // Whatever a service reads is a full message.
  absl::Status filled = std::move(fill)(static_cast<google::protobuf::Message*>(into));
  const bool ok = filled.ok();
  if (!ok) Finish(std::move(filled));
  std::move(done)(ok);
}

void InnerCall::Finish(absl::Status status, const google::protobuf::MessageLite* last,
                       std::shared_ptr<const void>) {
  if (!then_) return;
  Then then = std::exchange(then_, nullptr);
  if (status.ok() && last == nullptr) status = absl::InternalError("The call has no answer.");
  std::move(then)(status, static_cast<const google::protobuf::Message*>(last));
}

}  // namespace bellwire::gateway
