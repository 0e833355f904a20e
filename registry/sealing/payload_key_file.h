#ifndef BELLWIRE_REGISTRY_SEALING_PAYLOAD_KEY_FILE_H_
#define BELLWIRE_REGISTRY_SEALING_PAYLOAD_KEY_FILE_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "crypto/payload_keys.h"

namespace bellwire::registry {

// The payload key file of a running server, which notices when it changes. Not thread-safe.
class PayloadKeyFile {
 public:
  explicit PayloadKeyFile(std::string path) : path_(std::move(path)) {}

  //   as PayloadKeys::FromFile
  absl::StatusOr<std::shared_ptr<const PayloadKeys>> Read();
  // What is in the file, if it is another one than at the last call of this or Read. Null: it is
  // the same, or can't be read, which is logged once.
  std::shared_ptr<const PayloadKeys> ReadIfChanged();

 private:
  // Device, inode, size, time of the last change in nanoseconds; zeros: there is no file.
  using Version = std::tuple<dev_t, ino_t, off_t, int64_t>;
  Version VersionNow() const;

  const std::string path_;
  Version version_{};
};

// Keys beside what they protect protect nothing: whoever takes the directory, or a backup of it,
// has both.
//   FAILED_PRECONDITION PAYLOAD_KEY_FILE_INSIDE: the file lies in one of these
absl::Status CheckOutside(const std::string& key_file, const std::vector<std::string>& directories);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SEALING_PAYLOAD_KEY_FILE_H_
