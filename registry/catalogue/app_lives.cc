#include "registry/catalogue/app_lives.h"

#include <utility>

#include "common/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "registry/catalogue/catalogue.h"

namespace bellwire::registry {

int64_t AppCreatedAtMs(const admin::v1::App& app) {
  return google::protobuf::util::TimeUtil::TimestampToMilliseconds(app.create_time());
}

bool IsRegistrationOf(const storage::v1::Registration& registration, const admin::v1::App& app) {
  if (registration.team_id() != app.team_id()) return false;
  return registration.app_created_at_ms() == 0 ||
         registration.app_created_at_ms() == AppCreatedAtMs(app);
}

absl::StatusOr<bool> AppLives::Lives(const storage::v1::Registration& registration) {
  auto known = apps_.find(registration.app_id());
  if (known == apps_.end()) {
    absl::StatusOr<admin::v1::App> app = Catalogue(overlay_).GetApp(registration.app_id());
    if (!app.ok() && !absl::IsNotFound(app.status())) return app.status();
    if (apps_.size() >= kMaxCachedAppLives) apps_.clear();
    std::optional<admin::v1::App> present;
    if (app.ok()) present = *std::move(app);
    known = apps_.emplace(registration.app_id(), std::move(present)).first;
  }
  return known->second.has_value() && IsRegistrationOf(registration, *known->second);
}

}  // namespace bellwire::registry
