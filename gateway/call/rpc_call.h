#ifndef BELLWIRE_GATEWAY_CALL_RPC_CALL_H_
#define BELLWIRE_GATEWAY_CALL_RPC_CALL_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "gateway/doors/http/header_list.h"
#include "google/protobuf/message_lite.h"

namespace bellwire::gateway {

// One call of a method, as a service sees it, whatever carries it: protobuf messages in, protobuf
// messages out, and a status. A method is called when the metadata is there; the request's messages
// come when they are asked for, so a call that is refused by its credential costs no more than its
// metadata.
//
// Thread-safe. Callbacks come on the call's own thread, one at a time, perhaps before the method
// that asks for them returns; never under a lock of ours.
class RpcCall {
 public:
  using Done = absl::AnyInvocable<void(bool ok) &&>;

  virtual ~RpcCall() = default;

  // What the client sent beside its messages: names in lower case. Never changes.
  virtual const http::HeaderList& metadata() const = 0;
  // "address:port" of the client, for logs.
  virtual const std::string& peer() const = 0;

  // Parses the next message into `into`. False: there is none, since the client has sent its last
  // or the call is over. A message that can't be read ends the call. REQUIRES: no Read is under
  // way; `into` lives until `done`.
  virtual void Read(google::protobuf::MessageLite* into, Done done) = 0;
  // Sends `message`. True: another one may be written now. False: the call is over. REQUIRES: no
  // Write is under way; `message` lives until `done`.
  virtual void Write(const google::protobuf::MessageLite* message, Done done) = 0;
  // The service has nothing to say for the moment: whoever carries the call may show its client
  // that it lives. In place of a Write, with the same `done`.
  virtual void Idle(Done done) { std::move(done)(true); }
  // Ends the call, with a last message if `status` is OK and `last` isn't null. `keep` keeps it
  // until it is sent. What comes later has no effect.
  virtual void Finish(absl::Status status, const google::protobuf::MessageLite* last,
                      std::shared_ptr<const void> keep) = 0;
  void Finish(absl::Status status) { Finish(std::move(status), nullptr, nullptr); }
  // Ends the call at once, whatever waits to be sent: the client learns nothing but that.
  virtual void Cancel() = 0;
  // Runs `task` on the call's thread when others that wait for it have had a turn: for the next
  // piece of something long. Dropped if the server has ended.
  virtual void InTurn(absl::AnyInvocable<void() &&> task) = 0;
  // Says once that the call ended before Finish: the client is gone, its deadline is over, or the
  // server goes. Kept until the end of the call. REQUIRES: called at most once.
  virtual void OnCancel(absl::AnyInvocable<void() &&> on_cancel) = 0;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_CALL_RPC_CALL_H_
