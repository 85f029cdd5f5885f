#!/bin/sh
# Prove the models, and show that what they prove breaks without each of their mechanisms. See README.md.
#
#   models/check.sh                  all of them, about a minute
#   models/check.sh claim            one
#   models/check.sh claim NO_FENCE   tell the story of a counterexample
set -eu
cd "$(dirname "$0")"

for tool in spin gcc; do
    command -v $tool >/dev/null || {
        echo "The models cannot be checked: install $tool (on Debian: apt install spin gcc libc6-dev)" >&2
        exit 1
    }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# explore safety|liveness|deadlock MODEL [NAME[+NAME]...]: search all states; what was found is in $work/found.
explore() {
    defines=$(echo "${3:-}" | sed 's/[^+]*/-D&/g; s/+/ /g; s/^-D$//')
    case $1 in
    liveness) compile=-DNFAIR=3 run='-a -f -A' ;;
    safety) compile='-DNOCLAIM -DSAFETY' run=-E ;;
    deadlock) compile='-DNOCLAIM -DSAFETY' run= ;;
    esac
    rm -f "$work"/*
    cp "$2.pml" "$work"
    # shellcheck disable=SC2086  # Lists of options.
    (
        cd "$work"
        spin $defines -a "$2.pml" >said
        if grep -E 'rror|arning' said >&2; then exit 1; fi
        gcc -O1 -w -DMEMLIM=2048 $compile -o pan pan.c
        ./pan $run -m1000000 >found
    )
    # A counterexample ends the search; without one it must have looked at everything.
    if ! grep -q 'errors: 1$' "$work/found"; then
        if ! grep -q 'errors: 0$' "$work/found" || grep -Eq 'not completed|too small|out of memory' "$work/found"; then
            cat "$work/found" >&2
            exit 1
        fi
    fi
}

is_sound() { grep -q 'errors: 0$' "$work/found"; }

states() { sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' "$work/found" | head -n 1; }

steps() { sed -n 's/^pan:1: .*(at depth \([0-9]*\))$/\1/p' "$work/found"; }

say() { printf '%-6s %-45s %s\n' "$@"; }

must_hold() {
    for kind in deadlock liveness; do
        explore $kind "$@"
        is_sound || {
            say "$1" "${2:-as it is}" "FAILS ($kind)"
            failed=1
            return
        }
    done
    say "$1" "${2:-as it is}" "holds in all of $(states) states"
}

must_break() {
    explore "$@"
    if is_sound; then
        say "$2" "$3" "HOLDS, and should not"
        failed=1
    else
        say "$2" "$3" "breaks $1 after $(steps) steps"
    fi
}

# The variants are lines of the comment at the beginning of a model: names, what becomes of the proof, and why.
variants() { sed -n 's/^ \* \([A-Z_+]*\)  *\(safety\|liveness\|holds\)  .*/\1 \2/p' "$1.pml"; }

check() {
    must_hold "$1"
    variants "$1" >"$work.variants"
    while read -r names outcome; do
        case $outcome in
        holds) must_hold "$1" "$names" ;;
        *) must_break "$outcome" "$1" "$names" ;;
        esac
    done <"$work.variants"
    rm -f "$work.variants"
}

tell() {
    outcome=$(variants "$1" | sed -n "s/^$2 //p")
    case $outcome in
    safety | liveness) ;;
    *)
        echo "$1 has no counterexample called $2" >&2
        exit 1
        ;;
    esac
    explore "$outcome" "$1" "$2"
    # shellcheck disable=SC2086  # A list of options.
    (cd "$work" && spin $defines -t -T -B "$1.pml") | grep -Ev '^(ltl|Never claim|spin: trail|$)'
}

if [ $# -eq 2 ]; then
    tell "$1" "$2"
    exit
fi
for model in ${1:-claim ring watch feed}; do
    check "$model"
done
exit $failed
