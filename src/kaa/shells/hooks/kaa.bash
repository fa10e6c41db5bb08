_kaa_complete() {
    local IFS=$'\n' line
    COMPREPLY=()
    for line in $(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \
        _KAA_COMPLETE=bash_complete _kaa_program 2>/dev/null); do
        case $line in
            plain,*) COMPREPLY+=("${line#plain,}") ;;
            dir,*) compopt -o dirnames 2>/dev/null ;;
            file,*) compopt -o default 2>/dev/null ;;
        esac
    done
}
[ -z "${BASH_VERSION-}" ] || complete -o nosort -F _kaa_complete kaa 2>/dev/null || :
