# kaa's hook for PowerShell. Written by kaa; `kaa init` writes it anew.
function global:_kaa_program { & @PROGRAM@ @args }
function global:_kaa_prompt {
    if ($Env:CONDA_PROMPT_MODIFIER) {
        if (-not (Test-Path Function:_kaa_own_prompt)) {
            Copy-Item Function:prompt Function:global:_kaa_own_prompt
            function global:prompt { "$Env:CONDA_PROMPT_MODIFIER$(_kaa_own_prompt)" }
        }
    } elseif (Test-Path Function:_kaa_own_prompt) {
        Copy-Item Function:_kaa_own_prompt Function:global:prompt
        Remove-Item Function:_kaa_own_prompt
    }
}
function global:_kaa_switch {
    $lines = (_kaa_program @args | Out-String)
    if ($LASTEXITCODE -ne 0) { return }
    . ([ScriptBlock]::Create($lines))
    _kaa_prompt
}
function global:kaa {
    $first = if ($args.Count -gt 0) { "$($args[0])" } else { '' }
    $rest = if ($args.Count -gt 1) { @($args[1..($args.Count - 1)]) } else { @() }
    if ($first -cin 'activate', 'deactivate') {
        _kaa_switch $first --shell powershell @rest
        return
    }
    if ($MyInvocation.ExpectingInput) { $input | & @PROGRAM@ @args } else { _kaa_program @args }
    $changing = 'install', 'update', 'upgrade', 'remove', 'uninstall', 'sync', 'undo', 'rollback', 'repair'
    if ($first -cin $changing -and $LASTEXITCODE -eq 0 -and $Env:CONDA_PREFIX) {
        _kaa_switch reactivate --shell powershell
    }
}
