# kaa's hook for fish. Written by kaa; `kaa init` writes it anew.
function _kaa_program
    @PROGRAM@ $argv
end
function _kaa_prompt --description 'Begin the prompt with the active environment'
    if set -q CONDA_PROMPT_MODIFIER[1]; and test -n "$CONDA_PROMPT_MODIFIER"
        if functions -q fish_prompt; and not functions -q _kaa_own_prompt
            functions -c fish_prompt _kaa_own_prompt
            function fish_prompt
                set -l kept $status
                printf '%s' $CONDA_PROMPT_MODIFIER
                _kaa_with_status $kept
                _kaa_own_prompt
            end
        end
    else if functions -q _kaa_own_prompt
        functions -e fish_prompt
        functions -c _kaa_own_prompt fish_prompt
        functions -e _kaa_own_prompt
    end
end
function _kaa_with_status
    return $argv[1]
end
function _kaa_switch
    set -l lines (_kaa_program $argv)
    or return 1
    eval (string join \n -- $lines | string collect)
    _kaa_prompt
end
function kaa --description 'Environments, packages and Jupyter kernels'
    switch "$argv[1]"
        case activate deactivate
            _kaa_switch $argv[1] --shell fish $argv[2..]
        case install update upgrade remove uninstall sync undo rollback repair
            _kaa_program $argv
            or return
            if set -q CONDA_PREFIX[1]
                _kaa_switch reactivate --shell fish
            end
        case '*'
            _kaa_program $argv
    end
end
function _kaa_complete
    set -l words (commandline -cp)
    set -l current (commandline -t)
    for line in (env _KAA_COMPLETE=fish_complete COMP_WORDS="$words" COMP_CWORD="$current" @PROGRAM@ 2>/dev/null)
        set -l parts (string split -m 1 ',' -- $line)
        switch $parts[1]
            case plain
                echo $parts[2]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
        end
    end
end
complete -c kaa -f -a '(_kaa_complete)'
