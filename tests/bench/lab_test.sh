#!/bin/bash
# scripts/lab with real namespaces: both ends of every link held, idempotent, nothing left behind. 77 where this machine
# cannot have a lab (CTest counts that as skipped).
set -u
lab=$1
export TW_LAB=twlabtest$$
trap '"$lab" down' EXIT

failed=0
expect() {  # NAME EXPECTED ACTUAL
  [ "$2" = "$3" ] && return
  echo "$1: expected '$2', got '$3'"
  failed=1
}
mine() { ip netns list | awk -v lab="$TW_LAB" 'index($1, lab) == 1' | wc -l; }

"$lab" up 2 100mbit
case $? in 0) ;; 3) exit 77 ;; *) exit 1 ;; esac
expect "status" "2 100mbit 128kb" "$("$lab" status)"
expect "namespaces" 3 "$(mine)"
for end in "$TW_LAB-0 e0" "$TW_LAB-1 e0" "$TW_LAB-sw s0" "$TW_LAB-sw s1"; do
  set -- $end
  expect "link $end" 1 "$(tc -n "$1" qdisc show dev "$2" | grep -c 'tbf.*rate 100Mbit burst 128Kb')"
done

before=$("$lab" exec 0 readlink /proc/self/ns/net)
"$lab" up 2 100mbit
expect "a second up keeps the lab" "$before" "$("$lab" exec 0 readlink /proc/self/ns/net)"
[ "$before" != "$("$lab" exec 1 readlink /proc/self/ns/net)" ] || { echo "hosts share a namespace"; failed=1; }
expect "exit code of a command" 5 "$("$lab" exec 1 sh -c 'exit 5'; echo $?)"
expect "address" "$("$lab" address 1)" "$("$lab" exec 1 ip -o -4 addr show dev e0 | grep -o '10[0-9.]*' | head -1)"

# Something runs in it: it is not replaced under its feet, and `down` ends it.
ready=$(mktemp -u) && mkfifo "$ready"
"$lab" exec 1 sh -c 'echo >"$1" && exec sleep 1000' sh "$ready" &
sleeper=$!
read -r <"$ready"; rm "$ready"
expect "replacing a lab in use" 1 "$("$lab" up 3 100mbit 2>/dev/null; echo $?)"
"$lab" down
wait $sleeper 2>/dev/null
expect "down ends what runs" 143 $?
expect "namespaces after down" 0 "$(mine)"
"$lab" down
expect "a second down" 0 $?
expect "status without a lab" 1 "$("$lab" status 2>/dev/null; echo $?)"

"$lab" up 1 none && "$lab" up 3 10gbit
expect "another up replaces" "3 10gbit 2000kb" "$("$lab" status)"
for bad in "up 0 1gbit" "up 201 1gbit" "up two 1gbit" "up 2 fast" "up 2" "exec 0" "exec one true" "frob"; do
  expect "misuse: $bad" 2 "$("$lab" $bad 2>/dev/null; echo $?)"
done
expect "without root" 3 "$(setpriv --reuid 65534 "$lab" up 2 none 2>/dev/null; echo $?)"
expect "exec on a host that is not there" 1 "$("$lab" exec 3 true 2>/dev/null; echo $?)"
exit $failed
