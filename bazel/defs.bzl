"""The build rules of Bellwire: they own the compiler flags and the defaults, nothing else does."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_proto_library", "cc_test")

_COPTS = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-missing-field-initializers",
    "-Wnon-virtual-dtor",
    # A service of gRPC's callback API hides the synchronous methods of the same names, by design.
    "-Wno-overloaded-virtual",
    "-Wimplicit-fallthrough",
    "-Wvla",
]

# What ThreadSanitizer must be told about libraries that aren't instrumented (bazel/tsan/).
_TSAN_DEPS = select({
    "//bazel:tsan": ["//bazel/tsan:announcements"],
    "//conditions:default": [],
})

# Flags that gcc refuses for C.
_CXX_ONLY = ["-Wnon-virtual-dtor", "-Woverloaded-virtual", "-Wno-overloaded-virtual"]

def _expand(deps):
    """Labels of Abseil may be written as absl/strings or absl/strings:cord."""
    if type(deps) != "list":
        return deps
    return ["@com_google_absl//" + d if d.startswith("absl/") else d for d in deps]

def bellwire_unit(
        name,
        deps = [],
        visibility = None,
        testonly = None,
        test_deps = [],
        **kwargs):
    """One idea: NAME.h, NAME.cc where there is one, and NAME_test.cc where there is one.

    Writes the library `NAME` and the test `NAME_test`. The test sees what the unit sees, and
    `test_deps`. Other attributes of the test start with `test_`, such as `test_size`."""
    extra = {}
    for key, value in kwargs.items():
        if not key.startswith("test_"):
            fail("bellwire_unit %s: no attribute %s" % (name, key))
        extra[key[len("test_"):]] = value
    bellwire_cc_library(
        name = name,
        srcs = native.glob([name + ".cc"]),
        hdrs = native.glob([name + ".h"]),
        deps = deps,
        testonly = testonly,
        visibility = visibility,
    )
    tests = native.glob([name + "_test.cc"])
    if tests:
        bellwire_cc_test(
            name = name + "_test",
            srcs = tests,
            deps = [":" + name] + deps + test_deps,
            **extra
        )
    elif test_deps or extra:
        fail("bellwire_unit %s: there is no %s_test.cc" % (name, name))

def bellwire_cc_library(name, srcs = [], deps = [], **kwargs):
    """A unit of code: one target per idea, visible to its own package unless it says otherwise. Its
    sources are C++, or all of them C."""
    is_c = len(srcs) > 0 and all([src.endswith(".c") for src in srcs])
    copts = [flag for flag in _COPTS if not (is_c and flag in _CXX_ONLY)]
    cc_library(name = name, srcs = srcs, copts = copts, deps = _expand(deps), **kwargs)

def bellwire_cc_binary(name, deps = [], **kwargs):
    """A program."""
    cc_binary(name = name, copts = _COPTS, deps = _expand(deps) + _TSAN_DEPS, **kwargs)

def bellwire_cc_test(name, deps = [], data = [], size = "small", **kwargs):
    """A GoogleTest program; main() comes from gtest_main."""
    cc_test(
        name = name,
        size = size,
        copts = _COPTS,
        data = data,
        deps = _expand(deps) + ["@com_google_googletest//:gtest_main"] + _TSAN_DEPS,
        **kwargs
    )

def bellwire_cc_fuzz_test(name, corpus, deps = [], **kwargs):
    """A fuzz target: LLVMFuzzerTestOneInput under libFuzzer with --config=fuzz, and otherwise an
    ordinary test that replays `corpus` and seeded mutations of it (tests/fuzz/replay_main.cc)."""
    cc_test(
        name = name,
        size = "small",
        copts = _COPTS,
        args = ["$(locations %s)" % corpus],
        data = [corpus],
        linkopts = select({
            "//bazel:libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        deps = _expand(deps) + select({
            "//bazel:libfuzzer": [],
            "//conditions:default": ["//tests/fuzz:replay_main"],
        }) + _TSAN_DEPS,
        tags = ["fuzz"],
        **kwargs
    )

def bellwire_proto_library(name, src, deps = [], grpc = False, visibility = None):
    """One .proto file below //protos: `name` is its proto_library, `name`_cc its C++ messages and,
    where it has services, `name`_grpc its gRPC stubs.

    `src` is the path below //protos; `deps` are the `name`s of other files there, or labels of
    well-known protos."""
    native.proto_library(
        name = name,
        srcs = [src],
        strip_import_prefix = "/protos",
        visibility = visibility,
        deps = deps,
    )
    cc_proto_library(
        name = name + "_cc",
        visibility = visibility,
        deps = [":" + name],
    )
    if grpc:
        stem = src[:-len(".proto")]
        native.genrule(
            name = name + "_grpc_gen",
            srcs = ["//protos:all_protos"],
            outs = [stem + ".grpc.pb.h", stem + ".grpc.pb.cc"],
            tools = [
                "@com_github_grpc_grpc//:grpc_cpp_plugin",
                "@com_google_protobuf//:protoc",
            ],
            cmd = "$(location @com_google_protobuf//:protoc) -I protos -I /usr/include" +
                  " --plugin=protoc-gen-grpc=$(location @com_github_grpc_grpc//:grpc_cpp_plugin)" +
                  " --grpc_out=$(RULEDIR) protos/" + src,
        )
        cc_library(
            name = name + "_grpc",
            srcs = [stem + ".grpc.pb.cc"],
            hdrs = [stem + ".grpc.pb.h"],
            strip_include_prefix = "/protos",
            visibility = visibility,
            deps = [":" + name + "_cc", "@com_github_grpc_grpc//:grpc++"],
        )
