#include "net/socket/transport.h"

#include <errno.h>

namespace bellwire::net {

Transport::Result PlainTransport::Read(absl::Span<char> buffer) {
  const ssize_t n = socket().Read(buffer.data(), buffer.size());
  if (n > 0) return Result::Done(static_cast<size_t>(n));
  if (n == 0) return Result::End();
  return errno == EAGAIN ? Result::Blocked() : Result::Failed(socket().status());
}

Transport::Result PlainTransport::Write(absl::string_view data) {
  const ssize_t n = socket().Write(data.data(), data.size());
  if (n >= 0) return Result::Done(static_cast<size_t>(n));
  return errno == EAGAIN ? Result::Blocked() : Result::Failed(socket().status());
}

}  // namespace bellwire::net
