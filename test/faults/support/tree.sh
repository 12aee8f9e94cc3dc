# A tree of processes that is hard to end. Each of them writes its id into a file; the first says `ready` when
# all are there. They end when the file is removed, so that nothing stays behind where ending them fails.
#
# usage: tree.sh KIND FILE

kind=$1 file=$2

# As one line, so that a line is never cut.
note() { echo "$BASHPID" >>"$file"; }
idle() {
  exec 4<> <(:)
  while [ -e "$file" ]; do read -rt 0.5 -u 4; done
}
again() { exec /bin/bash "$0" "$1" "$file"; }
ready_with() {
  local lines=()
  until ((${#lines[@]} >= $1)); do
    read -rt 0.02 -u 5
    mapfile -t lines <"$file"
  done
  echo ready
}
exec 5<> <(:)

case $kind in
# What the trees are made of.
polite) note; idle ;;
deaf) trap '' TERM; note; idle ;;
stopped) note; kill -STOP "$BASHPID"; idle ;;
deaf-stopped) trap '' TERM; note; kill -STOP "$BASHPID"; idle ;;
# A new process in a new session again and again, whose parent has ended; not for ever.
chain)
  note
  sleep 0.03
  ((++hops < 300)) && [ -e "$file" ] && hops=$hops setsid /bin/bash "$0" chain "$file" &
  exit
  ;;
# The same as fast as it can, within its session.
quick-chain)
  note
  ((++hops < 300)) && [ -e "$file" ] && (export hops; again quick-chain) &
  exit
  ;;

# Scripts that ignore SIGTERM.
ignores) trap '' TERM; note; (again deaf) & ready_with 2; idle ;;
ignores-stopped) trap '' TERM; note; (again deaf-stopped) & ready_with 2; idle ;;
ignores-clean-child) trap '' TERM; note; env -i /bin/bash "$0" deaf "$file" & ready_with 2; idle ;;
ignores-forking) trap '' TERM; note; ready_with 1; while [ -e "$file" ]; do (note; exec sleep 0.1) & read -rt 0.02 -u 5; done ;;
ignores-chain) trap '' TERM; note; (again quick-chain) & ready_with 4; idle ;;

# Scripts with a grandchild in a session of its own.
session) note; (setsid /bin/bash "$0" polite "$file" &); ready_with 2; idle ;;
session-ignores) note; (setsid /bin/bash "$0" deaf "$file" &); ready_with 2; idle ;;
session-stopped) note; (setsid /bin/bash "$0" stopped "$file" &); ready_with 2; idle ;;
session-clean) note; env -i setsid /bin/bash "$0" deaf "$file" & ready_with 2; idle ;;
session-chain) note; (setsid /bin/bash "$0" chain "$file" &); ready_with 4; idle ;;
esac
