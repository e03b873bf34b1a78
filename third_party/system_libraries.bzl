"""Libraries that the system has installed, as Bazel repositories.

Their headers lie in /usr/include, which the compiler looks into anyway: each target is only what the linker must know.
"""

def _target(name, linkopts, deps = []):
    return """cc_library(
    name = "{name}",
    linkopts = {linkopts},
    deps = {deps},
    visibility = ["//visibility:public"],
)
""".format(name = name, linkopts = repr([o for o in linkopts.split(" ") if o]), deps = repr(deps))

def _system_library_impl(ctx):
    ctx.file("BUILD", "\n".join([_target(name, options) for name, options in ctx.attr.targets.items()]))

system_library = repository_rule(
    implementation = _system_library_impl,
    attrs = {"targets": attr.string_dict(doc = "target name -> linker options")},
    local = True,
)

# Upstream's packages and targets, as far as this project names them.
_ABSEIL = {
    "absl/algorithm": ["container"],
    "absl/base": ["core_headers"],
    "absl/cleanup": ["cleanup"],
    "absl/container": ["btree", "flat_hash_map", "flat_hash_set", "inlined_vector"],
    "absl/flags": ["flag", "parse", "usage"],
    "absl/functional": ["function_ref"],
    "absl/numeric": ["bits"],
    "absl/random": ["random"],
    "absl/status": ["status", "statusor"],
    "absl/strings": ["strings", "str_format"],
    "absl/synchronization": ["synchronization"],
    "absl/time": ["time"],
    "absl/types": ["span"],
}

def _system_abseil_impl(ctx):
    found = ctx.execute(["sh", "-c", "ls /usr/lib/*/libabsl_*.so | sed 's|.*/lib\\(.*\\)\\.so|-l\\1|'"])
    libraries = " ".join(found.stdout.split("\n"))
    ctx.file("BUILD", _target("all", "-Wl,--push-state,--as-needed " + libraries + " -Wl,--pop-state"))
    for package, names in _ABSEIL.items():
        # A package's last part names a target too: @com_google_absl//absl/strings.
        last = package.split("/")[-1]
        every = names if last in names else names + [last]
        ctx.file(package + "/BUILD", "\n".join([_target(name, "", ["//:all"]) for name in every]))

system_abseil = repository_rule(
    implementation = _system_abseil_impl,
    local = True,
)
