#ifndef BELLWIRE_TESTS_FAULTS_SEND_TRANSPORT_H_
#define BELLWIRE_TESTS_FAULTS_SEND_TRANSPORT_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/support/fleet.h"

namespace bellwire::tests {

// One message of a lane, on its way.
struct SendItem {
  // A device token, or the endpoint of a subscription.
  std::string to;
  // A UUID.
  std::string message_id;
  std::string payload;
};

struct SendOutcome {
  enum class Kind {
    // Answered OK.
    kAccepted,
    // Not sent, or told to come back: the message was not taken.
    kRetry,
    // Sent, and its answer was lost: on the way here, or on the way from the registry to the
    // gateway. The message may have been taken.
    kLost,
    // No backend should be told that.
    kRefused,
  };
  Kind kind = Kind::kRetry;
  // Answered OK as something that was accepted before, as far as the answer says.
  bool duplicate = false;
  // kRefused: why.
  std::string why;
};

// How an app backend reaches the server. For one thread.
class SendTransport {
 public:
  virtual ~SendTransport() = default;
  // Sends all of them through gateway `gateway` and waits: an outcome for each. False in `reached`:
  // the gateway is not there.
  virtual std::vector<SendOutcome> Send(const std::vector<SendItem>& items, int gateway,
                                        bool* reached) = 0;
  // Credentials are good for an hour: called well before.
  virtual void RenewCredential() {}
};

// SendBatch of gRPC.
std::unique_ptr<SendTransport> NewGrpcTransport(Provider provider);

// Web Push over HTTP/2, all of a batch on one connection. `with_ids`: an Idempotency-Key with each;
// without it a message that is sent again is another message. `fleet` outlives it.
std::unique_ptr<SendTransport> NewWebPushTransport(const Fleet* fleet, bool with_ids);

// What a Web Push carries for a payload of a lane, and the other way round; "" for anything else.
std::string WebPushBody(const std::string& payload);
std::string PayloadOfWebPush(const std::string& body);

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_FAULTS_SEND_TRANSPORT_H_
