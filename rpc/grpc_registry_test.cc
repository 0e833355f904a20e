// Client and server of the registry against each other: real gRPC, loopback, mutual TLS.

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/rpc/error_details.pb.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "rpc/credentials.h"
#include "rpc/grpc_registry_client.h"
#include "rpc/grpc_registry_server.h"
#include "rpc/loopback_server.h"
#include "rpc/test_pki.h"

namespace bellwire {
namespace {

// A registry that remembers what it was asked and answers as it is told.
class FakeRegistry final : public UnaryRegistryApi {
 public:
  // Answers a serialized response.
  using Handler = std::function<absl::StatusOr<std::string>(const std::string& method,
                                                            const std::string& request)>;

  // REQUIRES: no call in flight.
  void set_handler(Handler handler) { handler_ = std::move(handler); }

  // From now on calls wait for AnswerHeld, and are answered on its thread.
  void HoldCalls() {
    absl::MutexLock lock(&mutex_);
    hold_ = true;
  }
  void AwaitHeld(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count]()
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return held_.size() >= count; };
    mutex_.Await(absl::Condition(&enough));
  }
  void AnswerHeld() {
    std::vector<absl::AnyInvocable<void() &&>> held;
    {
      absl::MutexLock lock(&mutex_);
      hold_ = false;
      held.swap(held_);
    }
    for (auto& answer : held) std::move(answer)();
  }

  int calls() const { return calls_; }

#define BELLWIRE_FAKE(Contract, Method, Request, Response)                   \
  void Method(Request request, Done<Response> done) override {               \
    Answer<Response>(#Method, request.SerializeAsString(), std::move(done)); \
  }
  BELLWIRE_UNARY_METHODS(BELLWIRE_FAKE)
#undef BELLWIRE_FAKE

 private:
  template <typename Response>
  void Answer(const std::string& method, const std::string& request, Done<Response> done) {
    ++calls_;
    absl::AnyInvocable<void()&&> answer = [this, method, request,
                                           done = std::move(done)]() mutable {
      const absl::StatusOr<std::string> bytes = handler_(method, request);
      Response response;
      if (!bytes.ok()) {
        std::move(done)(bytes.status());
      } else {
        EXPECT_TRUE(response.ParseFromString(*bytes));
        std::move(done)(std::move(response));
      }
    };
    {
      absl::MutexLock lock(&mutex_);
      if (hold_) {
        held_.push_back(std::move(answer));
        return;
      }
    }
    std::move(answer)();
  }

  std::atomic<int> calls_{0};
  Handler handler_ = [](const std::string&, const std::string&) { return std::string(); };
  absl::Mutex mutex_;
  bool hold_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<absl::AnyInvocable<void() &&>> held_ ABSL_GUARDED_BY(mutex_);
};

// Sets every singular field, so that none can get lost unnoticed.
void Fill(google::protobuf::Message* message) {
  using google::protobuf::FieldDescriptor;
  const auto* descriptor = message->GetDescriptor();
  const auto* reflection = message->GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (field->is_repeated()) continue;
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        reflection->SetString(message, field, field->name());
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        reflection->SetUInt64(message, field, 1'000'000 + field->number());
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        reflection->SetInt64(message, field, -field->number());
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        reflection->SetUInt32(message, field, 1'000 + field->number());
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        reflection->SetBool(message, field, true);
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        reflection->SetEnumValue(message, field, 2);
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        Fill(reflection->MutableMessage(message, field));
        break;
      default:
        break;
    }
  }
}

class GrpcRegistryTest : public ::testing::Test {
 protected:
  GrpcRegistryTest() { StartServer(0); }
  ~GrpcRegistryTest() override { registry_.AnswerHeld(); }

  void StartServer(int port) {
    std::vector<grpc::Service*> services;
    for (const auto& service : services_) services.push_back(service.get());
    server_.emplace(services, pki_.internal_dir(), port);
  }

  std::shared_ptr<grpc::Channel> NewChannel() {
    const auto credentials = InternalChannelCredentials(pki_.internal_dir());
    EXPECT_TRUE(credentials.ok()) << credentials.status();
    return NewInternalChannel(server_->address(), *credentials, Role::kRegistry);
  }

