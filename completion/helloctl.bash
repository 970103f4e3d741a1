# shellcheck shell=bash
# Completion of helloctl's commands and options for bash.

# Prints the command among the words before the one that is completed.
_helloctl_command() {
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -s | --socket)
            i=$((i + 1))
            # bash takes --socket=PATH for three words.
            if [ "${COMP_WORDS[i]}" = "=" ]; then
                i=$((i + 1))
            fi
            ;;
        -*) ;;
        *)
            echo "${COMP_WORDS[i]}"
            return
            ;;
        esac
    done
}

_helloctl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command choices

    COMPREPLY=()
    if [ "$word" = "=" ]; then
        word=
    elif [ "$before" = "=" ] && [ "$COMP_CWORD" -ge 2 ]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $before in
    -s | --socket)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    esac
    command=$(_helloctl_command)
    case $command in
    "") choices='status metrics top reload log-level stop -s --socket -V --version -h --help' ;;
    status) choices='--json' ;;
    metrics) choices='--http' ;;
    log-level) choices='err warning notice info debug' ;;
    *) choices= ;;
    esac
    if [ "$command" = log-level ] && [ "$before" != log-level ]; then
        choices=
    fi
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
}

complete -F _helloctl helloctl
