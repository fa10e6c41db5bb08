# kaa's hook for POSIX shells. Written by kaa; `kaa init` writes it anew.
# The lines between these commands of kaa and this shell are evaluated, all others just run.
_kaa_program() {
    @PROGRAM@ "$@"
}
_kaa_switch() {
    _kaa_lines=$(_kaa_program "$@") || { \unset _kaa_lines; \return 1; }
    \eval "$_kaa_lines
\unset _kaa_lines"
}
kaa() {
    case "${1-}" in
        activate | deactivate)
            _kaa_command=$1
            \shift
            _kaa_switch "$_kaa_command" --shell @SHELL@ "$@"
            ;;
        install | update | upgrade | remove | uninstall | sync | undo | rollback | repair)
            _kaa_program "$@" || \return
            [ -z "${CONDA_PREFIX-}" ] || _kaa_switch reactivate --shell @SHELL@
            ;;
        *)
            _kaa_program "$@"
            ;;
    esac
}
