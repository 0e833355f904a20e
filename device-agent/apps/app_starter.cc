#include "device-agent/apps/app_starter.h"

#include <algorithm>

namespace bellwire::agent {

void AppStarter::Want(absl::string_view app_id) {
  auto app = apps_.find(app_id);
  if (app == apps_.end()) app = apps_.try_emplace(std::string(app_id)).first;
  app->second.wanted = true;
  StartWhatMay();
}

void AppStarter::OnConnected(absl::string_view app_id) {
  const auto app = apps_.find(app_id);
  if (app == apps_.end()) return;
  app->second.wanted = false;
  DropIfIdle(app);
}

void AppStarter::OnTook(absl::string_view app_id) {
  const auto app = apps_.find(app_id);
  if (app == apps_.end()) return;
  app->second.wanted = false;
  app->second.starts = 0;
  app->second.not_before = MonotonicTime();
  DropIfIdle(app);
}

void AppStarter::OnEnded(absl::string_view app_id) {
  const auto app = apps_.find(app_id);
  if (app == apps_.end() || !app->second.starting) return;
  app->second.starting = false;
  --starting_;
  DropIfIdle(app);
  StartWhatMay();
}

int AppStarter::starts(absl::string_view app_id) const {
  const auto app = apps_.find(app_id);
  return app == apps_.end() ? 0 : app->second.starts;
}

void AppStarter::StartWhatMay() {
  // Boottime: the time that the phone slept counts as waited.
  const MonotonicTime now = clock_->Boottime();
  for (auto& [app_id, app] : apps_) {
    if (starting_ >= kMaxAppStarts) return;
    if (!app.wanted || app.starting || now < app.not_before) continue;
    const absl::Duration wait = kAppStartWaitMin * (1 << std::min(app.starts, 10));
    app.wanted = false;
    app.not_before = now + std::min(wait, kAppStartWaitMax);
    ++app.starts;
    if (!start_(app_id)) continue;
    app.starting = true;
    ++starting_;
  }
}

void AppStarter::DropIfIdle(std::map<std::string, App, std::less<>>::iterator app) {
  if (!app->second.wanted && !app->second.starting && app->second.starts == 0) apps_.erase(app);
}

}  // namespace bellwire::agent
