"""A static library to give away: one archive of all that its deps need of this tree."""

def _static_library_impl(ctx):
    archives = []
    for dep in ctx.attr.deps:
        for linker_input in dep[CcInfo].linking_context.linker_inputs.to_list():
            for library in linker_input.libraries:
                archive = library.pic_static_library or library.static_library
                if archive and archive not in archives:
                    archives.append(archive)
    output = ctx.actions.declare_file(ctx.label.name + ".a")
    script = ["create " + output.path]
    script += ["addlib " + archive.path for archive in archives]
    script += ["save", "end"]
    ctx.actions.run_shell(
        inputs = archives,
        outputs = [output],
        mnemonic = "StaticLibrary",
        # Two archives of one name are no problem; two objects of one name are kept both.
        command = "rm -f %s && printf '%%s\\n' '%s' | ar -M" % (output.path, "\n".join(script)),
    )
    return [DefaultInfo(files = depset([output]), runfiles = ctx.runfiles([output]))]

# Debian's libraries are not in it: their shims have linker options only.
static_library = rule(
    implementation = _static_library_impl,
    attrs = {"deps": attr.label_list(providers = [CcInfo], mandatory = True)},
)
