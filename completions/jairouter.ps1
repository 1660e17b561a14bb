# PowerShell completion for jairouter, as `jairouter completion powershell` prints it

Register-ArgumentCompleter -Native -CommandName jairouter -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $elements = @($commandAst.CommandElements)
    $command = $elements[0].Extent.Text
    $words = @($elements | Select-Object -Skip 1 | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
    })
    # the colon, because older versions pass no empty arguments
    $lines = @(& $command __complete powershell @words ":$wordToComplete" 2>$null)
    if ($lines.Count -eq 0 -or $lines[0] -eq 'files') { return }
    $lines | Select-Object -Skip 1 | ForEach-Object {
        $value, $help = $_ -split "`t", 2
        $text = if ($value -match "[\s'""``$@(){}\[\];,|&<>#]") { "'" + $value.Replace("'", "''") + "'" } else { $value }
        $tip = if ($help) { $help } else { $value }
        [System.Management.Automation.CompletionResult]::new($text, $value, 'ParameterValue', $tip)
    }
}
