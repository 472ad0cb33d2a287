#!/bin/sh
# Plays claude, codex or gemini without a person: does what the prompt says.
name=$(basename "$0")
case "$*" in
  --version) echo "$name-fixture 4.5.6"; exit 0 ;;
  *--prompt=*) prompt=${3#--prompt=} ;;
  *) prompt=$(cat) ;;
esac
case "$prompt" in
  fail*) echo "cannot do that" >&2; exit "${prompt#fail }" ;;
  sleep) setsid sleep 1011 & exec sleep 1011 ;;
  brief) sleep 0.3 ;;
  stubborn) trap '' TERM HUP; while :; do sleep 1012; done ;;
  flood) exec yes 0123456789abcdef0123456789abcdef ;;
  binary) printf 'a\303'; sleep 0.1; printf '\251b\377c\n' ;;
  where) pwd; echo "$HOME"; test -t 0 || echo no terminal ;;
  *)
    usage='{"type":"result","usage":{"input_tokens":3,"output_tokens":5}}'
    printf '{"type":"text","text":"%s"}\n%s\n' "$prompt" "$usage"
    ;;
esac
