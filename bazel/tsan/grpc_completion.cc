// Tells ThreadSanitizer that starting an operation of gRPC comes before its completion. Debian's
// gRPC isn't instrumented, and hands completions from thread to thread through atomics. Each
// function here takes the place of gRPC's own, calls that one, and announces the edge; the tag
// names the operation.
//
// Linked into tests and programs with --config=tsan only (bazel/defs.bzl).

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include "grpc/grpc.h"

#define REAL(function) \
  static const auto real = reinterpret_cast<decltype(&function)>(dlsym(RTLD_NEXT, #function))

extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t nops, void* tag,
                                      void* reserved) {
  REAL(grpc_call_start_batch);
  __tsan_release(tag);
  return real(call, ops, nops, tag, reserved);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline,
                                      void* reserved) {
  REAL(grpc_completion_queue_next);
  const grpc_event event = real(queue, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag,
                                       gpr_timespec deadline, void* reserved) {
  REAL(grpc_completion_queue_pluck);
  const grpc_event event = real(queue, tag, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

}  // extern "C"
