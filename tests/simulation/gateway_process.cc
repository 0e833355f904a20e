#include "tests/simulation/gateway_process.h"

#include <utility>

#include "common/ids.h"
#include "tests/simulation/message_maker.h"

namespace bellwire::simulation {
namespace {

using internal::v1::AppendRequest;

// Says of some messages that the gateway has made their ids, and passes every call on.
class MarkingMailboxes final : public MailboxApi {
 public:
  explicit MarkingMailboxes(MailboxApi* mailboxes) : mailboxes_(mailboxes) {}

#define BELLWIRE_CALL(Contract, Method, Request, Response)     \
  void Method(Request request, Done<Response> done) override { \
    Mark(&request);                                            \
    mailboxes_->Method(std::move(request), std::move(done));   \
  }
  BELLWIRE_MAILBOX_METHODS(BELLWIRE_CALL)
#undef BELLWIRE_CALL

 private:
  template <typename Request>
  static void Mark(Request*) {}
  static void Mark(AppendRequest* append) {
    const auto id = MessageId::FromBytes(append->message().message_id());
    append->set_message_id_is_new(id.has_value() && StandsForGatewayMade(*id));
  }

  MailboxApi* const mailboxes_;
};

}  // namespace

GatewayProcess::Life::Life(GatewayProcess* process)
    : registry(NewRegistryClient(process->backbone_, process->name_, process->find_registry_)),
      mailboxes(std::make_unique<MarkingMailboxes>(registry.get())),
      engine({.sealer = process->sealer_, .mailboxes = mailboxes.get(), .clock = &process->clock_}),
      calls(process->sealer_, mailboxes.get(), engine.calls(), &process->clock_) {}

// What is forgotten with the client gives its places back to the engine.
GatewayProcess::Life::~Life() { registry.reset(); }

GatewayProcess::GatewayProcess(net::EventLoop* loop, Backbone* backbone, const TokenSealer* sealer,
                               std::string name, std::function<RegistryApi*()> find_registry)
    : backbone_(backbone),
      sealer_(sealer),
      name_(std::move(name)),
      find_registry_(std::move(find_registry)),
      clock_(&loop->clock()) {}

GatewayProcess::~GatewayProcess() = default;

void GatewayProcess::Start() { life_ = std::make_unique<Life>(this); }
void GatewayProcess::Crash() { life_.reset(); }

}  // namespace bellwire::simulation
