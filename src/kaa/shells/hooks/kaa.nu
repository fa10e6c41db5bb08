# kaa's hook for Nushell. Written by kaa; `kaa init` writes it anew.
# Nushell evaluates no text, so that kaa answers in JSON what the variables have to be.
export def --env --wrapped kaa [...arguments: string] {
    let first = ($arguments | get -o 0 | default "")
    let switches = $first in ["activate" "deactivate"]
    let changing = [install update upgrade remove uninstall sync undo rollback repair]
    if not $switches {
        ^@PROGRAM@ ...$arguments
    }
    let active = ($env.CONDA_PREFIX? | default "") != ""
    if $switches or ($first in $changing and $active) {
        let command = if $switches { $first } else { "reactivate" }
        let rest = if $switches { $arguments | skip 1 } else { [] }
        let answer = (^@PROGRAM@ $command --shell nushell ...$rest)
        if ($answer | is-empty) {
            error make --unspanned {msg: $"kaa ($command) has changed nothing"}
        }
        let change = ($answer | from json)
        if $change != null {
            if $change.path != null {
                $env.PATH = $change.path
            }
            load-env $change.set
            hide-env --ignore-errors ...$change.unset
            let modifier = ($env.CONDA_PROMPT_MODIFIER? | default "")
            if $modifier != "" and ($env.__KAA_PROMPT? == null) {
                $env.__KAA_PROMPT = {own: $env.PROMPT_COMMAND?}
                $env.PROMPT_COMMAND = {||
                    let own = $env.__KAA_PROMPT.own
                    let text = if ($own | describe) == "closure" { do $own } else { $own | default "" }
                    $"($env.CONDA_PROMPT_MODIFIER? | default '')($text)"
                }
            } else if $modifier == "" and ($env.__KAA_PROMPT? != null) {
                if $env.__KAA_PROMPT.own == null {
                    hide-env PROMPT_COMMAND
                } else {
                    $env.PROMPT_COMMAND = $env.__KAA_PROMPT.own
                }
                hide-env __KAA_PROMPT
            }
        }
    }
}