  // One call, awaited.
  static absl::StatusOr<internal::v1::RecallResponse> Recall(UnaryRegistryApi& client,
                                                             uint64_t seq = 1) {
    absl::StatusOr<internal::v1::RecallResponse> result;
    absl::Notification done;
    internal::v1::RecallRequest request;
    request.set_registration_id(seq);
    client.Recall(request, [&](absl::StatusOr<internal::v1::RecallResponse> r) {
      result = std::move(r);
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }

  TestPki pki_;
  FakeRegistry registry_;
  const std::vector<std::unique_ptr<grpc::Service>> services_ = NewGrpcRegistryServices(&registry_);
  std::optional<LoopbackServer> server_;
};

template <typename Api, typename Request, typename Response>
void ExpectCallArrives(FakeRegistry& registry, UnaryRegistryApi& client,
                       void (Api::*method)(Request, Done<Response>), const std::string& name) {
  SCOPED_TRACE(name);
  Request request;
  Response response;
  Fill(&request);
  Fill(&response);
  registry.set_handler([&](const std::string& called, const std::string& bytes) {
    EXPECT_EQ(called, name);
    EXPECT_EQ(bytes, request.SerializeAsString());
    return response.SerializeAsString();
  });
  absl::Notification done;
  (client.*method)(request, [&](absl::StatusOr<Response> result) {
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->SerializeAsString(), response.SerializeAsString());
    done.Notify();
  });
  done.WaitForNotification();
}

TEST_F(GrpcRegistryTest, EveryMethodArrivesAndIsAnswered) {
  const auto client = NewGrpcRegistryClient(NewChannel());
#define BELLWIRE_EXPECT(Contract, Method, Request, Response) \
  ExpectCallArrives(registry_, *client, &Contract##Api::Method, #Method);
  BELLWIRE_UNARY_METHODS(BELLWIRE_EXPECT)
#undef BELLWIRE_EXPECT
  // Those of the contracts, and so all of them.
  const auto* const protos = google::protobuf::DescriptorPool::generated_pool();
  int methods = 0;
  for (const std::string contract :
       {"Mailbox", "Catalogue", "Keys", "Feed", "Network", "Partition", "Store", "Topic",
        "Device"}) {
    const auto* const service = protos->FindServiceByName("bellwire.internal.v1." + contract);
    ASSERT_NE(service, nullptr) << contract;
    EXPECT_LE(service->method_count(), 10) << contract;
    methods += service->method_count();
  }
  EXPECT_EQ(registry_.calls(), methods);
}

template <typename Api, typename Request, typename Response>
void ExpectErrorReturns(UnaryRegistryApi& client, void (Api::*method)(Request, Done<Response>),
                        const absl::Status& error) {
  absl::Notification done;
  (client.*method)(Request(), [&](absl::StatusOr<Response> result) {
    EXPECT_EQ(result.status(), error);
    done.Notify();
  });
  done.WaitForNotification();
}

TEST_F(GrpcRegistryTest, ErrorsKeepAllTheySay) {
  absl::Status error =
      MakeError(absl::StatusCode::kFailedPrecondition, "STALE_LOGIN", "a newer login is bound");
  error = WithMetadata(error, "winning_login_number", "17");
  error = WithField(WithRetryAfter(error, absl::Milliseconds(1500)), "route");
  registry_.set_handler([&](const std::string&, const std::string&) { return error; });

  const auto client = NewGrpcRegistryClient(NewChannel());
#define BELLWIRE_EXPECT(Contract, Method, Request, Response) \
  ExpectErrorReturns(*client, &Contract##Api::Method, error);
  BELLWIRE_UNARY_METHODS(BELLWIRE_EXPECT)
#undef BELLWIRE_EXPECT
}

// The registry's own UNAVAILABLE is not gRPC's.
TEST_F(GrpcRegistryTest, AnUnavailableStoreKeepsItsReason) {
  const absl::Status error = MakeError(absl::StatusCode::kUnavailable, "DISK_FULL", "no room");
  registry_.set_handler([&](const std::string&, const std::string&) { return error; });
  const auto client = NewGrpcRegistryClient(NewChannel());
  EXPECT_EQ(Recall(*client).status(), error);
}

// What grpcurl and every other client with the standard error model reads.
TEST_F(GrpcRegistryTest, DetailsTravelInTheStandardTrailer) {
  registry_.set_handler([&](const std::string&, const std::string&) {
    return MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "gone");
  });
  const auto stub = internal::v1::Mailbox::NewStub(NewChannel());
  grpc::ClientContext context;
  internal::v1::RecallResponse response;
  const grpc::Status status = stub->Recall(&context, internal::v1::RecallRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);

  const auto trailers = context.GetServerTrailingMetadata();
  const auto it = trailers.find("grpc-status-details-bin");
  ASSERT_NE(it, trailers.end());
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(std::string(it->second.data(), it->second.size())));
  EXPECT_EQ(details.code(), 5);
  EXPECT_EQ(details.message(), "gone");
  google::rpc::ErrorInfo info;
  ASSERT_EQ(details.details_size(), 1);
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "UNREGISTERED");
}

void ExpectRegistryUnavailable(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(ErrorReason(status), "REGISTRY_UNAVAILABLE") << status;
  EXPECT_TRUE(RetryAfter(status).has_value());
}

TEST_F(GrpcRegistryTest, AServerThatIsGoneIsUnavailableAndOneThatReturnsIsFound) {
  const auto channel = NewChannel();
  const auto client = NewGrpcRegistryClient(channel);
  ASSERT_TRUE(Recall(*client).ok());
  const int port = server_->port();
  server_.reset();
  ExpectRegistryUnavailable(Recall(*client).status());

  StartServer(port);
  ASSERT_TRUE(channel->WaitForConnected(gpr_time_from_seconds(60, GPR_TIMESPAN)));
  EXPECT_TRUE(Recall(*client).ok());
}

