#!/usr/bin/python3
"""The bytes of messages, as versions write them: of each message on a wire or in a store, with all
of its fields. Today's protos have to understand each, wholly, and write the same.

    golden.py                     checks the recorded versions, tests/versions/*/messages.txt
    golden.py --record VERSION    records today's bytes as those of VERSION, before its tag
"""
import pathlib
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

HERE = pathlib.Path(__file__).resolve().parent
PROTOS = pathlib.Path("protos") if pathlib.Path("protos").is_dir() else HERE.parents[1] / "protos"
# Administration is between a command line and its own server.
PACKAGES = ("agent", "device", "internal", "push", "storage")
# A message within a message within a message has no fields.
DEPTH = 2

FIELD = descriptor_pb2.FieldDescriptorProto


def message_types():
    """name → class, of all messages of ours; map entries are none."""
    files = sorted(
        str(path.relative_to(PROTOS))
        for package in PACKAGES
        for path in PROTOS.glob(f"bellwire/{package}/**/*.proto")
    )
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "all"
        subprocess.run(
            ["protoc", f"-I{PROTOS}", "--include_imports", f"--descriptor_set_out={out}", *files],
            check=True,
        )
        every = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in every.file:
        pool.Add(file)
    factory, found = message_factory.MessageFactory(pool), {}

    def note(descriptor):
        if not descriptor.GetOptions().map_entry:
            found[descriptor.full_name] = factory.GetPrototype(descriptor)
        for nested in descriptor.nested_types:
            note(nested)

    for name in files:
        for descriptor in pool.FindFileByName(name).message_types_by_name.values():
            note(descriptor)
    return found


def scalar(field):
    """A value that is no default and tells fields apart."""
    if field.enum_type:
        return field.enum_type.values[-1].number or 1
    kind = field.type
    if kind == FIELD.TYPE_BOOL:
        return True
    if kind == FIELD.TYPE_STRING:
        return f"{field.name} ✓"
    if kind == FIELD.TYPE_BYTES:
        return bytes([0, 255, field.number % 256])
    if kind in (FIELD.TYPE_DOUBLE, FIELD.TYPE_FLOAT):
        return field.number + 0.5
    wide = kind in (
        FIELD.TYPE_INT64,
        FIELD.TYPE_UINT64,
        FIELD.TYPE_FIXED64,
        FIELD.TYPE_SFIXED64,
        FIELD.TYPE_SINT64,
    )
    return (1 << (40 if wide else 20)) + field.number


def fill(message, chosen, depth):
    """Sets every field; of a oneof the one in `chosen`, or else its first."""
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if (
            oneof is not None
            and len(oneof.fields) > 1
            and field.name != chosen.get(oneof.name, oneof.fields[0].name)
        ):
            continue
        repeated = field.label == FIELD.LABEL_REPEATED
        if field.message_type is None:
            if repeated:
                getattr(message, field.name).extend([scalar(field)] * 2)
            else:
                setattr(message, field.name, scalar(field))
        elif field.message_type.GetOptions().map_entry:
            entry = field.message_type.fields_by_name
            if entry["value"].message_type is None:
                getattr(message, field.name)[scalar(entry["key"])] = scalar(entry["value"])
            else:
                fill(getattr(message, field.name)[scalar(entry["key"])], {}, depth - 1)
        else:
            inner = getattr(message, field.name).add() if repeated else getattr(message, field.name)
            inner.SetInParent()
            if depth > 0:
                fill(inner, {}, depth - 1)


def samples(types):
    """ "NAME[#MEMBER]" → bytes: one of each message, and of each member of its oneofs."""
    for name, kind in sorted(types.items()):
        choices = [
            (f"#{field.name}", {oneof.name: field.name})
            for oneof in kind.DESCRIPTOR.oneofs
            if len(oneof.fields) > 1
            for field in oneof.fields
        ]
        for suffix, chosen in choices or [("", {})]:
            message = kind()
            fill(message, chosen, DEPTH)
            yield name + suffix, message.SerializeToString(deterministic=True)


def unknown(message):
    """Whether something in it is not understood."""
    if len(message.UnknownFields()):
        return True
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            values = (
                value.values() if field.message_type.fields_by_name["value"].message_type else []
            )
        else:
            values = value if field.label == FIELD.LABEL_REPEATED else [value]
        if any(unknown(inner) for inner in values):
            return True
    return False


def broken(types, name, written):
    """Why bytes of an earlier version are not understood; None: they are."""
    kind = types.get(name.partition("#")[0])
    if kind is None:
        return "there is no such message"
    try:
        message = kind.FromString(written)
    except Exception as error:  # pylint: disable=broad-except
        return f"it is malformed: {error}"
    if unknown(message):
        return "a field is not understood"
    if message.SerializeToString(deterministic=True) != written:
        return "it is written in another way"
    return None


def main(arguments):
    types = message_types()
    if len(arguments) == 2 and arguments[0] == "--record":
        folder = HERE / arguments[1]
        folder.mkdir(exist_ok=True)
        (folder / "messages.txt").write_text(
            "".join(f"{name} {written.hex()}\n" for name, written in samples(types)),
            encoding="ascii",
        )
        return
    if arguments:
        sys.exit(__doc__)
    recorded = sorted(HERE.glob("*/messages.txt"))
    if not recorded:
        sys.exit("error: no version is recorded")
    failures, count = [], 0
    for path in recorded:
        for line in path.read_text(encoding="ascii").splitlines():
            name, _, written = line.partition(" ")
            count += 1
            if why := broken(types, name, bytes.fromhex(written)):
                failures.append(f"{path.parent.name}: no longer so: {name}: {why}")
    if failures:
        sys.exit(
            "error: what an earlier version wrote is not understood:\n  " + "\n  ".join(failures)
        )
    print(f"{count} messages of {', '.join(path.parent.name for path in recorded)} are understood")


if __name__ == "__main__":
    main(sys.argv[1:])
