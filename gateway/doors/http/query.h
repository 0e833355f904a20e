#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_QUERY_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_QUERY_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

// What a request's path says, for doors that look at more than a fixed path. Pure.
namespace bellwire::http {

// `path` of a RequestHead, without and with what follows the first "?".
inline absl::string_view PathOf(absl::string_view path) { return path.substr(0, path.find('?')); }
inline absl::string_view QueryOf(absl::string_view path) {
  const size_t mark = path.find('?');
  return mark == absl::string_view::npos ? absl::string_view() : path.substr(mark + 1);
}

// Resolves %XX (RFC 3986, 2.1). nullopt: a "%" without two hex digits. The result may hold any
// byte, also "/" and NUL: check it.
std::optional<std::string> PercentDecode(absl::string_view text);

// The names and values of "a=1&b=two+words", in order, decoded as an HTML form is: "+" is a space.
// A name without "=" has the value "". nullopt: as of PercentDecode.
using QueryParameters = std::vector<std::pair<std::string, std::string>>;
std::optional<QueryParameters> ParseQuery(absl::string_view query);

// The first value of this name; null: there is none.
const std::string* FindParameter(const QueryParameters& parameters, absl::string_view name);

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_QUERY_H_