TEST_F(GrpcRegistryTest, AServerThatDiesMidCallIsUnavailable) {
  const auto client = NewGrpcRegistryClient(NewChannel());
  registry_.HoldCalls();
  absl::Notification done;
  client->Recall(internal::v1::RecallRequest(),
                 [&](absl::StatusOr<internal::v1::RecallResponse> result) {
                   ExpectRegistryUnavailable(result.status());
                   done.Notify();
                 });
  registry_.AwaitHeld(1);
  // The server waits for its registry; the client doesn't.
  std::thread shutdown([this] { server_.reset(); });
  done.WaitForNotification();
  registry_.AnswerHeld();
  shutdown.join();
}

TEST_F(GrpcRegistryTest, ACallThatIsNotAnsweredEnds) {
  const auto client = NewGrpcRegistryClient(NewChannel(), absl::Milliseconds(200));
  registry_.HoldCalls();
  ExpectRegistryUnavailable(Recall(*client).status());
}

TEST_F(GrpcRegistryTest, ClientsWithoutOurCertificateAreRefused) {
  const auto refuse = [this](const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    const auto client = NewGrpcRegistryClient(
        NewInternalChannel(server_->address(), {.channel = credentials}, Role::kRegistry));
    ExpectRegistryUnavailable(Recall(*client).status());
  };
  refuse(ClientTlsCredentials(pki_.internal_dir() + "/ca.pem").value());  // None.
  const TestPki foreign;
  refuse(InternalChannelCredentials(foreign.internal_dir()).value().channel);  // Of another CA.
  refuse(grpc::InsecureChannelCredentials());
  EXPECT_EQ(registry_.calls(), 0);
}

TEST_F(GrpcRegistryTest, AServerOfAnotherNameIsRefused) {
  // A certificate of the right CA, but the public server's name.
  const auto credentials = InternalChannelCredentials(pki_.internal_dir()).value().channel;
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride("localhost");
  const auto client =
      NewGrpcRegistryClient(grpc::CreateCustomChannel(server_->address(), credentials, arguments));
  ExpectRegistryUnavailable(Recall(*client).status());
  EXPECT_EQ(registry_.calls(), 0);
}

TEST_F(GrpcRegistryTest, DestroyingTheClientAnswersWhatIsInFlight) {
  auto client = NewGrpcRegistryClient(NewChannel());
  registry_.HoldCalls();
  constexpr size_t kCalls = 100;
  std::vector<int> answers(kCalls, 0);  // Written before the destructor returns, read after.
  absl::Mutex mutex;
  for (size_t i = 0; i < kCalls; ++i) {
    client->Recall(internal::v1::RecallRequest(),
                   [&, i](absl::StatusOr<internal::v1::RecallResponse> result) {
                     ExpectRegistryUnavailable(result.status());
                     absl::MutexLock lock(&mutex);
                     ++answers[i];
                   });
  }
  registry_.AwaitHeld(kCalls);
  client.reset();
  absl::MutexLock lock(&mutex);
  EXPECT_EQ(answers, std::vector<int>(kCalls, 1));
}

// Calls end while others begin, at the addresses that were just freed.
TEST_F(GrpcRegistryTest, ManyCallersAtOnceAreAllAnswered) {
  constexpr int kThreads = 4;
  constexpr int kCalls = 2000;
  const auto client = NewGrpcRegistryClient(NewChannel(), absl::InfiniteDuration(),
                                            absl::InfiniteDuration());
  absl::BlockingCounter unanswered(kThreads * kCalls);
  std::vector<std::thread> callers;
  for (int t = 0; t < kThreads; ++t) {
    callers.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) {
        client->Recall(internal::v1::RecallRequest(),
                       [&](absl::StatusOr<internal::v1::RecallResponse> result) {
                         EXPECT_TRUE(result.ok()) << result.status();
                         unanswered.DecrementCount();
                       });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  unanswered.Wait();
}

TEST_F(GrpcRegistryTest, UnansweredCallsAreBounded) {
  const auto client = NewGrpcRegistryClient(NewChannel(), absl::InfiniteDuration(),
                                            absl::InfiniteDuration());
  registry_.HoldCalls();
  absl::BlockingCounter unanswered(static_cast<int>(kMaxRegistryQueue));
  for (size_t i = 0; i < kMaxRegistryQueue; ++i) {
    client->Recall(internal::v1::RecallRequest(),
                   [&](absl::StatusOr<internal::v1::RecallResponse> result) {
                     EXPECT_TRUE(result.ok()) << result.status();
                     unanswered.DecrementCount();
                   });
  }
  const absl::Status refused = Recall(*client).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(refused), "OVERLOADED");
  EXPECT_TRUE(RetryAfter(refused).has_value());

  registry_.AwaitHeld(kMaxRegistryQueue);
  registry_.AnswerHeld();
  unanswered.Wait();
  EXPECT_TRUE(Recall(*client).ok());
}

}  // namespace
}  // namespace bellwire
