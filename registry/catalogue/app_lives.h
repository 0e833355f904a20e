#ifndef BELLWIRE_REGISTRY_CATALOGUE_APP_LIVES_H_
#define BELLWIRE_REGISTRY_CATALOGUE_APP_LIVES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "registry/engine/overlay.h"

namespace bellwire::registry {

// For how many apps the last answer is kept: the busy ones of a server.
inline constexpr size_t kMaxCachedAppLives = 4096;

// When the app was made, which tells it from any other app of the same id.
int64_t AppCreatedAtMs(const admin::v1::App& app);
// Whether `registration` is of this very app, and not of one that was deleted.
bool IsRegistrationOf(const storage::v1::Registration& registration, const admin::v1::App& app);

// Answers whether the app of a registration still exists. Each Append asks, so the answers about
// the last apps are kept. Not thread-safe.
class AppLives {
 public:
  // Reads through `overlay`, which outlives this.
  explicit AppLives(Overlay* overlay) : overlay_(overlay) {}

  // False: the app was deleted, whether or not there is another one of its id now.
  // Errors: those of KvReader.
  absl::StatusOr<bool> Lives(const storage::v1::Registration& registration);
  // Call it whenever an app changes, and when the overlay was dropped.
  void Forget() { apps_.clear(); }

 private:
  Overlay* const overlay_;
  // nullopt: there is no app of this id.
  absl::flat_hash_map<std::string, std::optional<admin::v1::App>> apps_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_CATALOGUE_APP_LIVES_H_
