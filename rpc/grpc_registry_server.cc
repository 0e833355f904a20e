#include "rpc/grpc_registry_server.h"

#include <utility>

#include "bellwire/internal/v1/devices.grpc.pb.h"
#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "bellwire/internal/v1/partition.grpc.pb.h"
#include "bellwire/internal/v1/store.grpc.pb.h"
#include "bellwire/internal/v1/topics.grpc.pb.h"
#include "rpc/grpc_status.h"

namespace bellwire {
namespace {

template <typename Api, typename Request, typename Response>
grpc::ServerUnaryReactor* Serve(Api* api, void (Api::*method)(Request, Done<Response>),
                                grpc::CallbackServerContext* context, const Request* request,
                                Response* response) {
  // Reactor and response live until Finish, also if the caller goes away in the meantime.
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  (api->*method)(*request, [reactor, response](absl::StatusOr<Response> result) {
    if (result.ok()) *response = *std::move(result);
    reactor->Finish(ToGrpcStatus(result.status()));
  });
  return reactor;
}

#define BELLWIRE_SERVE(Contract, Method, Request, Response)                                      \
  grpc::ServerUnaryReactor* Method(grpc::CallbackServerContext* context, const Request* request, \
                                   Response* response) override {                                \
    return Serve(api_, &Contract##Api::Method, context, request, response);                      \
  }
#define BELLWIRE_SERVICE(Contract, METHODS)                                        \
  class Contract##Service final : public internal::v1::Contract::CallbackService { \
   public:                                                                         \
    explicit Contract##Service(Contract##Api* api) : api_(api) {}                  \
    METHODS(BELLWIRE_SERVE)                                                        \
                                                                                   \
   private:                                                                        \
    Contract##Api* const api_;                                                     \
  };
BELLWIRE_SERVICE(Mailbox, BELLWIRE_MAILBOX_METHODS)
BELLWIRE_SERVICE(Catalogue, BELLWIRE_CATALOGUE_METHODS)
BELLWIRE_SERVICE(Keys, BELLWIRE_KEYS_METHODS)
BELLWIRE_SERVICE(Feed, BELLWIRE_FEED_METHODS)
BELLWIRE_SERVICE(Network, BELLWIRE_NETWORK_METHODS)
BELLWIRE_SERVICE(Partition, BELLWIRE_PARTITION_METHODS)
BELLWIRE_SERVICE(Store, BELLWIRE_STORE_METHODS)
BELLWIRE_SERVICE(Topic, BELLWIRE_TOPIC_METHODS)
BELLWIRE_SERVICE(Device, BELLWIRE_DEVICE_METHODS)
#undef BELLWIRE_SERVICE
#undef BELLWIRE_SERVE

}  // namespace

std::vector<std::unique_ptr<grpc::Service>> NewGrpcRegistryServices(UnaryRegistryApi* registry) {
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(std::make_unique<MailboxService>(registry));
  services.push_back(std::make_unique<CatalogueService>(registry));
  services.push_back(std::make_unique<KeysService>(registry));
  services.push_back(std::make_unique<FeedService>(registry));
  services.push_back(std::make_unique<NetworkService>(registry));
  services.push_back(std::make_unique<PartitionService>(registry));
  services.push_back(std::make_unique<StoreService>(registry));
  services.push_back(std::make_unique<TopicService>(registry));
  services.push_back(std::make_unique<DeviceService>(registry));
  return services;
}

}  // namespace bellwire
