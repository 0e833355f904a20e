#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_REFLECTION_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_REFLECTION_H_

#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "google/protobuf/descriptor.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"

namespace bellwire::gateway {

// Answers gRPC's server reflection: which services there are, and the descriptors of their files.
// Everybody sees the services for providers; only who shows the admin token sees the others, and
// the files that only they need.
//
// Immutable, thread-safe. Knows no transport.
class Reflection {
 public:
  // Full names of services. `pool` knows their files, as far as they have any (gRPC's own health
  // service has none); it outlives this.
  Reflection(const std::vector<std::string>& public_services,
             const std::vector<std::string>& admin_services,
             const google::protobuf::DescriptorPool* pool =
                 google::protobuf::DescriptorPool::generated_pool());

  grpc::reflection::v1alpha::ServerReflectionResponse Answer(
      const grpc::reflection::v1alpha::ServerReflectionRequest& request, bool is_admin) const;

 private:
  // What one kind of caller sees.
  struct View {
    std::vector<std::string> services;
    // Serialized, by name.
    absl::btree_map<std::string, std::string> files;
  };

  static View MakeView(std::vector<std::string> services,
                       const google::protobuf::DescriptorPool& pool);
  // Adds `file` and what it imports; NOT_FOUND if the file is null or none of the view.
  static void AddFiles(const View& view, const google::protobuf::FileDescriptor* file,
                       grpc::reflection::v1alpha::ServerReflectionResponse* response);

  const google::protobuf::DescriptorPool* const pool_;
  const View public_view_;
  const View admin_view_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_REFLECTION_H_
