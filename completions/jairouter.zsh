
#compdef jairouter

_jairouter_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _JAIROUTER_COMPLETE=complete_zsh jairouter)
}

compdef _jairouter_completion jairouter

