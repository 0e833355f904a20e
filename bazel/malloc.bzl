"""Who allocates memory for the servers."""

# The `malloc` of a program whose threads hand messages to each other: jemalloc in optimised
# builds. Sanitizers bring their own, and development builds stay as they are.
SERVER_MALLOC = select({
    "//bazel:opt": "@jemalloc//:jemalloc",
    "//conditions:default": "@bazel_tools//tools/cpp:malloc",
})
