#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_HEADER_LIST_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_HEADER_LIST_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace bellwire::http {

// Fields of a request in the order in which they came, names in lower case. A name may repeat.
struct Header {
  std::string name;
  std::string value;
};
using HeaderList = std::vector<Header>;

// Fields of an answer: what they point to lives during the call that takes them.
using HeaderView = std::pair<absl::string_view, absl::string_view>;

// The first field of this name; null: there is none.
inline const std::string* FindHeader(const HeaderList& headers, absl::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) return &header.value;
  }
  return nullptr;
}

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_HEADER_LIST_H_
