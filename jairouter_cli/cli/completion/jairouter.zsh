#compdef jairouter
# zsh completion for jairouter, as `jairouter completion zsh` prints it

_jairouter() {
    local line kind
    local -a lines closed open before
    before=("${(@Q)words[2,CURRENT-1]}")
    lines=("${(@f)$(${(Q)~words[1]} __complete zsh "${before[@]}" "${(Q)PREFIX}" 2>/dev/null)}")
    kind=$lines[1]
    shift lines
    if [[ $kind == files ]]; then
        _files
        return
    fi
    for line in $lines; do
        line="${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}"
        if [[ $kind == open ]]; then open+=("$line"); else closed+=("$line"); fi
    done
    _describe -t values 'jairouter' closed -- open -S ''
}

if [[ $funcstack[1] == _jairouter ]]; then
    _jairouter "$@"
else
    compdef _jairouter jairouter
fi
