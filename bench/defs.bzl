"""How benches are tested."""

def bench_smoke_test(name, programs):
    """Runs `tools/bench NAME --quick` with the programs of this build, so that no bench rots. Peers
    that are not installed are left out."""
    native.sh_test(
        name = name + "_smoke_test",
        size = "medium",
        srcs = ["//bench:smoke_test.sh"],
        args = [name],
        data = ["//bench:frame"] + programs,
        tags = ["local"],
    )
