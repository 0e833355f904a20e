#ifndef BELLWIRE_GATEWAY_TESTING_TEST_SEND_PATH_H_
#define BELLWIRE_GATEWAY_TESTING_TEST_SEND_PATH_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/public_urls.h"
#include "common/simulated_clock.h"
#include "crypto/provider_key.h"
#include "crypto/token_sealer.h"
#include "gateway/auth/access_token.h"
#include "gateway/auth/authenticator.h"
#include "gateway/auth/key_cache.h"
#include "gateway/call/method_table.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/doors/grpc/push_service.h"
#include "gateway/doors/grpc/topic_service.h"
#include "gateway/send/send_engine.h"
#include "gateway/testing/fake_registry.h"
#include "gateway/testing/jwt_for_testing.h"
#include "gateway/topics/topic_engine.h"

namespace bellwire::gateway {

// What a door of the gateway stands on, without ports and threads, above a fake registry that knows
// one team with a signing key, an access token, a service account and an alias, and accepts every
// message. Everything happens on the thread of the test.
class TestSendPath {
 public:
  static constexpr char kTeam[] = "teamteam22";
  static constexpr char kKeyId[] = "abcdefghij";
  static constexpr char kTokenKeyId[] = "tokentoken";
  static constexpr char kFcmKeyId[] = "fcmfcmfcm2";
  static constexpr char kAlias[] = "phone";

  TestSendPath() : key(*GenerateProviderKeyPair()), sealer(TokenSealer::ForTesting()) {
    registry.get_key =
        [this](const internal::v1::GetKeyRequest& request) -> absl::StatusOr<admin::v1::Key> {
      admin::v1::Key answer;
      answer.set_key_id(request.key_id());
      answer.set_team_id(kTeam);
      answer.set_apns_store_one(apns_store_one);
      if (request.key_id() == kKeyId) {
        answer.set_public_key_pem(key.public_key_pem);
      } else if (request.key_id() == kTokenKeyId) {
        answer.set_kind(admin::v1::Key::SEND_ONLY);
        answer.set_token_sha256(HashAccessToken(access_token));
      } else if (request.key_id() == kFcmKeyId) {
        answer.set_kind(admin::v1::Key::FCM);
        answer.set_public_key_pem(FcmKey().public_key_pem);
        if (fcm_key_revoked) answer.mutable_revoke_time()->set_seconds(1);
      } else if (request.key_id() == absl::StrCat(kTeam, "/", kAlias)) {
        answer.set_kind(admin::v1::Key::ALIAS);
        answer.set_device_token(Token());
      } else {
        return MakeError(absl::StatusCode::kNotFound, "KEY_NOT_FOUND", "no such key");
      }
      return answer;
    };
    registry.append = [this](const internal::v1::AppendRequest& request)
        -> absl::StatusOr<internal::v1::AppendResponse> {
      appended.push_back(request);
      if (!append_error.ok()) return append_error;
      internal::v1::AppendResponse response;
      response.set_seq(appended.size());
      response.set_state(push::v1::STORED);
      return response;
    };
    push.AddTo(&methods);
    topics.AddTo(&methods);
  }

  // Of the service account. Made once: it takes a while.
  static const ProviderKeyPair& FcmKey() {
    static const auto* const pair = new ProviderKeyPair(*GenerateServiceAccountKeyPair());
    return *pair;
  }

  // A credential as `authorization` has it.
  std::string Bearer() const {
    return absl::StrCat(
        "Bearer ",
        SignJwtForTesting({.key_id = kKeyId, .team_id = kTeam, .issued_at = clock.WallNow()},
                          key.private_key_pem));
  }
  // The same with more claims, as JSON.
  std::string BearerWith(const std::string& claims_json) const {
    return absl::StrCat("Bearer ", SignJwtForTesting({.key_id = kKeyId,
                                                      .team_id = kTeam,
                                                      .issued_at = clock.WallNow(),
                                                      .extra_claims_json = claims_json},
                                                     key.private_key_pem));
  }
  // Claims of a JWT for this server that has not expired; for another one; of one that has.
  static constexpr char kGoodClaims[] =
      R"({"aud":["https://push.example.com"],"exp":9999999999})";
  static constexpr char kForeignClaims[] = R"({"aud":"https://push.example.org"})";
  static constexpr char kExpiredClaims[] = R"({"exp":1767225599})";
  std::string SendOnlyBearer() const { return absl::StrCat("Bearer ", access_token); }
  std::string Token() const {
    TokenContents contents;
    contents.device_id = *DeviceId::FromBytes("0123456789abcdef");
    contents.registration_id = 42;
    contents.app_tag = AppTag("com.example.mail");
    return sealer->Seal(contents);
  }

  SimulatedClock clock;
  const ProviderKeyPair key;
  const std::string access_token = NewAccessToken(kTokenKeyId);
  bool fcm_key_revoked = false;
  const std::unique_ptr<TokenSealer> sealer;
  // As the team has it; keys say so for kKeyFreshness.
  bool apns_store_one = false;
  // What came to the registry, and what it answers instead.
  std::vector<internal::v1::AppendRequest> appended;
  absl::Status append_error;
  FakeRegistry registry;
  KeyCache keys{&registry, &clock};
  KeyCache aliases{&registry, &clock};
  Authenticator authenticator{&keys, &clock, *PublicUrls::Parse({"https://push.example.com"})};
  SendEngine engine{{.sealer = sealer.get(), .mailboxes = &registry, .clock = &clock}};
  DrainSignal drain;
  PushService push{{.authenticator = &authenticator,
                    .engine = &engine,
                    .drain = &drain,
                    .sealer = sealer.get(),
                    .mailboxes = &registry,
                    .feeds = &registry,
                    .clock = &clock}};
  TopicEngine topic_engine{{.sealer = sealer.get(),
                            .topics = &registry,
                            .calls = engine.calls(),
                            .clock = &clock}};
  TopicService topics{&authenticator, &topic_engine};
  MethodTable methods;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TESTING_TEST_SEND_PATH_H_
