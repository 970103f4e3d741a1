# shellcheck shell=bash
# Completion of helloc's commands and options for bash. What there is, each command's --help tells.

# Prints the options that are in the help text on standard input.
_helloc_options() {
    grep -oE -- '(^|[ ,;])--?[A-Za-z0-9][A-Za-z0-9-]*' | tr -d ' ,;' | sort -u
}

# Completes WORD, the value of an option that the help calls KIND.
_helloc_value() { # WORD KIND
    case $2 in
    FILE*)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$1")
        ;;
    HOST) mapfile -t COMPREPLY < <(compgen -A hostname -- "$1") ;;
    esac
}

_helloc() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} program=${COMP_WORDS[0]} command=() choices='' help value

    COMPREPLY=()
    # bash takes --wait=SECONDS for three words.
    if [ "$word" = "=" ]; then
        word=
    elif [ "$before" = "=" ] && [ "$COMP_CWORD" -ge 2 ]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [ "${program##*/}" != check_hello ]; then
        case ${COMP_WORDS[1]} in
        talk | ping | check | bench) [ "$COMP_CWORD" -eq 1 ] || command=("${COMP_WORDS[1]}") ;;
        esac
        [ "$COMP_CWORD" -ne 1 ] || choices='talk ping check bench'
    fi
    help=$("$program" "${command[@]}" --help 2>/dev/null)
    # "-W, --wait SECONDS  for ...": an option with a value.
    value="[[:space:],]$before(, --[a-z-]+)?[ =]([A-Z]+)"
    if [[ $before == -* && $'\n'$help =~ $value ]]; then
        _helloc_value "$word" "${BASH_REMATCH[2]}"
        return
    fi
    case $word in
    -*) choices=$(_helloc_options <<<"$help") ;;
    */*)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    esac
    mapfile -t COMPREPLY < <(
        compgen -W "$choices" -- "$word"
        [[ $word == -* ]] || compgen -A hostname -- "$word"
    )
}

complete -F _helloc helloc check_hello
