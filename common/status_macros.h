#ifndef BELLWIRE_COMMON_STATUS_MACROS_H_
#define BELLWIRE_COMMON_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// The two ways an error travels up.

// Returns the status of `expr` from the enclosing function, unless it is OK.
#define BELLWIRE_RETURN_IF_ERROR(expr)                                                        \
  do {                                                                                        \
    if (absl::Status bellwire_status = (expr); !bellwire_status.ok()) return bellwire_status; \
  } while (false)

// Assigns the value of the StatusOr `expr` to `lhs`, which may declare a variable, or returns its
// status from the enclosing function. Two statements: not for the body of an `if` without braces.
#define BELLWIRE_ASSIGN_OR_RETURN(lhs, expr) \
  BELLWIRE_ASSIGN_OR_RETURN_IMPL_(BELLWIRE_MACROS_CONCAT_(bellwire_or_, __LINE__), lhs, expr)

#define BELLWIRE_ASSIGN_OR_RETURN_IMPL_(temporary, lhs, expr) \
  auto temporary = (expr);                                    \
  if (!temporary.ok()) return std::move(temporary).status();  \
  lhs = *std::move(temporary)
#define BELLWIRE_MACROS_CONCAT_(a, b) BELLWIRE_MACROS_CONCAT_INNER_(a, b)
#define BELLWIRE_MACROS_CONCAT_INNER_(a, b) a##b

#endif  // BELLWIRE_COMMON_STATUS_MACROS_H_
