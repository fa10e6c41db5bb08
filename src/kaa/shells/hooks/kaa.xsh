# kaa's hook for xonsh. Written by kaa; `kaa init` writes it anew.
def _kaa_hook():
    program = [@WORDS@]
    changing = {
        "install", "update", "upgrade", "remove", "uninstall", "sync", "undo", "rollback", "repair",
    }

    def run(arguments, **options):
        import subprocess

        return subprocess.run([*program, *arguments], env=__xonsh__.env.detype(), **options)

    def switch(command, arguments):
        import subprocess

        done = run([command, "--shell", "xonsh", *arguments], stdout=subprocess.PIPE)
        if done.returncode:
            return 1
        lines = done.stdout.decode("utf-8", "surrogateescape")
        if lines.strip():
            __xonsh__.execer.exec(lines, glbs=__xonsh__.ctx)
        return 0

    def kaa(args, stdin=None, stdout=None, stderr=None):
        if args and args[0] in ("activate", "deactivate"):
            return switch(args[0], args[1:])
        streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        code = run(args, **streams).returncode
        if code == 0 and args and args[0] in changing and "CONDA_PREFIX" in __xonsh__.env:
            return switch("reactivate", [])
        return code

    return kaa


aliases["kaa"] = _kaa_hook()
del _kaa_hook
