#include "gateway/doors/http/server_protocol.h"

namespace bellwire::http {

void AnswerUnmatched(Exchange* exchange) {
  const bool truncated = exchange->head().truncated;
  exchange->Respond(truncated ? 431 : 404, {{"content-type", "text/plain"}});
  exchange->Write(truncated ? "The request's header fields are too long.\n"
                            : "There is nothing here. This is a Bellwire gateway.\n");
  exchange->End();
}

}  // namespace bellwire::http
