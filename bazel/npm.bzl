"""Programs of npm that tests and the demo run: installed by `npm ci` from a lock file, as an
external repository. Nothing that is built depends on them."""

# What the clients in tests/doors want at least.
_NODE_MAJOR = 20

# Installed beside them where the machine's Node.js is older.
_NODE = "node@20.20.0"

def _run(ctx, arguments):
    result = ctx.execute(arguments, timeout = 900)
    if result.return_code != 0:
        command = " ".join([str(a) for a in arguments])
        fail("%s failed: %s\n%s" % (command, result.stdout, result.stderr))
    return result.stdout

def _npm_ci_impl(ctx):
    npm = ctx.which("npm")
    node = ctx.which("node")
    if npm == None or node == None:
        fail("there is no npm on this machine: run tools/setup")
    ctx.file("package.json", ctx.read(ctx.attr.package_json))
    ctx.file("package-lock.json", ctx.read(ctx.attr.package_lock_json))
    quiet = ["--no-audit", "--no-fund", "--prefer-offline"]
    # What is optional is for parts of a package that no test uses, and large; or a program for this
    # kind of machine.
    omit = [] if ctx.attr.with_optional else ["--omit=optional"]
    _run(ctx, [npm, "ci", "--ignore-scripts"] + omit + quiet)
    if int(_run(ctx, [node, "--version"]).lstrip("v").split(".")[0]) < _NODE_MAJOR:
        _run(ctx, [npm, "install", "--no-save", "--no-package-lock", _NODE] + quiet)
        node = ctx.path("node_modules/node/bin/node")
    ctx.file("node", '#!/bin/sh\nexec "%s" "$@"\n' % node)
    ctx.file("BUILD.bazel", """
package(default_visibility = ["//visibility:public"])

# `node` runs Node.js, in the version that the packages want.
filegroup(name = "packages", srcs = ["node", "node_modules"])
""")

npm_ci = repository_rule(
    implementation = _npm_ci_impl,
    attrs = {
        "package_json": attr.label(allow_single_file = True, mandatory = True),
        "package_lock_json": attr.label(allow_single_file = True, mandatory = True),
        "with_optional": attr.bool(),
    },
    environ = ["PATH"],
)
