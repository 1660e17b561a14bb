# fish completion for jairouter, as `jairouter completion fish` prints it

function __jairouter_complete
    set -l words (commandline -opc)
    set -l command $words[1]
    set -e words[1]
    set -l current (commandline -ct)
    set -l lines ($command __complete fish $words "$current" 2>/dev/null)
    if test "$lines[1]" = files
        __fish_complete_path "$current"
        return
    end
    set -e lines[1]
    if set -q lines[1]
        printf '%s\n' $lines
    end
end

complete --command jairouter --no-files --arguments '(__jairouter_complete)'
