// Any bytes, in any pieces, as the body of a gRPC call: unary, streaming, compressed or not.
// Nothing crashes, messages stay within their bound, and the memory of every call is given back.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/limits.h"
#include "gateway/call/method_table.h"
#include "gateway/doors/grpc/grpc_door.h"
#include "gateway/doors/http/testing/h2_harness.h"

namespace bellwire::gateway {
namespace {

constexpr size_t kMaxMessage = 4096;

void Require(bool condition) {
  if (!condition) std::abort();
}

// Reads to the end, and answers each message with itself.
class Echo final : public std::enable_shared_from_this<Echo> {
 public:
  explicit Echo(std::shared_ptr<RpcCall> call) : call_(std::move(call)) {}
  void Next() {
    call_->Read(&message_, [self = shared_from_this()](bool ok) {
      if (!ok) return self->call_->Finish(absl::OkStatus());
      Require(self->message_.ByteSizeLong() <= 4 * kMaxMessage);
      self->call_->Write(&self->message_, [self](bool written) {
        if (written) self->Next();
      });
    });
  }

 private:
  const std::shared_ptr<RpcCall> call_;
  push::v1::SendStreamRequest message_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const auto mode = static_cast<uint8_t>(input.front());
  input.remove_prefix(1);
  MethodTable methods;
  methods.AddUnary<push::v1::SendRequest, push::v1::SendRequest>(
      "/unary",
      [](std::shared_ptr<UnaryHandle<push::v1::SendRequest, push::v1::SendRequest>> call) {
        call->Receive([call](push::v1::SendRequest request) { call->Finish(std::move(request)); });
      });
  Method stream;
  stream.max_request_bytes = kMaxMessage;
  stream.streams_requests = true;
  stream.start = [](std::shared_ptr<RpcCall> call) {
    std::make_shared<Echo>(std::move(call))->Next();
  };
  methods.Add("/stream", std::move(stream));
  GrpcDoor door(&methods);
  http::H2Harness harness({&door});
  http::Fields fields = {{"content-type", "application/grpc"}};
  if (mode % 4 == 1) fields.emplace_back("grpc-encoding", "gzip");
  if (mode % 4 == 2) fields.emplace_back("grpc-encoding", "deflate");
  const int32_t id = harness.client.Request(
      http::PostFields(mode % 8 < 4 ? "/unary" : "/stream", fields), "", /*open=*/true);
  harness.Run();
  const size_t piece = 1 + mode;
  for (size_t at = 0; at < input.size(); at += piece) {
    harness.client.AppendBody(id, input.substr(at, piece));
    harness.Run();
  }
  harness.client.EndBody(id);
  harness.Run();
  Require(harness.client.response(id).closed);
  Require(harness.memory() == 0);
  harness.connection.reset();
  door.AwaitNoCalls();
  return 0;
}

}  // namespace bellwire::gateway
