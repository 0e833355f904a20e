#include "gateway/doors/http/reply.h"

#include <vector>

#include "absl/strings/str_cat.h"

namespace bellwire::http {
namespace {

// RFC 9110, 15.3.5 and 15.4.5.
bool MayHaveBody(int status) { return status != 204 && status != 304; }

}  // namespace

void SendReply(Exchange* exchange, const Reply& reply) {
  const std::string length = absl::StrCat(reply.body.size());
  std::vector<HeaderView> fields;
  fields.reserve(reply.headers.size() + 1);
  for (const Header& header : reply.headers) fields.emplace_back(header.name, header.value);
  if (MayHaveBody(reply.status)) fields.emplace_back("content-length", length);
  if (!MayHaveBody(reply.status) || reply.body.empty() || exchange->head().method == "HEAD") {
    return exchange->RespondOnly(reply.status, fields);
  }
  exchange->Respond(reply.status, fields);
  exchange->Write(reply.body);
  exchange->End();
}

}  // namespace bellwire::http
