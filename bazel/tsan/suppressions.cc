// Options of ThreadSanitizer and what it leaves out, within each program: a path would only do
// where the tests' own directory is the current one. TSAN_OPTIONS adds to them.
//
// Debian's libraries are not instrumented: what they do by themselves is ignored, and what they
// order for us is announced (absl_synchronization.cc, grpc_completion.cc). Suppressed is only
// library code that is compiled into ours, and only at the very top of a stack: never code of ours.

extern "C" {

[[gnu::no_sanitize_thread]] const char* __tsan_default_options() {
  return "ignore_noninstrumented_modules=1";
}

// gRPC's templates for a call count references from both sides of that line.
[[gnu::no_sanitize_thread]] const char* __tsan_default_suppressions() {
  return "race_top:grpc::internal::\n";
}

}  // extern "C"
