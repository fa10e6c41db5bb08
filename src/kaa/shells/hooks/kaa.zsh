_kaa_complete() {
    local -a lines plain described
    local type key text
    lines=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) \
        _KAA_COMPLETE=zsh_complete _kaa_program 2>/dev/null)}")
    for type key text in ${lines}; do
        if [[ $type == plain && $text == _ ]]; then
            plain+=("$key")
        elif [[ $type == plain ]]; then
            described+=("${key//:/\\:}:$text")
        elif [[ $type == dir ]]; then
            _path_files -/
        elif [[ $type == file ]]; then
            _path_files -f
        fi
    done
    [[ -z $described ]] || _describe -V unsorted described -U
    [[ -z $plain ]] || compadd -U -V unsorted -a plain
}
(( ! $+functions[compdef] )) || compdef _kaa_complete kaa
