#include "gateway/doors/grpc/reflection.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpcpp/support/status.h"

namespace bellwire::gateway {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

void SetError(grpc::StatusCode code, absl::string_view message,
              ServerReflectionResponse* response) {
  response->mutable_error_response()->set_error_code(code);
  response->mutable_error_response()->set_error_message(std::string(message));
}

// `file` and everything that it imports, each once.
std::vector<const FileDescriptor*> WithImports(const FileDescriptor* file) {
  std::vector<const FileDescriptor*> files = {file};
  absl::flat_hash_set<const FileDescriptor*> seen = {file};
  for (size_t i = 0; i < files.size(); ++i) {
    for (int j = 0; j < files[i]->dependency_count(); ++j) {
      const FileDescriptor* const import = files[i]->dependency(j);
      if (seen.insert(import).second) files.push_back(import);
    }
  }
  return files;
}

std::vector<std::string> Both(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

Reflection::Reflection(const std::vector<std::string>& public_services,
                       const std::vector<std::string>& admin_services, const DescriptorPool* pool)
    : pool_(pool),
      public_view_(MakeView(public_services, *pool)),
      admin_view_(MakeView(Both(public_services, admin_services), *pool)) {}

Reflection::View Reflection::MakeView(std::vector<std::string> services,
                                      const DescriptorPool& pool) {
  View view;
  for (const std::string& name : services) {
    const FileDescriptor* const root = pool.FindFileContainingSymbol(name);
    if (root == nullptr) continue;
    for (const FileDescriptor* file : WithImports(root)) {
      google::protobuf::FileDescriptorProto proto;
      file->CopyTo(&proto);
      view.files.try_emplace(file->name(), proto.SerializeAsString());
    }
  }
  view.services = std::move(services);
  return view;
}

void Reflection::AddFiles(const View& view, const FileDescriptor* file,
                          ServerReflectionResponse* response) {
  if (file == nullptr || !view.files.contains(file->name())) {
    return SetError(grpc::StatusCode::NOT_FOUND, "There is no such file or symbol.", response);
  }
  for (const FileDescriptor* each : WithImports(file)) {
    response->mutable_file_descriptor_response()->add_file_descriptor_proto(
        view.files.at(each->name()));
  }
}

ServerReflectionResponse Reflection::Answer(const ServerReflectionRequest& request,
                                            bool is_admin) const {
  const View& view = is_admin ? admin_view_ : public_view_;
  ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kListServices:
      for (const std::string& name : view.services) {
        response.mutable_list_services_response()->add_service()->set_name(name);
      }
      break;
    case ServerReflectionRequest::kFileByFilename:
      AddFiles(view, pool_->FindFileByName(request.file_by_filename()), &response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      AddFiles(view, pool_->FindFileContainingSymbol(request.file_containing_symbol()), &response);
      break;
    case ServerReflectionRequest::kAllExtensionNumbersOfType: {
      // No file of ours extends a message: a message that is visible has none.
      const auto* const type =
          pool_->FindMessageTypeByName(request.all_extension_numbers_of_type());
      if (type == nullptr || !view.files.contains(type->file()->name())) {
        SetError(grpc::StatusCode::NOT_FOUND, "There is no such message.", &response);
      } else {
        response.mutable_all_extension_numbers_response()->set_base_type_name(type->full_name());
      }
      break;
    }
    case ServerReflectionRequest::kFileContainingExtension:
      SetError(grpc::StatusCode::NOT_FOUND, "There is no such extension.", &response);
      break;
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      SetError(grpc::StatusCode::INVALID_ARGUMENT, "The request asks for nothing.", &response);
      break;
  }
  return response;
}

}  // namespace bellwire::gateway
