#ifndef BELLWIRE_NET_SOCKET_WRITE_BUFFER_H_
#define BELLWIRE_NET_SOCKET_WRITE_BUFFER_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace bellwire::net {

// Bytes on their way out: appended at the back, taken from the front. Holds no heap memory when
// empty, because most connections are idle.
class WriteBuffer {
 public:
  void Append(absl::string_view data) { bytes_.append(data.data(), data.size()); }
  absl::string_view data() const { return absl::string_view(bytes_).substr(taken_); }
  size_t size() const { return bytes_.size() - taken_; }
  bool empty() const { return size() == 0; }
  // What it could hold without more memory.
  size_t capacity() const { return bytes_.capacity(); }

  // REQUIRES: n <= size().
  void Take(size_t n) {
    taken_ += n;
    if (taken_ == bytes_.size()) {
      // Assigning an empty string would keep the memory.
      std::string().swap(bytes_);
      taken_ = 0;
    } else if (taken_ > bytes_.size() / 2) {
      // Moves each byte at most once on average.
      bytes_.erase(0, taken_);
      taken_ = 0;
    }
  }

 private:
  std::string bytes_;
  size_t taken_ = 0;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_WRITE_BUFFER_H_
