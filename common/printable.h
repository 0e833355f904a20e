#ifndef BELLWIRE_COMMON_PRINTABLE_H_
#define BELLWIRE_COMMON_PRINTABLE_H_

#include <string>

#include "absl/strings/string_view.h"

// Text that others have made, on its way to somebody's terminal. Pure functions.
namespace bellwire {

// The length of the UTF-8 character (RFC 3629) that `bytes` begins with. 0: it is malformed, or
// `bytes` is empty.
size_t CharacterLength(absl::string_view bytes);

// Whether that character could do something to a terminal or to the order of a line: U+0000 to
// U+001F, U+007F to U+009F, line and paragraph separators, and what turns the direction of writing.
// REQUIRES: CharacterLength(bytes) != 0.
bool IsControl(absl::string_view bytes);

// `text` for one line: each byte of a control character, and each byte that is no UTF-8, as \xNN.
std::string Printable(absl::string_view text);

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_PRINTABLE_H_
