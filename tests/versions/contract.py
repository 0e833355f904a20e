#!/usr/bin/python3
"""The contracts of protos/ as lines, and whether those of an earlier version still hold: daemons of
two releases talk to each other, and a store outlives the program that wrote it. Fields are added;
none is renumbered, renamed, removed, or given another type.

    contract.py                     checks the recorded versions, tests/versions/*/contract.txt
    contract.py --record VERSION    records today's contracts as those of VERSION, before its tag
"""
import pathlib
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

HERE = pathlib.Path(__file__).resolve().parent
PROTOS = pathlib.Path("protos") if pathlib.Path("protos").is_dir() else HERE.parents[1] / "protos"

FIELD = descriptor_pb2.FieldDescriptorProto


def kind(field):
    name = field.type_name.lstrip(".") or FIELD.Type.Name(field.type)[len("TYPE_") :].lower()
    return f"repeated {name}" if field.label == FIELD.LABEL_REPEATED else name


def lines_of_enum(scope, enum):
    for value in enum.value:
        yield f"{scope}{enum.name}.{value.name} = {value.number}"


def lines_of_message(scope, message):
    name = f"{scope}{message.name}"
    for field in message.field:
        line = f"{name}.{field.name} = {field.number} {kind(field)}"
        if field.HasField("oneof_index") and not field.proto3_optional:
            line += f" of {message.oneof_decl[field.oneof_index].name}"
        yield line
    for enum in message.enum_type:
        yield from lines_of_enum(f"{name}.", enum)
    for nested in message.nested_type:
        yield from lines_of_message(f"{name}.", nested)


def lines_of_service(scope, service):
    for method in service.method:
        sides = [
            ("stream " if streams else "") + kind_name.lstrip(".")
            for streams, kind_name in [
                (method.client_streaming, method.input_type),
                (method.server_streaming, method.output_type),
            ]
        ]
        yield f"{scope}{service.name}/{method.name}({sides[0]}) returns ({sides[1]})"


def contracts():
    """A line for each field, enum value and method of ours."""
    files = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("bellwire/**/*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "all"
        subprocess.run(["protoc", f"-I{PROTOS}", f"--descriptor_set_out={out}", *files], check=True)
        every = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    found = []
    for file in every.file:
        scope = f"{file.package}."
        for message in file.message_type:
            found += lines_of_message(scope, message)
        for enum in file.enum_type:
            found += lines_of_enum(scope, enum)
        for service in file.service:
            found += lines_of_service(scope, service)
    return sorted(found)


def main(arguments):
    today = contracts()
    if len(arguments) == 2 and arguments[0] == "--record":
        folder = HERE / arguments[1]
        folder.mkdir(exist_ok=True)
        (folder / "contract.txt").write_text("\n".join(today) + "\n", encoding="utf-8")
        return
    if arguments:
        sys.exit(__doc__)
    recorded = sorted(HERE.glob("*/contract.txt"))
    if not recorded:
        sys.exit("error: no version is recorded")
    broken = []
    for path in recorded:
        held = set(today)
        for line in path.read_text(encoding="utf-8").splitlines():
            if line not in held:
                broken.append(f"{path.parent.name}: no longer so: {line}")
    if broken:
        sys.exit(
            "error: who has an earlier version does not understand this one:\n  "
            + "\n  ".join(broken)
        )
    print(f"the contracts of {', '.join(path.parent.name for path in recorded)} hold")


if __name__ == "__main__":
    main(sys.argv[1:])
