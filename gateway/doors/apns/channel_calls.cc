#include "gateway/doors/apns/channel_calls.h"

#include <memory>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "gateway/doors/apns/apns_reason.h"

namespace bellwire::gateway::apns {
namespace {

using internal::v1::KeptTopic;
using internal::v1::PutTopicRequest;
using Action = ChannelRoute::Action;

constexpr char kRequestId[] = "apns-request-id";

http::Reply Refusal(const absl::Status& error, absl::string_view request_id) {
  return ToReply(ReasonOf(error), request_id, kRequestId);
}

http::Reply Answer(int status, absl::string_view request_id, std::string body = "") {
  http::Reply reply{.status = status, .headers = {{kRequestId, std::string(request_id)}}};
  if (!body.empty()) reply.headers.push_back({"content-type", "application/json"});
  reply.body = std::move(body);
  return reply;
}

PutTopicRequest QuestionAbout(const ChannelRoute& route) {
  PutTopicRequest request;
  request.mutable_topic()->set_name(TopicOfChannel(route.app_id, route.channel_id));
  request.mutable_topic()->set_app_id(route.app_id);
  return request;
}

}  // namespace

// All channels of an app, page by page.
struct ChannelCalls::Listing {
  std::string team_id;
  std::string app_id;
  std::string request_id;
  http::Responder responder;
  std::string after;
  std::vector<std::string> channels;
};

void ChannelCalls::Serve(const ProviderIdentity& identity, http::Request request,
                         http::Responder responder) {
  auto routed = RouteOf(request.head);
  ChannelRoute route = std::get<ChannelRoute>(std::move(routed));
  std::string request_id = RequestIdFor(request.head);
  const std::string& team_id = identity.team_id;
  if (route.action == Action::kBroadcast) {
    return Broadcast(team_id, std::move(route), std::move(request), std::move(request_id),
                     std::move(responder));
  }
  if (absl::Status allowed = RequireFullAccess(identity); !allowed.ok()) {
    return responder.Send(Refusal(allowed, request_id));
  }
  switch (route.action) {
    case Action::kCreate:
      return Create(team_id, route, request.body, std::move(request_id), std::move(responder));
    case Action::kReadAll: {
      std::string prefix = TopicPrefixOf(route.app_id);
      return List(std::unique_ptr<Listing>(new Listing{.team_id = team_id,
                                                       .app_id = std::move(route.app_id),
                                                       .request_id = std::move(request_id),
                                                       .responder = std::move(responder),
                                                       .after = std::move(prefix)}));
    }
    default:
      break;
  }
  PutTopicRequest question = QuestionAbout(route);
  const bool removes = route.action == Action::kDelete;
  if (removes) question.set_change(PutTopicRequest::REMOVE);
  topics_->PutTopic(team_id, std::move(question),
                    [removes, request_id = std::move(request_id),
                     responder = std::move(responder)](absl::StatusOr<KeptTopic> topic) mutable {
                      if (!topic.ok()) return responder.Send(Refusal(topic.status(), request_id));
                      if (removes) return responder.Send(Answer(204, request_id));
                      responder.Send(
                          Answer(200, request_id, RenderChannel(PolicyOf(topic->note()))));
                    });
}

void ChannelCalls::Create(const std::string& team_id, const ChannelRoute& route,
                          absl::string_view body, std::string request_id,
                          http::Responder responder) {
  const auto policy = ParseChannel(body);
  if (const auto* wrong = std::get_if<Reason>(&policy)) {
    return responder.Send(ToReply(*wrong, request_id, kRequestId));
  }
  ChannelRoute made = route;
  made.channel_id = NewChannelId();
  PutTopicRequest request = QuestionAbout(made);
  request.set_change(PutTopicRequest::MAKE);
  request.mutable_topic()->set_note(NoteOf(std::get<StoragePolicy>(policy)));
  topics_->PutTopic(team_id, std::move(request),
                    [channel_id = made.channel_id, request_id = std::move(request_id),
                     responder = std::move(responder)](absl::StatusOr<KeptTopic> topic) mutable {
                      if (!topic.ok()) return responder.Send(Refusal(topic.status(), request_id));
                      http::Reply reply = Answer(201, request_id);
                      reply.headers.push_back({"apns-channel-id", channel_id});
                      responder.Send(std::move(reply));
                    });
}

void ChannelCalls::Broadcast(const std::string& team_id, ChannelRoute route, http::Request request,
                             std::string request_id, http::Responder responder) {
  PutTopicRequest question = QuestionAbout(route);
  topics_->PutTopic(
      team_id, std::move(question),
      [this, team_id, route = std::move(route), request = std::move(request),
       request_id = std::move(request_id),
       responder = std::move(responder)](absl::StatusOr<KeptTopic> topic) mutable {
        if (!topic.ok()) return responder.Send(Refusal(topic.status(), request_id));
        auto translated = TranslateBroadcast(request.head, std::move(request.body), route,
                                             PolicyOf(topic->note()), clock_->WallNow());
        if (const auto* wrong = std::get_if<Reason>(&translated)) {
          return responder.Send(ToReply(*wrong, request_id, kRequestId));
        }
        TopicEngine::PublishOptions options;
        options.content.set_door(internal::v1::Content::APNS);
        options.app_id = route.app_id;
        topics_->Publish(
            team_id, std::get<push::v1::PublishRequest>(std::move(translated)), std::move(options),
            [request_id = std::move(request_id), responder = std::move(responder)](
                absl::StatusOr<push::v1::PublishResponse> published) mutable {
              if (!published.ok()) {
                return responder.Send(Refusal(published.status(), request_id));
              }
              responder.Send(Answer(200, request_id));
            });
      });
}

void ChannelCalls::List(std::unique_ptr<Listing> listing) {
  const std::string team_id = listing->team_id;
  const std::string after = listing->after;
  topics_->ListKeptTopics(
      team_id, after,
      [this, listing = std::move(listing)](
          absl::StatusOr<internal::v1::ListTopicsResponse> page) mutable {
        if (!page.ok()) {
          return listing->responder.Send(Refusal(page.status(), listing->request_id));
        }
        const std::string prefix = TopicPrefixOf(listing->app_id);
        bool more = page->more() && page->topics_size() > 0;
        for (const push::v1::Topic& topic : page->topics()) {
          more = more && absl::StartsWith(topic.name(), prefix);
          if (auto id = ChannelOfTopic(listing->app_id, topic.name())) {
            listing->channels.push_back(*std::move(id));
          }
          listing->after = topic.name();
        }
        if (more && listing->channels.size() < kMaxListedChannels) return List(std::move(listing));
        listing->responder.Send(
            Answer(200, listing->request_id, RenderChannels(listing->channels)));
      });
}

}  // namespace bellwire::gateway::apns
